"""Many rows in one statement, at the speed of the database's driver.

SQLAlchemy compiles the statement, and says what each column type makes of a value. It would also check and copy each
row twice, which costs more than all the rest that is done to a row in Python. Here a value is made column by column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Dialect, FromClause, Table, insert

from flask_ms365.models.base import AnySession

# how the drivers of PostgreSQL and MariaDB mark a value
_NAMED = re.compile(r"%\((\w+)\)s")


class _Insert(NamedTuple):
    statement: str
    names: Sequence[str]
    processors: Sequence[tuple[str, Callable[[Any], Any]]]


def insert_rows(session: AnySession, table: FromClause, rows: Sequence[Mapping[str, Any]], **same: Any) -> None:
    """Insert ``rows``, which all have the same columns, two at least; each has ``same`` beside its own.

    A column's own default is not filled in.
    """
    if not rows:
        return
    own, connection = tuple(rows[0]), session.connection()
    prepared = _prepare(connection.dialect, table, own + tuple(same))
    columns: dict[str, Iterable[Any]] = dict(zip(own, zip(*map(itemgetter(*own), rows), strict=True), strict=True))
    columns |= {name: repeat(value, len(rows)) for name, value in same.items()}
    for name, process in prepared.processors:
        columns[name] = map(process, columns[name])
    parameters = zip(*(columns[name] for name in prepared.names), strict=True)
    connection.exec_driver_sql(prepared.statement, list(parameters))


@lru_cache(maxsize=16)
def _prepare(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> _Insert:
    compiled: Any = insert(table).compile(dialect=dialect, column_keys=columns)
    # every driver takes True and False as they are
    types = {name: table.c[name].type for name in columns if not isinstance(table.c[name].type, Boolean)}
    processors = [(name, kind.dialect_impl(dialect).bind_processor(dialect)) for name, kind in types.items()]
    # in order: to look up each value by its name is half of what a driver does to a row
    statement, names = str(compiled), compiled.positiontup or _NAMED.findall(str(compiled))
    return _Insert(
        statement=_NAMED.sub("%s", statement),
        names=names,
        processors=[(name, process) for name, process in processors if process is not None],
    )
