"""Fault 49: "later" in every form that Microsoft says it in, and pages that are too large to get through."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from sqlalchemy import select

from flask_ms365.models import Mailbox
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, delta_of, folder_of, on_sqlite

pytestmark = on_sqlite

FORMS = ["0", "0.01", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "abc", "", "1e-3", None]
SHORT = [*((429, form) for form in FORMS), (503, "0.01"), (503, None), (504, "0.01"), (504, None)]


@pytest.mark.parametrize(("status", "retry_after"), SHORT)
def test_a_short_wait_is_waited_out(synced: Synced, status: int, retry_after: str | None) -> None:
    """Fault 49, each form of Retry-After that is no long wait."""
    deliver(synced, 3)
    synced.mailbox.throttle(times=1, retry_after=retry_after, status=status)

    assert synced.sync().result is Result.DONE
    assert synced.differences() == []


def _in_ten_minutes() -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(minutes=10), usegmt=True)


@pytest.mark.parametrize("is_date", [True, False])
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_releases_the_mailbox_until_then(synced: Synced, clock: Clock, status: int, is_date: bool) -> None:
    """Fault 49, seconds and an HTTP date; nobody sleeps on a lease."""
    deliver(synced, 3)
    synced.mailbox.throttle(times=1, retry_after=_in_ten_minutes() if is_date else "600", status=status)
    report = synced.run()
    assert report.result in (Result.THROTTLED, Result.UNAVAILABLE)
    assert 590 <= (report.retry_after or 0) <= 600

    clock.advance(minutes=9)
    assert synced.run().result is Result.RESTING
    clock.advance(minutes=2)
    assert synced.sync().result is Result.DONE
    assert synced.differences() == []


def test_no_wait_is_longer_than_some_hours(synced: Synced, clock: Clock) -> None:
    """Fault 49, 999999."""
    synced.mailbox.throttle(times=1, retry_after="999999")
    assert synced.run().result is Result.THROTTLED

    with synced.host.app.app_context():
        due = synced.session.scalars(select(Mailbox.next_due_at)).one()
    assert clock() + timedelta(hours=1) < due < clock() + timedelta(hours=7)


def test_a_service_that_is_away_for_a_moment_costs_nothing(synced: Synced) -> None:
    """Fault 49, 503 then success."""
    deliver(synced, 6)
    synced.mailbox.throttle(times=2, retry_after="0.01", status=503)

    assert synced.sync().result is Result.DONE
    assert synced.differences() == []


def test_a_gateway_that_gives_up_on_every_third_call_is_lived_with(synced: Synced) -> None:
    """Fault 49, 504 on every third call."""
    deliver(synced, 10)
    synced.mailbox.create_folder("Projects")
    deliver(synced, 10, "Projects")
    synced.mailbox.fail_every(3, 504)

    assert synced.sync().result is Result.DONE
    assert synced.differences() == []


def test_pages_that_are_too_large_shrink_until_they_get_through_and_grow_again(synced: Synced) -> None:
    """Fault 49, 504 for size."""
    synced.mailbox.deliver_many(120, body_size=8_000)
    synced.mailbox.largest_answer = 800_000
    synced.sync()
    small = folder_of(synced, "Inbox").page_size
    assert synced.differences() == []

    synced.mailbox.largest_answer = None
    for _ in range(6):
        synced.mailbox.deliver_many(5, body_size=100)
        synced.sync()
    assert small < 120
    assert folder_of(synced, "Inbox").page_size >= small


def test_one_message_that_is_too_large_for_any_page_arrives_by_itself(synced: Synced) -> None:
    """Fault 49, 504 for one message."""
    synced.mailbox.deliver(subject="Small", text="x")
    synced.mailbox.deliver(subject="Large", text="x" * 400_000)
    synced.mailbox.deliver(subject="Small too", text="x")
    synced.mailbox.largest_answer = 300_000
    synced.sync()

    assert synced.differences() == []


@pytest.mark.parametrize("status", [429, 503, None])
def test_a_part_of_a_batch_that_is_refused_or_left_out_is_asked_again(synced: Synced, status: int | None) -> None:
    """Fault 49, within a batch."""
    for number in range(5):
        synced.mailbox.deliver(subject=f"{number}", text="x", attachments=[(f"{number}.txt", "text/plain", b"x")])
    synced.simulator.fail_in_batch("/attachments", status, headers={"Retry-After": "0.01"}, times=2)

    assert synced.sync().result is Result.DONE
    assert synced.differences() == []


def test_a_refused_batch_says_how_long_to_wait(synced: Synced, clock: Clock) -> None:
    """Fault 49, a long wait within a batch."""
    synced.mailbox.deliver(subject="One", text="x", attachments=[("a.txt", "text/plain", b"x")])
    synced.simulator.fail_in_batch("/attachments", 429, headers={"Retry-After": "600"})
    report = synced.run()
    assert (report.result, report.retry_after) == (Result.THROTTLED, 600)

    clock.advance(minutes=11)
    synced.sync()
    assert synced.differences() == []


def test_a_folder_that_is_refused_for_long_stops_the_run_and_keeps_what_is_stored(synced: Synced, clock: Clock) -> None:
    """Fault 49, in mid sync."""
    deliver(synced, 4)
    synced.sync()
    deliver(synced, 4, "archive")
    synced.simulator.fail_next(delta_of(synced), 429, headers={"Retry-After": "3600"})
    assert synced.run().result is Result.THROTTLED
    assert len(synced.subjects()) >= 4

    clock.advance(hours=2)
    synced.sync()
    assert synced.differences() == []
