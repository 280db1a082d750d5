"""The database of a host that brings none: an SQLite file in the instance folder, set up for speed and safety."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, event

from flask_ms365.errors import ConfigurationError
from flask_ms365.models.base import Base
from flask_ms365.models.search import make_sqlite_index

PRAGMAS = (
    # a message is a few pages, not a chain of overflow pages; it counts only before the first table and before WAL
    "PRAGMA page_size=16384",
    # people read while mail is stored
    "PRAGMA journal_mode=WAL",
    # the file is whole after a crash; what the disk was not made to keep at a power cut is read again from Microsoft
    "PRAGMA synchronous=NORMAL",
    # the log goes into the file at 64 MB, not after every few pages of mail
    "PRAGMA wal_autocheckpoint=4096",
    # 16 MB of pages stay in memory: an index of ids is written all over; twice as much is not faster
    "PRAGMA cache_size=-16384",
    # a second writer waits for the first, longer than any page of mail takes
    "PRAGMA busy_timeout=15000",
    # SQLite minds them only when told to; mail goes with its mailbox
    "PRAGMA foreign_keys=ON",
)


def host_database(app: Flask, db: SQLAlchemy) -> SQLAlchemy:
    """Return the host's ``db``; raise :exc:`ConfigurationError` where it does not know the app yet."""
    known: object = app.extensions.get("sqlalchemy")
    if known is not db:
        raise ConfigurationError("Call db.init_app(app) before MS365().init_app(app, db=db).")
    return db


def own_database(app: Flask) -> SQLAlchemy:
    """Return a database of our own; raise :exc:`ConfigurationError` where the app has one that was not passed."""
    if "sqlalchemy" in app.extensions:
        raise ConfigurationError("This app has Flask-SQLAlchemy. Pass it: MS365().init_app(app, db=db).")
    app.config.setdefault("SQLALCHEMY_DATABASE_URI", "sqlite:///ms365.sqlite3")
    # our tables as they are: a copy, as a host's own metadata gets it, would take half of the app's start
    return SQLAlchemy(app, metadata=Base.metadata)


def create_tables(app: Flask, db: SQLAlchemy) -> None:
    """Make the tables of a database of our own, once, also when several processes start together."""
    with app.app_context():
        is_sqlite = db.engine.dialect.name == "sqlite"
        if is_sqlite:
            event.listen(db.engine, "connect", apply_pragmas)
        with db.engine.begin() as connection:
            if is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            db.metadata.create_all(connection)
            make_sqlite_index(connection)
        close_idle(db.engine)


def close_idle(engine: Engine) -> None:
    """Close connections that nobody uses: a process that is forked must not share them."""
    if engine.url.database not in (None, "", ":memory:"):  # a database in memory ends with its connection
        engine.dispose()


def apply_pragmas(connection: Any, _record: Any) -> None:
    """Set up a new connection to SQLite."""
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()
