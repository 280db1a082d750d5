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
    session.execute(upsert_on(session.connection().dialect.name, table, changes), rows)


def upsert_on(dialect: str, table: FromClause, changes: Changes) -> Any:
    """Return the statement for a database, for whoever keeps it: to make it takes longer than to run it."""
    target: Any = table
    if dialect in ("mysql", "mariadb"):
        theirs = mysql.insert(target)
        return theirs.on_duplicate_key_update(list(changes(theirs.inserted).items()))
    ours: Any = postgresql.insert(target) if dialect == "postgresql" else sqlite.insert(target)
    return ours.on_conflict_do_update(index_elements=list(target.primary_key.columns), set_=changes(ours.excluded))
