"""The host's own database, tuned as the docs of flask-ms365 recommend for SQLite."""

from __future__ import annotations

import sqlite3

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The base of the host's own models."""


db = SQLAlchemy(metadata=Base.metadata)


def tune_sqlite() -> None:
    """Let readers and the mail worker work side by side. Call it in an app context, before the first query."""
    event.listen(db.engine, "connect", _set_pragmas)


def _set_pragmas(connection: sqlite3.Connection, record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
