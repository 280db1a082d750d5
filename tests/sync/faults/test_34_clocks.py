"""Fault 34: the clock of one worker is ten minutes fast, or slow. Where the database has a clock, that one counts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from flask_ms365.models import Mailbox
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock, Host, new_host
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, on_servers, on_sqlite

fast_and_slow = pytest.mark.parametrize("minutes", [10, -10], ids=["fast", "slow"])


@pytest.fixture
def other(synced: Synced, tmp_path: Path, minutes: int) -> Iterator[Host]:
    """Yield a worker on another machine: the same database, and a clock that is wrong."""
    clock = Clock()
    clock.advance(minutes=minutes)
    config = synced.host.app.config
    same = {name: config[name] for name in ("SQLALCHEMY_DATABASE_URI", "MS365_ENCRYPTION_KEYS")}
    db = None if same["SQLALCHEMY_DATABASE_URI"].startswith("sqlite") else SQLAlchemy()
    other = new_host(Path(synced.host.app.instance_path), synced.simulator, clock, db=db, **same)
    yield other
    with other.app.app_context():
        other.app.extensions["sqlalchemy"].engine.dispose()


def _sync(host: Host) -> RunReport:
    with host.app.app_context():
        session: Any = host.app.extensions["sqlalchemy"].session
        return host.ms365.sync_mailbox(session.scalars(select(Mailbox.id)).one())


@contextmanager
def _in_mid_run(synced: Synced) -> Iterator[None]:
    """Let the worker with the right clock hold the mailbox; it goes on afterwards and must come to a good end."""
    with ThreadPoolExecutor(1) as pool:
        with synced.mailbox.hold() as traffic:
            run = pool.submit(synced.run)
            assert traffic.wait_for(1)
            yield
        assert run.result(timeout=30).result is Result.DONE


@on_servers
@fast_and_slow
def test_a_wrong_clock_takes_no_mailbox_that_is_held(synced: Synced, other: Host) -> None:
    deliver(synced, 4)
    with _in_mid_run(synced):
        with other.app.app_context():
            assert other.ms365.tick().runs == []
        assert _sync(other).result is Result.TAKEN
    assert synced.differences() == []


@on_servers
@fast_and_slow
def test_a_worker_with_a_wrong_clock_leaves_the_right_time_behind(synced: Synced, other: Host) -> None:
    assert _sync(other).result is Result.DONE

    with synced.host.app.app_context():
        due = synced.session.scalar(select(Mailbox.next_due_at))
    assert timedelta(minutes=4) < due - datetime.now(timezone.utc) < timedelta(minutes=6)


@on_sqlite
@pytest.mark.parametrize("minutes", [10], ids=["fast"])
def test_on_sqlite_a_fast_clock_takes_over_and_the_fence_sees_to_it(synced: Synced, other: Host) -> None:
    """One machine has one clock; should it jump, mail is still stored once."""
    deliver(synced, 4)
    with ThreadPoolExecutor(2) as pool:
        with synced.mailbox.hold() as traffic:
            slow = pool.submit(synced.run)
            assert traffic.wait_for(1)
            fast = pool.submit(_sync, other)
            assert traffic.wait_for(2)
        assert slow.result(timeout=30).result is Result.TAKEN
        assert fast.result(timeout=30).result is Result.DONE
    assert synced.differences() == []
