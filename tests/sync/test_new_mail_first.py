"""A first reading may take days: mail that comes meanwhile is stored before the history goes on."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest

from flask_ms365 import Change
from flask_ms365.models import Message
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import delta_of, folder_of, in_mid_sync, refusal, set_aside

CREATED = Change.CREATED


def deliver(synced: Synced, subject: str, *, days_ago: float = 0) -> str:
    received_at = datetime.now(timezone.utc) - timedelta(days=days_ago)
    return synced.mailbox.deliver(subject=subject, text="x", received_at=received_at)


def deliver_history(synced: Synced, count: int) -> list[str]:
    """Deliver old mail, the oldest first; return the subjects in the order in which they are read, two a page."""
    synced.mailbox.max_page_size = 2
    subjects = [f"History {number}" for number in range(count)]
    for age, subject in reversed(list(enumerate(subjects, start=1))):
        deliver(synced, subject, days_ago=age)
    return subjects


class Stop:
    """Shuts the worker down after the page that tells of a message."""

    def __init__(self, synced: Synced) -> None:
        self._stopping = threading.Event()
        self._synced = synced
        self.subject = ""
        synced.host.app.extensions["ms365.state"].runner.is_stopping = self._stopping.is_set

        @synced.host.ms365.on_message
        def stop(message: Message, change: Change) -> None:
            if message.subject == self.subject:
                self._stopping.set()

    def after(self, subject: str) -> None:
        """Sync until the page with this message is stored."""
        self.subject = subject
        assert self._synced.run().result is Result.STOPPED
        self.subject = ""
        self._stopping.clear()


@pytest.fixture
def stop(synced: Synced) -> Stop:
    return Stop(synced)


def created(synced: Synced) -> list[str | None]:
    """Return what was told as created, in its order."""
    assert {change for _, change in synced.told} == {CREATED}
    return [subject for subject, _ in synced.told]


def looks_for_new_mail(synced: Synced) -> int:
    """Return how often a delta for new mail alone was begun."""
    return sum("/messages/delta" in record.path and "$filter" in record.query for record in synced.simulator.requests)


def test_the_newest_mail_is_read_first(synced: Synced) -> None:
    for days_ago in (3, 1, 4, 2):
        deliver(synced, f"{days_ago}", days_ago=days_ago)
    synced.mailbox.max_page_size = 1
    synced.sync()

    assert created(synced) == ["1", "2", "3", "4"]
    newest_first = urlencode({"$orderby": "receivedDateTime desc"}, safe="$")
    assert newest_first in next(r.query for r in synced.simulator.requests if "/messages/delta" in r.path)


def test_new_mail_comes_before_a_history_that_was_stopped_goes_on(synced: Synced, stop: Stop) -> None:
    history = deliver_history(synced, 6)
    stop.after("History 1")
    deliver(synced, "New")
    synced.sync()

    assert created(synced) == [*history[:2], "New", *history[2:]]
    assert synced.differences() == []


def test_new_mail_is_not_told_again_once_the_history_is_read(synced: Synced, stop: Stop) -> None:
    history = deliver_history(synced, 6)
    stop.after("History 1")
    deliver(synced, "New")
    synced.sync()
    synced.sync()

    assert sorted(subject or "" for subject in created(synced)) == [*history, "New"]


def test_the_look_for_new_mail_goes_on_where_it_was(synced: Synced, stop: Stop) -> None:
    history = deliver_history(synced, 8)
    stop.after("History 1")
    deliver(synced, "New")
    stop.after("History 3")
    assert folder_of(synced, "Inbox").fresh_link is not None
    deliver(synced, "Newer")
    synced.sync()

    assert created(synced) == [*history[:2], "New", *history[2:4], "Newer", *history[4:]]
    assert looks_for_new_mail(synced) == 1


def test_at_the_end_of_the_history_nothing_is_left_of_the_look_for_new_mail(synced: Synced, stop: Stop) -> None:
    deliver_history(synced, 6)
    stop.after("History 1")
    deliver(synced, "New")
    synced.sync()
    assert folder_of(synced, "Inbox").fresh_link is None

    synced.simulator.requests.clear()
    deliver(synced, "Newer")
    synced.sync()
    assert created(synced)[-1] == "Newer"
    assert looks_for_new_mail(synced) == 0


def test_mail_that_the_history_tells_as_well_is_stored_once(synced: Synced, stop: Stop) -> None:
    synced.mailbox.max_page_size = 1
    for minutes in (30, 20, 10):  # all of it within the hour that the look goes back, as clocks differ
        deliver(synced, f"{minutes} minutes ago", days_ago=minutes / 1440)
    stop.after("10 minutes ago")
    synced.sync()

    assert created(synced) == ["10 minutes ago", "20 minutes ago", "30 minutes ago"]
    assert synced.differences() == []


def test_what_is_stored_of_it_is_not_asked_for_once_more(synced: Synced, stop: Stop) -> None:
    synced.mailbox.max_page_size = 2
    for minutes in range(10, 50, 10):  # the look has no bodies in its pages, and goes back an hour
        deliver(synced, f"{minutes} minutes ago", days_ago=minutes / 1440)
    stop.after("10 minutes ago")
    synced.simulator.requests.clear()
    stop.after("30 minutes ago")

    assert synced.simulator.count("POST", "/$batch") == 1


def test_new_mail_that_changes_and_goes_while_the_history_is_read_is_followed(synced: Synced, stop: Stop) -> None:
    deliver_history(synced, 8)
    stop.after("History 1")
    read, gone, moved = (deliver(synced, subject) for subject in ("Read", "Gone", "Moved"))
    stop.after("History 3")
    synced.mailbox.mark_read(read, True)
    synced.mailbox.delete(gone)
    synced.mailbox.move(moved, "archive")
    stop.after("History 5")
    assert "Gone" not in synced.subjects()
    synced.sync()

    assert synced.differences() == []


def test_a_new_message_that_cannot_be_read_is_in_nobody_s_way(synced: Synced, stop: Stop) -> None:
    """Fault 52, a message that breaks every page which tells bodies."""
    history = deliver_history(synced, 6)
    stop.after("History 1")
    corrupt, _ = deliver(synced, "Corrupt"), deliver(synced, "New")
    synced.mailbox.fail_message(corrupt, in_pages=True)
    synced.sync()

    assert created(synced) == [*history[:2], "New", *history[2:]]
    assert set(set_aside(synced)) == {corrupt}


@pytest.mark.parametrize("status", [410, 404, 400])
def test_a_dead_cursor_of_the_look_is_harmless(synced: Synced, stop: Stop, status: int) -> None:
    history = deliver_history(synced, 8)
    stop.after("History 1")
    deliver(synced, "New")
    stop.after("History 3")
    # the look is the first to ask about the folder
    synced.simulator.fail_next(delta_of(synced), status, refusal("syncStateNotFound"))
    deliver(synced, "Newer")
    synced.sync()
    synced.sync()

    assert sorted(subject or "" for subject in created(synced)) == [*history, "New", "Newer"]
    assert folder_of(synced, "Inbox").round == 1  # the history was not read again


def test_in_a_long_run_new_mail_is_looked_for_every_minute(synced: Synced, clock: Clock) -> None:
    history = deliver_history(synced, 6)

    def a_minute_later() -> None:
        clock.advance(minutes=1, seconds=1)
        deliver(synced, "New")

    in_mid_sync(synced, a_minute_later, at=3)
    synced.sync()

    assert created(synced) == [*history[:4], "New", *history[4:]]


def test_in_a_long_run_new_mail_is_not_looked_for_at_every_page(synced: Synced) -> None:
    deliver_history(synced, 6)
    in_mid_sync(synced, lambda: deliver(synced, "New"), at=3)
    synced.sync()

    assert looks_for_new_mail(synced) == 0


def test_folders_that_were_read_to_their_end_are_not_looked_at_twice(synced: Synced, clock: Clock) -> None:
    synced.sync()
    in_mid_sync(synced, lambda: clock.advance(minutes=2))
    deliver(synced, "New")
    synced.simulator.requests.clear()
    synced.sync()

    assert looks_for_new_mail(synced) == 0
