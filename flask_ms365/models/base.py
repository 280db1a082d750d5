"""What all tables share: the base, the column types, and how they join a host's metadata."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timezone
from typing import Any, TypeVar

import msgspec
from sqlalchemy import DDL, JSON, DateTime, Dialect, FromClause, Index, MetaData, String, Table, Text, event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Session, scoped_session
from sqlalchemy.schema import ColumnCollectionConstraint
from sqlalchemy.sql import Delete, Update
from sqlalchemy.types import TypeDecorator

from flask_ms365.directory import LONGEST_ID

GRAPH_ID_LENGTH = 2048

T = TypeVar("T")

AnySession = Session | scoped_session[Any]

# PostgreSQL answers in the time zone of its session, wherever that is: outside of this the driver could not read the
# answer, since in that zone the calendar has not begun yet, or is over
_EARLIEST = datetime(1, 1, 1, 16, tzinfo=timezone.utc)
_LATEST = datetime(9999, 12, 31, 8, tzinfo=timezone.utc)

_A_LIST = 500
_AFTER_COMMIT = "ms365_after_commit"
_AFTER_ROLLBACK = "ms365_after_rollback"

# Held from the first to the last moment of a write to SQLite, which lets one through at a time anyway. A process that
# is forked within such a moment could never write: its copy of SQLite believes that the parent's write is its own. So
# whoever forks waits for the write; see ``jobs/process.py``.
sqlite_writes = threading.RLock()


class UTCDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _AS_TEXT.get(dialect.name) or super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _as_utc(value).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return _of_sqlite_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else _as_utc(value)


def _as_utc(value: datetime) -> datetime:
    if value.tzinfo is timezone.utc:
        return value
    if value.tzinfo is None:
        raise ValueError("A naive datetime was about to be stored.")
    try:
        return value.astimezone(timezone.utc)
    except OverflowError:  # within a day of where the calendar begins or ends
        return value.replace(tzinfo=timezone.utc)


def _as_sqlite_text(value: datetime | None) -> str | None:
    """Return the very text that SQLAlchemy would make."""
    if value is None:
        return None
    text: str = msgspec.to_builtins(_as_utc(value))
    return f"{text[:10]} {text[11:19]}{text[19:-1] or '.000000'}"


def _as_postgresql_text(value: datetime | None) -> str | None:
    return None if value is None else msgspec.to_builtins(min(max(_as_utc(value), _EARLIEST), _LATEST))


# in a third of the time that SQLAlchemy and the driver take: every message has several dates
_AS_TEXT = {"sqlite": _as_sqlite_text, "postgresql": _as_postgresql_text}


def _of_sqlite_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value).replace(tzinfo=timezone.utc)


class Json(TypeDecorator[Any]):
    """JSON, written and read by msgspec where the database takes and gives text."""

    impl = JSON
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        return _as_json

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        is_read_by_driver = super().result_processor(dialect, coltype) is None
        return None if is_read_by_driver else _of_json

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self.impl_instance.coerce_compared_value(op, value)


def _as_json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _of_json(value: str | None) -> Any:
    return None if value is None else msgspec.json.decode(value)


# Graph ids are case-sensitive ASCII; MySQL's default collation would fold their case and mix two messages up. With a
# number beside it, this length fits a key of every database: 3,072 bytes in InnoDB, 2,704 in PostgreSQL.
GraphId = String(GRAPH_ID_LENGTH).with_variant(
    mysql.VARCHAR(GRAPH_ID_LENGTH, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
)

# The host's ids of its users and roles, too: "Kim" may be somebody else than "kim", and must not read her mail.
HostId = String(LONGEST_ID).with_variant(
    mysql.VARCHAR(LONGEST_ID, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
)

# A message may be tens of megabytes; MySQL's TEXT ends at 64 KB.
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")

_PREFER_LZ4 = """DO $do$ BEGIN
IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
EXECUTE $ddl$ALTER TABLE %(fullname)s ALTER COLUMN {column} SET COMPRESSION lz4$ddl$;
END IF; END $do$"""


def prefer_lz4(table: FromClause, column: str) -> None:
    """Let PostgreSQL compress ``column`` with lz4 where the server can: twice as fast as what it does by itself.

    A copy of the table in a host's metadata does the same.
    """
    statement = DDL(_PREFER_LZ4.replace("{column}", column))  # type: ignore[no-untyped-call]
    event.listen(table, "after_create", statement.execute_if(dialect="postgresql"), propagate=True)


class Base(DeclarativeBase):
    """The base of our models. Not the host's: each table is copied into the host's metadata."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime, str: Text, list[Any]: JSON, dict[str, Any]: JSON}
    # a URL may call the same server by either name
    __table_args__: Any = {
        f"{name}_{key}": value
        for name in ("mysql", "mariadb")
        for key, value in {"charset": "utf8mb4", "engine": "InnoDB"}.items()
    }


def join_metadata(target: MetaData) -> None:
    """Copy our tables into the host's metadata, so that ``create_all`` and migrations see them.

    The copies have plain column types: a migration that autogenerate writes must not import this package. They keep
    our names, whatever the host's naming convention would make of them.
    """
    for table in Base.metadata.sorted_tables:
        if table.name in target.tables:
            continue
        copy = table.to_metadata(target)
        for column in copy.columns:
            if isinstance(column.type, TypeDecorator):
                column.type = column.type.impl_instance
        ours = _named_parts(table)
        for identity, part in _named_parts(copy).items():
            part.name = ours[identity].name


def _named_parts(table: Table) -> dict[tuple[str, ...], Index | ColumnCollectionConstraint]:
    """Return the indexes and constraints of ``table`` by what tells them apart."""
    parts: list[Index | ColumnCollectionConstraint] = [*table.indexes]
    parts += [each for each in table.constraints if isinstance(each, ColumnCollectionConstraint)]
    return {(type(part).__name__, *(column.name for column in part.columns)): part for part in parts}


@contextmanager
def write_transaction(session: AnySession) -> Iterator[None]:
    """Run one read-then-write transaction on ``session``: commit at the end, roll back on any error.

    What was under way before is committed first, so that what is read inside is as fresh as what is written.

    SQLite is told at once that a write follows. Begun deferred, two writers that read first could both go on from the
    same old state, and one of them would fail with "database is locked" after its work was done.
    """
    session.commit()
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    with sqlite_writes if is_sqlite else nullcontext():
        try:
            if is_sqlite:
                _begin_immediate(session)
            yield
            session.commit()
        except BaseException:
            session.info.pop(_AFTER_COMMIT, None)
            session.rollback()
            for call in session.info.pop(_AFTER_ROLLBACK, ()):
                call()
            raise
    session.info.pop(_AFTER_ROLLBACK, None)
    for call in session.info.pop(_AFTER_COMMIT, ()):
        call()


def _begin_immediate(session: AnySession) -> None:
    connection = session.connection()
    driver = connection.connection.driver_connection
    if driver is not None and not driver.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def in_batches(ids: Iterable[T]) -> Iterator[list[T]]:
    """Yield ``ids``, as many at a time as an IN list takes: SQLite of old has 999 parameters."""
    waiting = list(ids)
    for start in range(0, len(waiting), _A_LIST):
        yield waiting[start : start + _A_LIST]


def rows_changed(session: AnySession, statement: Update | Delete) -> int:
    """Run a statement past the objects that the session holds; return how many rows it met."""
    result = session.execute(statement.execution_options(synchronize_session=False))
    return int(result.rowcount)  # type: ignore[attr-defined]


def after_commit(session: AnySession, call: Callable[[], object]) -> None:
    """Within :func:`write_transaction`: call ``call`` once it is committed, and never if it is rolled back."""
    session.info.setdefault(_AFTER_COMMIT, []).append(call)


def after_rollback(session: AnySession, call: Callable[[], object]) -> None:
    """Within :func:`write_transaction`: call ``call`` if it is rolled back, and never once it is committed."""
    session.info.setdefault(_AFTER_ROLLBACK, []).append(call)


def hide_parameters(error: BaseException) -> None:
    """Let an error, and what it came of, not name what was to be stored: it will be logged, and mail must not be."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, StatementError):
            found.hide_parameters = True
        found = found.__cause__ or found.__context__
