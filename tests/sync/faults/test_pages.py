"""Faults 45 and 47: pages that repeat, change their order, lead nowhere or in circles, and removals out of the blue."""

from __future__ import annotations

import pytest

from flask_ms365 import Change
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, delta_of, first_page, on_sqlite, page, removal, rows


def test_the_same_page_twice_is_stored_once(synced: Synced) -> None:
    """Fault 45, the same page twice."""
    ids = deliver(synced, 2)
    again = page(*({"id": one, "isRead": False} for one in ids), next_link=first_page(synced))
    synced.simulator.fail_next(delta_of(synced), 200, again)

    assert synced.sync().changes == {Change.CREATED: 2}
    assert synced.differences() == []


@on_sqlite
def test_a_message_that_two_pages_tell_differently_is_as_the_later_says(synced: Synced) -> None:
    """Fault 45, a message twice in a round."""
    (one,) = deliver(synced, 1)
    synced.sync()
    synced.mailbox.mark_read(one)
    stale = page({"id": one, "isRead": False}, next_link=first_page(synced))
    synced.simulator.fail_next(delta_of(synced), 200, stale)
    synced.sync()

    assert synced.differences() == []


@pytest.mark.parametrize("is_removed_first", [True, False])
def test_a_removal_of_what_is_there_does_not_count_in_any_order(synced: Synced, is_removed_first: bool) -> None:
    """Fault 45, the order of two pages."""
    (one,) = deliver(synced, 1)
    synced.sync()
    items = [removal(one), {"id": one, "isRead": False}]
    first, second = items if is_removed_first else reversed(items)
    for number, item in enumerate((first, second)):
        answer = page(item, next_link=f"{first_page(synced)}?{number}")
        synced.simulator.fail_next(delta_of(synced), 200, answer)
    synced.sync()

    assert rows(synced)["inbox 0"].removed_at is None
    assert synced.differences() == []
    assert synced.told == [("inbox 0", Change.CREATED)]


@on_sqlite
def test_a_page_with_both_links_or_none_ends_in_a_clear_error(synced: Synced) -> None:
    """Fault 45, a page that leads nowhere."""
    deliver(synced, 1)
    synced.simulator.fail_next(delta_of(synced), 200, page(), times=None)

    report = synced.run()
    assert (report.result, report.error_code) == (Result.UNAVAILABLE, "brokenPaging")


@on_sqlite
@pytest.mark.parametrize("length", [1, 2])
def test_links_in_a_circle_end_in_a_clear_error(synced: Synced, clock: Clock, length: int) -> None:
    """Fault 45, a loop of next links."""
    deliver(synced, 3)
    for number in range(600):
        link = f"{first_page(synced)}?$skiptoken={number % length}"
        synced.simulator.fail_next(delta_of(synced), 200, page(next_link=link))

    report = synced.run()
    assert (report.result, report.error_code) == (Result.UNAVAILABLE, "brokenPaging")
    assert synced.simulator.count("GET", "/messages/delta") < 100

    synced.simulator.stop_failing()
    clock.advance(hours=2)
    synced.sync()
    assert synced.differences() == []


def test_a_message_that_came_changed_and_went_between_two_runs_was_never_there(synced: Synced) -> None:
    """Fault 47, all within one window."""
    synced.sync()
    one = synced.mailbox.deliver(subject="Short-lived", text="x")
    synced.mailbox.update(one, subject="Short-lived, corrected")
    synced.mailbox.mark_read(one)
    synced.mailbox.delete(one)

    assert synced.sync().changes == {}
    assert rows(synced) == {}
    assert synced.told == []


def test_a_removal_of_what_nobody_knows_is_nothing(synced: Synced) -> None:
    """Fault 47, ``@removed`` for an unknown id, in the first round and in a later one."""
    stranger = synced.mailbox.deliver(subject="Stranger", text="x")
    synced.mailbox.delete(stranger)
    deliver(synced, 1)
    for _ in range(2):
        synced.simulator.fail_next(delta_of(synced), 200, page(removal(stranger), next_link=first_page(synced)))
        synced.sync()

    assert synced.told == [("inbox 0", Change.CREATED)]
    assert synced.differences() == []


@on_sqlite
def test_a_message_that_a_delta_tells_late_is_stored_then(synced: Synced) -> None:
    """Fault 47, a change that is only in a later round."""
    synced.sync()
    with synced.mailbox.lagging():
        synced.mailbox.deliver(subject="Late", text="x")
        assert synced.sync().changes == {}

    assert synced.sync().changes == {Change.CREATED: 1}
    assert synced.differences() == []
