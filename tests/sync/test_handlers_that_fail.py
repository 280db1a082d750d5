"""A handler of the host that fails over one message again and again keeps no other message from being stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, update

from flask_ms365 import Change
from flask_ms365.models import Attachment, Mailbox, Message, SetAside, write_transaction
from flask_ms365.signals import message_synced
from flask_ms365.sync.report import Result, RunReport
from flask_ms365.sync.writer import HANDLER_FAILED
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import set_aside

CREATED, UPDATED, REMOVED = Change.CREATED, Change.UPDATED, Change.REMOVED

BAD, GOOD = "Bad", {"Good 0", "Good 1", "Good 2", "Good 3"}


class Handler:
    """A handler that fails over one message until it is mended."""

    def __init__(self, synced: Synced, fail: Callable[[Message], object]) -> None:
        self.is_broken = True
        self._synced = synced
        # what was told and committed: what a handler saw may have been rolled back
        self.told: list[tuple[str | None, Change]] = []

        @synced.host.ms365.on_message
        def handle(message: Message, change: Change) -> None:
            if self.is_broken and message.subject == BAD:
                fail(message)

    def note(self, sender: Any, message_id: int, change: Change) -> None:
        message = self._synced.session.get(Message, message_id)
        self.told.append((message.subject, change))


def raise_an_error(message: Message) -> None:
    raise LookupError(message.id)


def _refused_row(synced: Synced) -> Callable[[Message], object]:
    """Return how a handler leaves a row with the session that the database refuses once it is written."""
    return lambda message: synced.session.add(Attachment(message_id=message.id, graph_id="a"))


@pytest.fixture(params=["raises", "refused row"])
def handler(request: pytest.FixtureRequest, synced: Synced) -> Iterator[Handler]:
    result = Handler(synced, raise_an_error if request.param == "raises" else _refused_row(synced))
    with message_synced.connected_to(result.note, sender=synced.host.app):
        yield result


def deliver(synced: Synced) -> str:
    """Deliver the message that a handler fails over among others; return its id."""
    ids = [synced.mailbox.deliver(subject=subject, text="x") for subject in ("Good 0", "Good 1", BAD, "Good 2")]
    synced.mailbox.deliver(subject="Good 3", text="x", folder="archive")
    return ids[2]


def run(synced: Synced, clock: Clock) -> RunReport:
    """Sync once the mailbox has waited for what failed before: by the clock of the database, which nobody moves."""
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Mailbox).values(next_due_at=datetime.now(timezone.utc) - timedelta(minutes=1)))
    clock.advance(minutes=3)
    return synced.run()


def run_until_set_aside(synced: Synced, clock: Clock) -> None:
    results = [run(synced, clock).result for _ in range(3)]
    assert results == [Result.FAILED, Result.FAILED, Result.DONE]


def subjects(synced: Synced) -> set[str]:
    return set(synced.subjects())


def attempts(synced: Synced) -> int:
    with synced.host.app.app_context():
        return int(synced.session.scalars(select(SetAside.attempts)).one())


def test_two_runs_fail_and_store_nothing_of_the_page(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)

    assert [run(synced, clock).result for _ in range(2)] == [Result.FAILED, Result.FAILED]
    assert subjects(synced) <= {"Good 3"}  # which is in another folder
    assert set_aside(synced) == {}


def test_the_third_run_sets_the_message_aside_and_stores_all_others(
    synced: Synced, clock: Clock, handler: Handler
) -> None:
    bad = deliver(synced)
    run_until_set_aside(synced, clock)

    assert subjects(synced) == GOOD
    assert set_aside(synced) == {bad: HANDLER_FAILED}


def test_the_report_counts_what_was_set_aside(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    for _ in range(2):
        run(synced, clock)
    report = run(synced, clock)

    assert (report.set_aside, report.error) == (1, "")


def test_nobody_is_told_of_a_message_that_was_set_aside(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)

    assert sorted(handler.told) == sorted((subject, CREATED) for subject in GOOD)


def test_what_follows_is_stored_in_the_usual_way(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)
    synced.mailbox.deliver(subject="Later", text="x")

    assert run(synced, clock).changes == {CREATED: 1}
    assert subjects(synced) == GOOD | {"Later"}


def test_it_is_stored_within_an_hour_once_the_handler_works(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)
    handler.is_broken = False
    clock.advance(hours=1)
    assert run(synced, clock).result is Result.DONE

    assert subjects(synced) == GOOD | {BAD}
    assert set_aside(synced) == {}
    assert handler.told.count((BAD, CREATED)) == 1
    assert synced.differences() == []


def test_it_is_not_tried_again_at_every_run(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)
    handler.is_broken = False
    run(synced, clock)

    assert BAD not in subjects(synced)


def test_a_retry_that_fails_again_fails_no_run(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)
    synced.mailbox.deliver(subject="Later", text="x")
    clock.advance(hours=1)

    assert run(synced, clock).result is Result.DONE
    assert subjects(synced) == GOOD | {"Later"}
    assert attempts(synced) == 2


def test_it_waits_longer_with_each_attempt(synced: Synced, clock: Clock, handler: Handler) -> None:
    deliver(synced)
    run_until_set_aside(synced, clock)
    for _ in range(2):  # the second of these hours is too early
        clock.advance(hours=1)
        run(synced, clock)

    assert attempts(synced) == 2


def test_a_change_to_it_is_tried_at_once(synced: Synced, clock: Clock, handler: Handler) -> None:
    bad = deliver(synced)
    run_until_set_aside(synced, clock)
    synced.mailbox.update(bad, subject="Mended")
    run(synced, clock)

    assert subjects(synced) == GOOD | {"Mended"}
    assert set_aside(synced) == {}


def test_a_change_that_a_handler_fails_over_leaves_the_row_as_it_was(
    synced: Synced, clock: Clock, handler: Handler
) -> None:
    handler.is_broken = False
    bad = deliver(synced)
    synced.sync()
    handler.is_broken = True
    synced.mailbox.mark_read(bad)
    synced.mailbox.deliver(subject="Later", text="x")
    run_until_set_aside(synced, clock)

    assert subjects(synced) == GOOD | {BAD, "Later"}
    assert set_aside(synced) == {bad: HANDLER_FAILED}

    handler.is_broken = False
    clock.advance(hours=1)
    run(synced, clock)
    assert handler.told.count((BAD, UPDATED)) == 1
    assert synced.differences() == []


def test_an_end_that_a_handler_fails_over_is_told_once_it_works(synced: Synced, clock: Clock, handler: Handler) -> None:
    handler.is_broken = False
    bad = deliver(synced)
    synced.sync()
    handler.is_broken = True
    synced.mailbox.delete(bad)
    synced.mailbox.deliver(subject="Later", text="x")
    run_until_set_aside(synced, clock)
    assert "Later" in subjects(synced)
    assert set_aside(synced) == {bad: HANDLER_FAILED}

    handler.is_broken = False
    clock.advance(hours=1)
    run(synced, clock)
    assert handler.told.count((BAD, REMOVED)) == 1
    assert synced.differences() == []


@pytest.mark.parametrize("times", [1, 2])
def test_a_failure_that_passes_sets_nothing_aside(synced: Synced, clock: Clock, handler: Handler, times: int) -> None:
    deliver(synced)
    for _ in range(times):
        assert run(synced, clock).result is Result.FAILED
    handler.is_broken = False
    assert run(synced, clock).result is Result.DONE

    assert set_aside(synced) == {}
    assert sorted(handler.told) == sorted((subject, CREATED) for subject in GOOD | {BAD})
    with synced.host.app.app_context():
        assert synced.session.scalars(select(Mailbox.fail_count)).one() == 0


def test_a_handler_that_fails_over_many_messages_costs_a_page_no_more_than_two_attempts(
    synced: Synced, clock: Clock
) -> None:
    calls = []

    @synced.host.ms365.on_message
    def fail(message: Message, change: Change) -> None:
        calls.append(message.id)
        if message.subject not in GOOD:
            raise LookupError

    synced.mailbox.deliver_many(100, body_size=100)
    deliver(synced)
    run_until_set_aside(synced, clock)

    assert len(set_aside(synced)) == 101
    assert subjects(synced) == GOOD
    assert len(calls) <= 5 + 5 + 105 + 4


def test_a_handler_that_fails_over_all_messages_is_to_blame_and_not_they(synced: Synced, clock: Clock) -> None:
    is_broken = True

    @synced.host.ms365.on_message
    def fail(message: Message, change: Change) -> None:
        if is_broken:
            raise LookupError

    synced.mailbox.deliver_many(100, body_size=100)
    assert [run(synced, clock).result for _ in range(4)] == [Result.FAILED] * 4
    assert set_aside(synced) == {}

    is_broken = False
    assert run(synced, clock).result is Result.DONE
    assert synced.differences() == []


def test_all_that_was_set_aside_is_stored_once_the_handler_works(synced: Synced, clock: Clock) -> None:
    is_broken = True

    @synced.host.ms365.on_message
    def fail(message: Message, change: Change) -> None:
        if is_broken and message.subject not in GOOD:
            raise LookupError

    synced.mailbox.deliver_many(100, body_size=100)
    deliver(synced)
    run_until_set_aside(synced, clock)
    clock.advance(hours=1)
    assert run(synced, clock).result is Result.DONE  # although all that is tried again fails again

    is_broken = False
    clock.advance(hours=2)
    run(synced, clock)
    assert set_aside(synced) == {}
    assert synced.differences() == []
