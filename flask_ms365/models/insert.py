"""Many rows in one statement, at the speed of the database's driver.

SQLAlchemy compiles the statement, and says what each column type makes of a value. It would also check and copy each
row twice, which costs more than all the rest that is done to a row in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Dialect, FromClause, Table, insert

from flask_ms365.models.base import AnySession


class _Insert(NamedTuple):
    statement: str
    processors: Sequence[tuple[str, Callable[[Any], Any]]]
    as_parameters: Callable[[dict[str, Any]], Any]


def insert_rows(session: AnySession, table: FromClause, rows: Sequence[dict[str, Any]]) -> None:
    """Insert ``rows``, which all have the same columns, two at least; in place, their values become the driver's.

    A column's own default is not filled in.
    """
    if not rows:
        return
    connection = session.connection()
    prepared = _prepare(connection.dialect, table, tuple(rows[0]))
    for name, process in prepared.processors:
        for row in rows:
            row[name] = process(row[name])
    connection.exec_driver_sql(prepared.statement, list(map(prepared.as_parameters, rows)))


@lru_cache(maxsize=16)
def _prepare(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Insert:
    compiled: Any = insert(table).compile(dialect=dialect, column_keys=columns)
    # every driver takes True and False as they are
    types = {name: table.c[name].type for name in columns if not isinstance(table.c[name].type, Boolean)}
    processors = [(name, kind.dialect_impl(dialect).bind_processor(dialect)) for name, kind in types.items()]
    return _Insert(
        statement=str(compiled),
        processors=[(name, process) for name, process in processors if process is not None],
        as_parameters=itemgetter(*compiled.positiontup) if compiled.positional else dict,
    )
