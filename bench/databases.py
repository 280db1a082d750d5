"""A fresh database for each measurement, with our tables, one mailbox and its folders."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, make_url, text

from bench.fabricated import folder_id
from flask_ms365.database import apply_pragmas
from flask_ms365.models import Folder, Mailbox, Message
from flask_ms365.models.base import Base

SERVERS = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/test",
    "mariadb": "mariadb+pymysql://root@127.0.0.1:3306/test?charset=utf8mb4",
}
NOW = datetime.now(timezone.utc)


@contextmanager
def fresh(kind: str) -> Iterator[str]:
    """Yield the address of an empty database that is gone afterwards."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="ms365-bench-") as folder:
            yield f"sqlite:///{folder}/mail.sqlite3"
        return
    name = f"ms365_bench_{os.getpid()}"
    _administer(SERVERS[kind], f"CREATE DATABASE {name}")
    try:
        yield make_url(SERVERS[kind]).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(SERVERS[kind], f"DROP DATABASE {name}")


def _administer(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def usual_engine(url: str) -> Engine:
    """Return an engine as a careful host has it: SQLite with a write-ahead log, else as it comes."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _usual_pragmas)
    return engine


def _usual_pragmas(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def tuned(engine: Engine) -> Engine:
    """Return an engine as ours is: SQLite with all that speeds it up."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", apply_pragmas)
    return engine


def make_tables(engine: Engine, folders: int) -> None:
    """Make our tables with mailbox 1 and its folders: rows of messages must point somewhere."""
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(Mailbox.__table__), [mailbox_values(1)])  # type: ignore[arg-type]
        connection.execute(insert(Folder.__table__), folder_values(1, range(folders)))  # type: ignore[arg-type]
    engine.dispose()


def mailbox_values(number: int) -> dict[str, Any]:
    """Return the columns of a mailbox that is due."""
    address = f"user{number}@contoso.example"
    times = {"created_at": NOW, "next_due_at": NOW, "measured_at": NOW}
    return {"id": number, "kind": "user", "address": address, "owner_id": "ana", **times}


def folder_values(mailbox: int, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the columns of the folders of a mailbox."""
    return [
        {"mailbox_id": mailbox, "graph_id": folder_id(mailbox, number), "name": f"Folder {number}"}
        for number in numbers
    ]


def finish(url: str) -> None:
    """Bring what SQLite has in its log into the file: that is part of storing mail."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(make_url(url).database or "")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def count_messages(url: str) -> int:
    """Return how many messages are stored."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = int(connection.scalar(text(f"SELECT count(*) FROM {Message.__tablename__}")) or 0)
    engine.dispose()
    return found
