"""Fault 38: the database fails in mid sync. Nothing is set aside for it, and once it is well all mail comes, once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, make_url, select, text
from sqlalchemy.exc import DBAPIError

from flask_ms365.models import Mailbox
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.services import need
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import between_pages, deliver, in_mid_sync, on_servers, on_sqlite, set_aside

MESSAGES = 8


def _tick(synced: Synced) -> list[Result]:
    with synced.host.app.app_context():
        return [report.result for report in synced.host.ms365.tick().runs]


def _sync_in_trouble(synced: Synced) -> None:
    """Tick until the database fails; a run that cannot even write that down fails the tick, which engines know."""
    deliver(synced, MESSAGES)
    with suppress(DBAPIError):
        assert _tick(synced) == [Result.FAILED]


def _is_made_good(synced: Synced, clock: Clock) -> bool:
    """After lease and back-off, tell whether another sync brings what was missing, and nothing twice."""
    with synced.host.app.app_context():
        synced.session.execute(text("UPDATE ms365_mailbox SET lease_expires_at = NULL, fail_count = 0"))
        synced.session.commit()
    clock.advance(hours=2)
    synced.sync()
    return not synced.differences() and len(synced.told) >= MESSAGES and not set_aside(synced)


def _from_now_on(synced: Synced, pragma: str) -> None:
    """Set up every connection like this, whenever somebody begins to use it."""
    with synced.host.app.app_context():
        engine = synced.session.get_bind()
    event.listen(engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA {pragma}"))


@on_sqlite
def test_a_database_that_another_process_locks_for_too_long(synced: Synced, clock: Clock) -> None:
    _from_now_on(synced, "busy_timeout = 10")
    other = sqlite3.connect(Path(synced.host.app.instance_path, "ms365.sqlite3"), isolation_level=None)
    with closing(other):
        between_pages(synced, lambda: other.execute("BEGIN IMMEDIATE"))
        _sync_in_trouble(synced)

    assert _is_made_good(synced, clock)


@on_sqlite
def test_a_database_that_turns_read_only(synced: Synced, clock: Clock) -> None:
    between_pages(synced, lambda: _from_now_on(synced, "query_only = ON"))
    _sync_in_trouble(synced)
    _from_now_on(synced, "query_only = OFF")

    assert _is_made_good(synced, clock)


@on_sqlite
def test_a_disk_that_is_full(synced: Synced, clock: Clock) -> None:
    def fill() -> None:
        with synced.host.app.app_context():
            pages = synced.session.execute(text("PRAGMA page_count")).scalar()
        _from_now_on(synced, f"max_page_count = {pages}")

    between_pages(synced, fill)
    for _ in range(4):
        synced.mailbox.deliver(subject="Large", text="x" * 100_000)
    _sync_in_trouble(synced)
    _from_now_on(synced, "max_page_count = 1000000")

    assert _is_made_good(synced, clock)


# of every connection to the test's database but the one that asks
_OTHERS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}
_KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


def _administer(synced: Synced) -> Engine:
    """Return a way to the server beside the worker's own."""
    return create_engine(synced.host.app.config["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)


def _kill_connections(synced: Synced) -> None:
    with _administer(synced).connect() as connection:
        dialect = connection.dialect.name if connection.dialect.name in _KILL else "mysql"
        for (number,) in connection.execute(text(_OTHERS[dialect])).all():
            connection.execute(text(_KILL[dialect].format(number)))


@on_servers
def test_a_connection_that_is_killed_between_two_pages(synced: Synced, clock: Clock) -> None:
    between_pages(synced, lambda: _kill_connections(synced))
    _sync_in_trouble(synced)

    assert _is_made_good(synced, clock)


@on_servers
def test_a_connection_that_is_killed_within_a_page(synced: Synced, clock: Clock) -> None:
    in_mid_sync(synced, lambda: _kill_connections(synced), at=3)
    _sync_in_trouble(synced)

    assert _is_made_good(synced, clock)


@on_servers
def test_a_run_whose_connection_was_killed_says_so_and_lets_go(synced: Synced) -> None:
    """There are other connections to be had: nobody need wait for the lease."""
    deliver(synced, MESSAGES)
    in_mid_sync(synced, lambda: _kill_connections(synced), at=3)

    assert _tick(synced) == [Result.FAILED]
    with synced.host.app.app_context():
        assert synced.session.scalar(select(Mailbox.lease_owner)) is None


@on_servers
def test_a_deadlock_with_the_hosts_own_work(synced: Synced, clock: Clock) -> None:
    """The handler takes two rows of the host in one order, and something else of the host in the other."""
    engine = _administer(synced)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS shelf"))
        connection.execute(text("CREATE TABLE shelf (id INTEGER PRIMARY KEY, used INTEGER)"))
        connection.execute(text("INSERT INTO shelf VALUES (1, 0), (2, 0)"))
    use = "UPDATE shelf SET used = used + 1 WHERE id = {}"
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        if other.dialect.name == "postgresql":  # of the two it is the other one that looks for deadlocks
            other.execute(text("SET LOCAL deadlock_timeout = '30s'"))
        else:  # the one that changed less must give way
            other.execute(text("INSERT INTO shelf SELECT seq, 0 FROM seq_3_to_3000"))
        other.execute(text(use.format(2)))

        def lock() -> None:
            synced.session.execute(text(use.format(1)))
            waiting = pool.submit(other.execute, text(use.format(1)))
            synced.session.execute(text(use.format(2)))
            waiting.result()

        in_mid_sync(synced, lock, at=3)
        _sync_in_trouble(synced)
        other.commit()

    assert _is_made_good(synced, clock)


@on_servers
def test_a_database_that_takes_no_writes_for_a_while(synced: Synced, clock: Clock) -> None:
    """As a standby before it is promoted."""
    with synced.host.app.app_context():
        engine = synced.session.get_bind()
    refuse = {"postgresql": "SET default_transaction_read_only = on"}.get(
        engine.dialect.name, "SET SESSION TRANSACTION READ ONLY"
    )
    allow = {"postgresql": "SET default_transaction_read_only = off"}.get(
        engine.dialect.name, "SET SESSION TRANSACTION READ WRITE"
    )

    def set_up(statement: str) -> None:
        def run(connection: Any, *_: Any) -> None:
            connection.cursor().execute(statement)
            connection.commit()

        event.listen(engine, "checkout", run)

    between_pages(synced, lambda: set_up(refuse))
    _sync_in_trouble(synced)
    set_up(allow)

    assert _is_made_good(synced, clock)


@pytest.mark.service
@pytest.mark.parametrize("synced", ["postgresql"], indirect=True)
def test_a_database_that_is_down_for_a_while_fails_each_tick_until_it_is_back(synced: Synced, clock: Clock) -> None:
    server = create_engine(need("postgresql"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    name = make_url(synced.host.app.config["SQLALCHEMY_DATABASE_URI"]).database

    def let_in(answer: str) -> None:
        with server.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {answer}"))
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(gone), {"name": name})

    between_pages(synced, lambda: let_in("false"))
    deliver(synced, MESSAGES)
    try:
        for _ in range(3):
            with pytest.raises(DBAPIError):
                _tick(synced)
    finally:
        let_in("true")

    assert _is_made_good(synced, clock)
