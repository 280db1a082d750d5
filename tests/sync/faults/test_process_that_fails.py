"""A process that fails sets its own message aside, under its name; the mailbox goes on, and the retry calls it once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_ms365.mailboxes.set_aside import reason
from flask_ms365.models import Attachment, Message
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.desk import TICKET, Desk, tickets_in
from tests.sync.faults.conftest import set_aside

CODE = f"process:{TICKET}"


@pytest.fixture
def desk(synced: Synced) -> Iterator[Desk]:
    with tickets_in(synced):
        desk = Desk(synced)
        desk.choose()
        yield desk


def run_until_set_aside(desk: Desk, clock: Clock) -> None:
    results = []
    for _ in range(3):
        clock.advance(minutes=3)
        results.append(desk.run().result)
    assert results == [Result.FAILED, Result.FAILED, Result.DONE]


def test_the_message_alone_is_set_aside_and_says_which_process_it_was(synced: Synced, desk: Desk, clock: Clock) -> None:
    desk.broken_over = {"Bad"}
    ids = [desk.deliver(subject) for subject in ("Good", "Bad", "Also good")]
    run_until_set_aside(desk, clock)
    assert set_aside(synced) == {ids[1]: CODE}
    assert (set(synced.subjects()), desk.tickets()) == ({"Good", "Also good"}, ["Also good", "Good"])


def test_until_then_the_mailbox_says_which_process_and_what(synced: Synced, desk: Desk) -> None:
    desk.broken_over = {"Bad"}
    desk.deliver("Bad")
    assert desk.run().error == ("LookupError in the process Create ticket while storing mail; the log has the details.")


def test_the_reason_names_the_process() -> None:
    assert reason(CODE) == "The process Create ticket failed over it. The log has the details."


def test_what_follows_is_processed(synced: Synced, desk: Desk, clock: Clock) -> None:
    desk.broken_over = {"Bad"}
    desk.deliver("Bad")
    run_until_set_aside(desk, clock)
    desk.deliver("Good")
    clock.advance(minutes=3)
    assert desk.run().result is Result.DONE
    assert desk.tickets() == ["Good"]


def test_once_it_is_mended_the_retry_calls_it_once(synced: Synced, desk: Desk, clock: Clock) -> None:
    """Weaknesses 26 and 28: what failed counted as done, and was neither tried again nor listed."""
    desk.broken_over = {"Bad"}
    desk.deliver("Bad")
    run_until_set_aside(desk, clock)
    desk.broken_over = set()
    for _ in range(3):
        clock.advance(hours=2)
        assert desk.run().result is Result.DONE
    assert (set(synced.subjects()), desk.tickets(), set_aside(synced)) == ({"Bad"}, ["Bad"], {})


def test_a_process_that_fails_over_all_mail_does_not_stop_the_mailbox(synced: Synced, desk: Desk, clock: Clock) -> None:
    numbers = range(15)
    desk.broken_over = {f"Bad {number}" for number in numbers}
    desk.deliver_old("Old")
    for number in numbers:
        desk.deliver(f"Bad {number}")
    run_until_set_aside(desk, clock)
    assert set(set_aside(synced).values()) == {CODE}
    desk.broken_over = set()
    clock.advance(hours=2)
    assert desk.run().result is Result.DONE
    assert len(desk.tickets()) == len(numbers)


def test_a_reply_takes_the_place_of_a_first_message_that_was_set_aside(
    synced: Synced, desk: Desk, clock: Clock
) -> None:
    desk.broken_over = {"Bad"}
    desk.deliver("Bad", thread="t")
    run_until_set_aside(desk, clock)
    desk.deliver("Re: Bad", thread="t")
    clock.advance(minutes=3)
    desk.run()
    desk.broken_over = set()
    clock.advance(hours=2)
    desk.run()
    assert (set(synced.subjects()), desk.tickets()) == ({"Bad", "Re: Bad"}, ["Re: Bad"])


def test_a_row_that_the_database_refuses_is_the_processs_fault(synced: Synced, desk: Desk, clock: Clock) -> None:
    @synced.host.ms365.process("Refused")
    def leave_a_row_in_part(message: Message, options: object) -> None:
        synced.session.add(Attachment(message_id=message.id, graph_id="a"))

    desk.choose("Refused")
    one = desk.deliver("Bad")
    run_until_set_aside(desk, clock)
    assert set_aside(synced) == {one: "process:Refused"}


@pytest.mark.parametrize("verb", ["commit", "rollback"])
def test_a_process_that_ends_the_transaction_loses_nothing(synced: Synced, desk: Desk, clock: Clock, verb: str) -> None:
    @synced.host.ms365.process("Ends it")
    def end_the_transaction(message: Message, options: object) -> None:
        if message.subject == "Bad":
            getattr(synced.session, verb)()

    desk.choose("Ends it")
    bad = desk.deliver("Bad")
    for number in range(3):
        desk.deliver(f"Good {number}")
    run_until_set_aside(desk, clock)
    assert set_aside(synced) == {bad: "process:Ends it"}
    assert (set(synced.subjects()), desk.processed()) == ({"Good 0", "Good 1", "Good 2"}, 3)


def test_a_savepoint_of_its_own_is_its_own(synced: Synced, desk: Desk) -> None:
    @synced.host.ms365.process("With a savepoint")
    def try_something(message: Message, options: object) -> None:
        with synced.session.begin_nested():
            pass
        nested = synced.session.begin_nested()
        nested.rollback()

    desk.choose("With a savepoint")
    desk.deliver("Good")
    assert synced.sync().result is Result.DONE
    assert desk.processed() == 1
