"""Microsoft's quota of requests for a mailbox is kept before Microsoft says so."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, update

from flask_ms365.graph.quota import BURST, Quota
from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.simulator import User
from tests.conftest import Clock, Host

MOST, WINDOW = 10_000, timedelta(minutes=10)


class Time:
    """A clock that moves by being waited for."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def quota(time: Time) -> Quota:
    return Quota(clock=time, sleep=time.pass_by)


def most_in_a_window(made: list[tuple[datetime, int]]) -> int:
    """Return the most requests that were made in any ten minutes."""
    most = inside = oldest = 0
    for moment, requests in made:
        inside += requests
        while made[oldest][0] <= moment - WINDOW:
            inside -= made[oldest][1]
            oldest += 1
        most = max(most, inside)
    return most


@pytest.mark.parametrize("at_a_time", [1, 20])
@pytest.mark.parametrize("rests", [0, 60, 3600])
def test_no_ten_minutes_see_more_than_10_000_requests(time: Time, quota: Quota, at_a_time: int, rests: float) -> None:
    made = []
    for number in range(30_000 // at_a_time):
        if number == 8_000 // at_a_time:
            time.pass_by(rests)
        quota.take(at_a_time)
        made.append((time(), at_a_time))

    assert MOST - 20 <= most_in_a_window(made) <= MOST


def test_a_first_reading_of_a_small_mailbox_waits_for_nothing(time: Time, quota: Quota) -> None:
    began = time()
    for _ in range(BURST):
        quota.take()

    assert time() == began


def test_who_asks_steadily_is_let_through_at_the_rate_that_microsoft_allows(time: Time, quota: Quota) -> None:
    quota.take(BURST)
    began = time()
    for _ in range(BURST):
        quota.take()

    assert time() - began == pytest.approx(WINDOW, abs=timedelta(seconds=1))


def test_a_batch_counts_for_all_that_is_in_it(quota: Quota) -> None:
    quota.take(20)

    assert quota.left == BURST - 20


def test_time_fills_it_up_and_no_further(time: Time, quota: Quota) -> None:
    quota.take(1_000)
    time.pass_by(60)
    assert quota.left == pytest.approx(BURST - 500)

    time.pass_by(86_400)
    assert quota.left == BURST


def test_it_goes_on_from_what_was_left_earlier(time: Time) -> None:
    quota = Quota(clock=time, sleep=time.pass_by, left=-50, at=time() - timedelta(seconds=12))

    assert quota.left == pytest.approx(50)


def test_a_clock_that_was_put_back_gives_nothing_and_takes_nothing(time: Time, quota: Quota) -> None:
    quota.take(100)
    time.pass_by(-3600)

    assert quota.left == BURST - 100


# between two runs it is kept with the mailbox


def sync(host: Host) -> None:
    with host.app.app_context():
        assert host.ms365.sync_mailbox(1).error == ""


def kept(host: Host) -> Any:
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        return session.execute(select(Mailbox.quota_left, Mailbox.quota_at)).one()


def keep(host: Host, left: float, at: datetime) -> None:
    with host.app.app_context(), write_transaction(session := host.app.extensions["sqlalchemy"].session):
        session.execute(update(Mailbox).values(quota_left=left, quota_at=at))


def test_what_is_left_is_kept_with_the_mailbox(connected: Host, ana: User, clock: Clock) -> None:
    ana.mailbox.deliver(subject="One")
    sync(connected)

    left, at = kept(connected)
    assert BURST - 50 < left < BURST
    assert clock() - at < timedelta(minutes=1)


def test_the_next_run_goes_on_from_there(connected: Host, ana: User, clock: Clock) -> None:
    sync(connected)
    keep(connected, 300, clock())
    ana.mailbox.deliver(subject="One")
    sync(connected)

    assert kept(connected).quota_left < 300 + BURST / 10  # what a minute gives back, however slow the machine


def test_after_ten_minutes_nothing_is_owed(connected: Host, ana: User, clock: Clock) -> None:
    sync(connected)
    keep(connected, -20, clock() - WINDOW)
    ana.mailbox.deliver(subject="One")
    sync(connected)

    assert kept(connected).quota_left > BURST - 100
