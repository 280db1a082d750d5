"""Counts over all processes: what is rolled back was not counted, and what was counted never becomes less."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select

from flask_ms365.heartbeat import beat, read_heartbeats
from flask_ms365.models import Count, write_transaction
from flask_ms365.models.counts import add_counts, add_up_old_counts, read_counts, write_tally
from flask_ms365.tally import Tally
from tests.conftest import Host, HostFactory
from tests.services import own_database
from tests.sync.conftest import empty

NOON = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
STORED = ("messages", "created")


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.service) for name in ("postgresql", "mariadb"))]
)
def host(request: pytest.FixtureRequest, make_host: HostFactory) -> Iterator[Host]:
    """Yield a host on each database; its tables are empty in the end."""
    if request.param == "sqlite":
        yield make_host()
        return
    db = SQLAlchemy()
    yield (host := make_host(db=db, SQLALCHEMY_DATABASE_URI=own_database(request.param)))
    with host.app.app_context():
        empty(db)


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def count(host: Host, times: int, *, at: datetime = NOON) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        add_counts(session_of(host), {STORED: times}, at=at)


def total(host: Host) -> int:
    with host.app.app_context():
        return read_counts(session_of(host)).get(STORED, 0)


def rows(host: Host) -> int:
    with host.app.app_context():
        found: int = session_of(host).scalar(select(func.count()).select_from(Count))
        return found


def test_counts_of_all_transactions_add_up(host: Host) -> None:
    for _ in range(40):
        count(host, 2)
    assert total(host) == 80
    assert rows(host) <= 16


def test_four_processes_at_once_lose_no_count(host: Host) -> None:
    def work(_: int) -> None:
        for _ in range(10):
            count(host, 1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert total(host) == 40


def test_four_first_ticks_at_once_are_one_heartbeat(host: Host) -> None:
    together = threading.Barrier(4)

    def tick(_: int) -> None:
        with host.app.app_context():
            together.wait(timeout=30)
            with write_transaction(session_of(host)):
                beat(session_of(host), engine="worker", at=NOON, interval=timedelta(minutes=5))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tick, range(4)))
    with host.app.app_context():
        assert [(each.engine, each.at) for each in read_heartbeats(session_of(host))] == [("worker", NOON)]


@pytest.mark.parametrize(("minutes", "since"), [(10, 0), (20, 20)])
def test_a_heartbeat_knows_since_when_there_was_no_silence(host: Host, minutes: int, since: int) -> None:
    with host.app.app_context():
        session = session_of(host)
        for at in (NOON, NOON + timedelta(minutes=minutes)):
            with write_transaction(session):
                beat(session, engine="worker", at=at, interval=timedelta(minutes=5))
        (found,) = read_heartbeats(session)
        assert (found.since, found.at) == (NOON + timedelta(minutes=since), NOON + timedelta(minutes=minutes))


def test_days_of_long_ago_are_put_together_and_nothing_is_lost(host: Host) -> None:
    for days in range(100):
        count(host, 1, at=NOON + timedelta(days=days))
    now = NOON + timedelta(days=99)
    with host.app.app_context():
        for _ in range(2):
            add_up_old_counts(session_of(host), now=now)
        oldest = session_of(host).scalars(select(Count.day).order_by(Count.day)).all()

    assert (total(host), rows(host)) == (100, 62)
    assert oldest[:2] == [date(1970, 1, 1), (now - timedelta(days=60)).date()]


def test_two_that_put_days_together_at_once_count_each_once(host: Host) -> None:
    for _ in range(20):
        count(host, 1)
    together = threading.Barrier(2)

    def add_up(_: int) -> None:
        with host.app.app_context():
            together.wait(timeout=30)
            add_up_old_counts(session_of(host), now=NOON + timedelta(days=61))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add_up, range(2)))
    assert total(host) == 20


# what waits in memory


def test_a_transaction_that_is_rolled_back_gives_back_what_it_took(host: Host) -> None:
    tally = Tally()
    tally.add(*STORED, by=3)
    with host.app.app_context(), suppress(ZeroDivisionError), write_transaction(session_of(host)):
        write_tally(session_of(host), tally, {STORED: 1}, at=NOON)
        raise ZeroDivisionError
    assert (total(host), tally.take()) == (0, Counter({STORED: 3}))


def test_what_was_written_is_not_written_again(host: Host) -> None:
    tally = Tally()
    tally.add(*STORED)
    for _ in range(2):
        with host.app.app_context(), write_transaction(session_of(host)):
            write_tally(session_of(host), tally, {}, at=NOON)
    assert total(host) == 1


def test_a_forked_child_leaves_to_its_parent_what_that_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    tally.add(*STORED)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    tally.add("throttled")
    assert tally.take() == Counter({("throttled", ""): 1})
