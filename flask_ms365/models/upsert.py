"""Insert a row, or change the one that is there: one statement on every database, and nobody was first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnCollection, FromClause
from sqlalchemy.dialects import mysql, postgresql, sqlite

from flask_ms365.models.base import AnySession

# (the new row) -> column name -> what the row that is there gets; written in this order
Changes = Callable[["ColumnCollection[str, Any]"], Mapping[str, Any]]


def upsert(session: AnySession, table: FromClause, rows: Sequence[Mapping[str, Any]], changes: Changes) -> None:
    """Insert ``rows``; where the primary key is taken, make ``changes`` to the row that has it."""
    target: Any = table
    dialect = session.connection().dialect.name
    if dialect in ("mysql", "mariadb"):
        theirs = mysql.insert(target)
        session.execute(theirs.on_duplicate_key_update(list(changes(theirs.inserted).items())), rows)
        return
    ours: Any = postgresql.insert(target) if dialect == "postgresql" else sqlite.insert(target)
    key = list(target.primary_key.columns)
    session.execute(ours.on_conflict_do_update(index_elements=key, set_=changes(ours.excluded)), rows)
