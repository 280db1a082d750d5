"""A process that asks for access tokens as a worker does, and that tests can hold up where it is about to store one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Barrier
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, select

from flask_ms365 import MS365
from flask_ms365.errors import MS365Error
from flask_ms365.models import Connection as Grant
from tests.conftest import Host

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])
HOLD = "hold"  # where a worker waits until it is told to go on


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a process finds the host's database and Microsoft."""

    instance: Path
    config: dict[str, str]
    has_own_database: bool

    @classmethod
    def of(cls, host: Host) -> Place:
        """Return where a host is."""
        names = ("MS365_ENCRYPTION_KEYS", "MS365_AUTHORITY_URL", "MS365_GRAPH_URL", "SQLALCHEMY_DATABASE_URI")
        return cls(
            instance=Path(host.app.instance_path),
            config={name: host.app.config[name] for name in names},
            has_own_database=host.db is None,
        )

    def app(self) -> Flask:
        """Return the host's app once more, in this process."""
        app = Flask("host", instance_path=str(self.instance))
        app.config.update(self.config, SECRET_KEY="not secret", MS365_JOB_HOOK="external")
        db = None if self.has_own_database else SQLAlchemy(app)
        MS365().init_app(app, db=db)
        return app


class Worker:
    """One process. :meth:`ask` lets it ask for a token; it answers with the token, or the error's name."""

    def __init__(self, place: Place, *, threads: int = 1, together: Any = None, hold_at: str = "") -> None:
        self._pipe, theirs = _processes.Pipe()
        given = (place, theirs, threads, together, hold_at)
        self._process = _processes.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def ask(self) -> None:
        """Let it ask for the token of the only connection, and do not wait."""
        self._pipe.send("ask")

    def go_on(self) -> None:
        """Let it go on from where it was held up."""
        self._pipe.send("go on")

    def answer(self) -> str:
        """Wait for what it says; with several threads, all that they got."""
        return str(self._pipe.recv())

    def kill(self) -> None:
        """Send SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def workers(count: int, place: Place, *, threads: int = 1) -> Iterator[list[Worker]]:
    """Yield processes that go for a token at the same instant when each was asked, and do so in several threads."""
    together = _processes.Barrier(count)
    with ExitStack() as stack:
        started = [Worker(place, threads=threads, together=together) for _ in range(count)]
        for worker in started:
            stack.callback(worker.kill)
        yield started


@contextmanager
def worker(place: Place, *, hold_at: str = "") -> Iterator[Worker]:
    """Yield one process, held up at an event of its engine that comes after Microsoft's answer."""
    started = Worker(place, hold_at=hold_at)
    try:
        yield started
    finally:
        started.kill()


def access_token(app: Flask) -> str:
    """Return a good token of the only connection."""
    state = app.extensions["ms365.state"]
    with app.app_context():
        connection_id = state.session.scalars(select(Grant.id)).one()
        token: str = state.connect.clients.tokens.access_token(connection_id, state.registration)
        return token


def _serve(place: Place, pipe: Connection, threads: int, together: Barrier | None, hold_at: str) -> None:
    app = place.app()
    if hold_at:
        _hold_up(app, pipe, hold_at)
    with ThreadPoolExecutor(threads) as pool:
        while pipe.recv() == "ask":
            if together is not None:
                together.wait()
            got = pool.map(_token_or_error, [app] * threads)
            pipe.send(" ".join(set(got)))


def _token_or_error(app: Flask) -> str:
    try:
        return access_token(app)
    except MS365Error as error:
        return type(error).__name__


def _hold_up(app: Flask, pipe: Connection, hold_at: str) -> None:
    """Wait in the middle of the write that stores a new pair: before its statement, or before its commit."""
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    stored = False

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal stored
        stored = statement.startswith("UPDATE ms365_connection") and "access_token=" in statement
        if stored and hold_at == "before the statement":
            wait()

    def commit(_connection: Any) -> None:
        if stored and hold_at == "before the commit":
            wait()

    def wait() -> None:
        pipe.send(HOLD)
        pipe.recv()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "commit", commit)
