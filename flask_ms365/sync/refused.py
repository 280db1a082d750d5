"""Tell a value that a database cannot take from a database that is down, locked or in a deadlock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy.exc import DataError, DBAPIError

# MySQL's and MariaDB's errors for a packet above max_allowed_packet (the answer rarely arrives: the server hangs up in
# the middle of it), a row that is too large, JSON that is none, and a constraint, which is how MariaDB checks JSON
_PACKET_TOO_LARGE = 1153
_MYSQL_REFUSALS = {_PACKET_TOO_LARGE, 1118, 3140, 4025}
_MYSQL_HANGS_UP = {2006, 2013}
# no max_allowed_packet of any release is smaller
_LARGE = 1_000_000

# PostgreSQL's program_limit_exceeded: a key or a row that is too large
_POSTGRESQL_REFUSALS = {"54000"}


def is_refused_value(exc: DBAPIError) -> bool:
    """Tell whether the row cannot be stored, however often it is tried; else the database may take it later.

    A connection that was lost while a value of a megabyte or more was on its way counts as refused.
    """
    if isinstance(exc, DataError):
        return True
    if getattr(exc.orig, "sqlstate", None) in _POSTGRESQL_REFUSALS:
        return True
    number = exc.orig.args[0] if exc.orig is not None and exc.orig.args else None
    return number in _MYSQL_REFUSALS or (number in _MYSQL_HANGS_UP and any(map(_is_large, _values(exc.params))))


def _is_large(value: Any) -> bool:
    return isinstance(value, str | bytes) and len(value) * 4 > _LARGE and len(_encoded(value)) > _LARGE


def _encoded(value: str | bytes) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else value


def _values(parameters: Any) -> Iterator[Any]:
    """Yield each value of one row, or of a list of them, by name or by place."""
    rows: Iterable[Any] = parameters if isinstance(parameters, list) else [parameters or ()]
    for row in rows:
        yield from row.values() if isinstance(row, Mapping) else row
