"""What search looks in: the words of each message, apart from it, in the form that the database's own index takes.

The tables follow the mail by themselves: a chore fills them, and a message that is deleted takes its words along.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Text,
    delete,
    event,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import AnySession, Base, in_batches, rows_changed
from flask_ms365.models.mail import Message

# SQLite's own table over ``ms365_search_text``, which no metadata can describe
FTS = "ms365_search_fts"

# words are folded already, so they are compared byte by byte
_Words = (
    Text()
    .with_variant(postgresql.TSVECTOR(), "postgresql")
    .with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
)


class SearchText(Base):
    """The words of a message that is not removed."""

    __tablename__ = "ms365_search_text"
    __table_args__ = (
        Index("ix_ms365_search_text_received_at", "received_at", "message_id"),
        Index(
            "ix_ms365_search_text_words",
            "words",
            postgresql_using="gin",
            mysql_prefix="FULLTEXT",
            mariadb_prefix="FULLTEXT",
            sqlite_where=text("words IS NULL"),  # none: SQLite has its index elsewhere
        ),
        Base.__table_args__,
    )

    message_id: Mapped[int] = mapped_column(
        ForeignKey("ms365_message.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    # that of its message
    mailbox_id: Mapped[int]
    # long ago where the message has no date: such ones come last
    received_at: Mapped[datetime]
    # as mailboxes/fulltext.py writes them
    words: Mapped[str] = mapped_column(_Words, deferred=True)


class SearchDue(Base):
    """A message whose words are to be read again, since it changed or was removed. Some may be named twice."""

    __tablename__ = "ms365_search_due"

    id: Mapped[int] = mapped_column(primary_key=True)
    # may stay behind its message
    message_id: Mapped[int]


class SearchMark(Base):
    """How far the messages are indexed, by their ids: one row.

    An id may be taken earlier and be stored later than a higher one. So what lies above ``settled`` is looked through
    once more; nothing below can be missing.
    """

    __tablename__ = "ms365_search_mark"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # grows with each change: of two who read the same one, the later changes nothing
    turn: Mapped[int] = mapped_column(default=0)
    upto: Mapped[int] = mapped_column(default=0)
    settled: Mapped[int] = mapped_column(default=0)
    # what ``upto`` was then
    noted: Mapped[int] = mapped_column(default=0)
    noted_at: Mapped[datetime]


_MADE_BY_US = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5(mailbox_id, words, content='ms365_search_text', "
    "content_rowid='message_id', tokenize='ascii')",
    f"CREATE TRIGGER IF NOT EXISTS {FTS}_insert AFTER INSERT ON ms365_search_text BEGIN "
    f"INSERT INTO {FTS} (rowid, mailbox_id, words) VALUES (new.message_id, new.mailbox_id, new.words); END",
    f"CREATE TRIGGER IF NOT EXISTS {FTS}_delete AFTER DELETE ON ms365_search_text BEGIN "
    f"INSERT INTO {FTS} ({FTS}, rowid, mailbox_id, words) "
    "VALUES ('delete', old.message_id, old.mailbox_id, old.words); END",
)


def make_sqlite_index(connection: Connection) -> None:
    """Let SQLite index the words, also those that are there. Once it is so, and with other databases, nothing happens.

    Call it after ``create_all``, or in a migration: no metadata knows such tables. A database of our own has it.
    """
    if connection.dialect.name != "sqlite" or has_sqlite_index(connection) or not _has_fts5(connection):
        return
    # Python opens no transaction for what follows: a process that is killed would leave half of it
    connection.exec_driver_sql("DELETE FROM ms365_search_text WHERE 0")
    for statement in _MADE_BY_US:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"INSERT INTO {FTS} ({FTS}) VALUES ('rebuild')")


def has_sqlite_index(connection: Connection) -> bool:
    """Tell whether this SQLite has the index; each connection asks until it has."""
    if FTS not in connection.info:
        found = connection.exec_driver_sql(f"SELECT 1 FROM sqlite_master WHERE name = '{FTS}'").first()
        if found is None:
            return False
        connection.info[FTS] = True
    return True


def _has_fts5(connection: Connection) -> bool:
    return connection.exec_driver_sql("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").first() is not None


def _before_drop(_table: Any, connection: Connection, **_given: Any) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {FTS}")


event.listen(SearchText.__table__, "before_drop", _before_drop, propagate=True)


def index_again(session: AnySession, *which: ColumnElement[bool]) -> None:
    """Within the transaction that changes the words of messages, or removes them: they are to be read again."""
    ids = select(Message.id).where(*which)
    session.execute(insert(SearchDue).from_select(["message_id"], ids))


def forget_words(session: AnySession, message_ids: Collection[int]) -> None:
    """Within the transaction that deletes messages, and after it did: their words go too.

    A host's SQLite cascades nothing. And SQLite gives the ids of the last rows, once deleted, to the next.
    """
    for ids in in_batches(message_ids):
        rows_changed(session, delete(SearchText).where(SearchText.message_id.in_(ids)))
    if session.connection().dialect.name == "sqlite":
        last = select(func.coalesce(func.max(Message.id), 0)).scalar_subquery()
        lower = {column: func.min(getattr(SearchMark, column), last) for column in ("upto", "settled", "noted")}
        rows_changed(
            session, update(SearchMark).where(SearchMark.upto > last).values(turn=SearchMark.turn + 1, **lower)
        )
