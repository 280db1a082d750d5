"""A page has as many messages as Graph manages; where not even one gets through, bodies are read apart."""

from __future__ import annotations

import re
import threading

import pytest
from sqlalchemy import update

from flask_ms365 import Change
from flask_ms365.models import Folder, Message, write_transaction
from flask_ms365.models.mail import PAGE_SIZE
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import delta_of, folder_of, on_sqlite, set_aside

pytestmark = on_sqlite

_SIZE = re.compile(r"odata\.maxpagesize=(\d+)")


def sizes(synced: Synced) -> list[int]:
    """Return the size of each page of the inbox that was asked for."""
    pattern = re.compile(delta_of(synced))
    preferences = [record.headers["prefer"] for record in synced.simulator.requests if pattern.search(record.path)]
    return [int(found[1]) for found in map(_SIZE.search, preferences) if found]


def steps(numbers: list[int]) -> list[int]:
    """Return the numbers without repetitions."""
    return [number for index, number in enumerate(numbers) if index == 0 or number != numbers[index - 1]]


def begin_with(synced: Synced, page_size: int) -> None:
    """Read the empty inbox, and let its pages be of that size from then on."""
    synced.sync()
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Folder).where(Folder.name == "Inbox").values(page_size=page_size))
    synced.simulator.requests.clear()


def deliver_large(synced: Synced, count: int = 60) -> None:
    """Deliver messages of which Graph can tell some twenty-five at a time."""
    synced.mailbox.deliver_many(count, body_size=8_000)
    synced.mailbox.largest_answer = 300_000


# smaller


def test_pages_that_do_not_get_through_are_asked_for_in_halves(synced: Synced) -> None:
    deliver_large(synced)
    synced.sync()

    assert steps(sizes(synced)) == [200, 100, 50, 25]
    assert folder_of(synced, "Inbox").page_size == 25
    assert synced.differences() == []


def test_the_next_run_begins_with_the_size_that_got_through(synced: Synced) -> None:
    deliver_large(synced)
    stopping, runner = threading.Event(), synced.host.app.extensions["ms365.state"].runner
    runner.is_stopping = stopping.is_set

    @synced.host.ms365.on_message
    def stop(message: Message, change: Change) -> None:
        if len(synced.told) == 1:
            stopping.set()

    assert synced.run().result is Result.STOPPED
    stopping.clear()
    synced.simulator.requests.clear()
    synced.sync()

    assert steps(sizes(synced)) == [25]
    assert synced.differences() == []


@pytest.mark.parametrize("status", [429, 503, 504])
def test_who_is_told_how_long_to_wait_waits_and_asks_for_as_much(synced: Synced, clock: Clock, status: int) -> None:
    synced.mailbox.deliver(subject="One", text="x")
    synced.simulator.fail_next(delta_of(synced), status, headers={"Retry-After": "600"})
    assert synced.run().retry_after == 600
    clock.advance(minutes=11)
    synced.sync()

    assert set(sizes(synced)) == {PAGE_SIZE}


def test_a_trouble_that_has_nothing_to_do_with_size_leaves_it_as_it_is(synced: Synced, clock: Clock) -> None:
    synced.simulator.fail_next(delta_of(synced), 500, times=2)
    assert synced.run().result is Result.UNAVAILABLE
    clock.advance(minutes=2)
    synced.sync()

    assert set(sizes(synced)) == {PAGE_SIZE}


# larger


def test_after_five_good_pages_the_size_doubles(synced: Synced) -> None:
    begin_with(synced, 5)
    synced.mailbox.deliver_many(60, body_size=100)
    synced.sync()

    assert sizes(synced) == [5, 5, 5, 5, 5, 10, 10, 10, 10]
    assert folder_of(synced, "Inbox").page_size == 10


def test_no_page_is_larger_than_what_one_begins_with(synced: Synced) -> None:
    begin_with(synced, 150)
    synced.mailbox.max_page_size = 1  # Graph grants less than what is asked for
    synced.mailbox.deliver_many(11, body_size=100)
    synced.sync()

    assert sizes(synced) == [150] * 5 + [PAGE_SIZE] * 6


def test_a_size_that_fails_again_is_halved_again(synced: Synced) -> None:
    begin_with(synced, 25)
    deliver_large(synced, 160)
    synced.sync()

    assert steps(sizes(synced)) == [25, 50, 25]
    assert synced.differences() == []


# not even one


@pytest.mark.parametrize("status", [500, 504])
def test_a_message_that_breaks_every_page_turns_to_bodies_apart(synced: Synced, status: int) -> None:
    begin_with(synced, 2)
    ids = [synced.mailbox.deliver(subject=f"{number}", text="x") for number in range(5)]
    synced.mailbox.fail_message(ids[2], status, "ErrorCorruptData" if status == 500 else None, in_pages=True)
    synced.sync()

    assert folder_of(synced, "Inbox").bodies_apart
    assert set(synced.subjects()) == {"0", "1", "3", "4"}
    assert set(set_aside(synced)) == {ids[2]}


def test_nothing_is_missing_once_that_message_can_be_read(synced: Synced, clock: Clock) -> None:
    begin_with(synced, 2)
    broken, edited, _ = (synced.mailbox.deliver(subject=f"{n}", text=f"body {n}") for n in range(3))
    synced.mailbox.fail_message(broken, in_pages=True)
    synced.sync()
    synced.mailbox.heal_message(broken)
    synced.mailbox.deliver(subject="Later", text="its body")
    synced.mailbox.update(edited, subject="Edited")
    clock.advance(hours=2)
    synced.sync()

    assert synced.differences() == []


def test_a_service_that_is_away_for_long_costs_no_cursor(synced: Synced, clock: Clock) -> None:
    """Fault 49: that no page comes, however small, says nothing about a message while nothing else comes either."""
    begin_with(synced, 1)
    synced.mailbox.deliver(subject="One", text="x")
    before = folder_of(synced, "Inbox")
    # the list of folders was the last thing that Graph could tell
    synced.simulator.fail_next(r"/mailFolders(?!/delta$)", 503, times=None)
    assert synced.run().result is Result.UNAVAILABLE
    after = folder_of(synced, "Inbox")
    assert (after.round, after.delta_link, after.bodies_apart) == (before.round, before.delta_link, False)

    synced.simulator.stop_failing()
    clock.advance(minutes=2)
    assert synced.sync().changes == {Change.CREATED: 1}
