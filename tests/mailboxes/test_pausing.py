"""Pausing, resuming and hurrying a mailbox: what holds at once, and what is never lost by it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from flask_ms365 import Change
from flask_ms365.mailboxes.pausing import pause, resume, sync_now
from flask_ms365.models import Connection, Mailbox
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.lease import shared_now
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.mailboxes.choosing import mailbox_id, row, stored
from tests.mailboxes.conftest import change, deliver, disconnect, tick, while_it_waits
from tests.sync.conftest import Synced


def do(synced: Synced, action: Any, **given: Any) -> bool:
    """Pause, resume or hurry the mailbox as Ana."""
    with synced.host.app.app_context():
        state = synced.host.app.extensions["ms365.state"]
        return bool(action(synced.session, mailbox_id(synced.host), now=state.clock(), actor="ana", **given))


def is_due(synced: Synced) -> bool:
    """Tell whether the next tick takes the mailbox, by the clock that the database goes by."""
    due_at = row(synced.host).next_due_at
    with synced.host.app.app_context():
        return bool(due_at <= shared_now(synced.session, synced.host.app.extensions["ms365.state"].clock()))


# pause


def test_a_paused_mailbox_is_not_read_and_loses_nothing_once_it_is_resumed(synced: Synced) -> None:
    deliver(synced, 1)
    assert do(synced, pause)
    synced.mailbox.deliver(subject="Came meanwhile")
    tick(synced.host)
    assert (synced.run().result, stored(synced)) == (Result.RESTING, ["Message 0"])
    assert do(synced, resume)
    tick(synced.host)
    assert stored(synced) == ["Came meanwhile", "Message 0"]
    assert synced.told.count(("Message 0", Change.CREATED)) == 1


def test_a_sync_under_way_stores_nothing_more(synced: Synced) -> None:
    synced.mailbox.deliver(subject="Too late")
    with while_it_waits(synced) as running:
        do(synced, pause)
    assert (running.result().result, stored(synced), row(synced.host).state) == (Result.TAKEN, [], "paused")


def test_who_paused_it_and_when_is_kept_until_it_is_resumed(synced: Synced) -> None:
    do(synced, pause)
    paused = row(synced.host)
    assert (paused.paused_by, paused.paused_at is not None) == ("ana", True)
    do(synced, resume)
    assert (row(synced.host).paused_by, row(synced.host).paused_at) == (None, None)


def test_what_is_paused_cannot_be_paused_and_what_is_not_cannot_be_resumed(synced: Synced) -> None:
    assert not do(synced, resume)
    assert [do(synced, pause), do(synced, pause)] == [True, False]


@pytest.mark.parametrize("keep_mail", [True, False])
def test_a_disconnected_mailbox_is_neither(synced: Synced, keep_mail: bool) -> None:
    change(synced.host, Mailbox, state="disconnected" if keep_mail else "deleting")
    assert (do(synced, pause), do(synced, resume)) == (False, False)


def test_connecting_it_again_after_it_was_disconnected_reads_it(synced: Synced, ana: User) -> None:
    do(synced, pause)
    disconnect(synced.host, keep_mail=True)
    synced.host.visitor().connect(ana)
    assert (row(synced.host).state, row(synced.host).paused_at) == ("connected", None)


# a sign-in that is needed


def test_pausing_what_needs_a_sign_in_goes_on_saying_so(synced: Synced) -> None:
    change(synced.host, Mailbox, state="sign_in_needed", last_error="Microsoft ended it.")
    assert do(synced, pause)
    assert (row(synced.host).state, row(synced.host).last_error) == ("sign_in_needed", "Microsoft ended it.")


def test_what_was_paused_is_still_so_once_somebody_has_signed_in(synced: Synced, ana: User) -> None:
    change(synced.host, Mailbox, state="sign_in_needed")
    do(synced, pause)
    synced.host.visitor().connect(ana)
    assert row(synced.host).state == "paused"
    do(synced, resume)
    assert row(synced.host).state == "connected"


def test_resuming_what_needs_a_sign_in_leaves_it_so(synced: Synced) -> None:
    change(synced.host, Mailbox, state="sign_in_needed")
    do(synced, pause)
    assert do(synced, resume)
    assert (row(synced.host).state, row(synced.host).paused_at) == ("sign_in_needed", None)


def test_a_sign_in_that_ended_meanwhile_is_told_when_it_is_resumed(synced: Synced) -> None:
    do(synced, pause)
    change(synced.host, Connection, is_dead=True, error_text="The password was changed.", error_code="50173")
    do(synced, resume)
    told = row(synced.host)
    assert (told.state, told.last_error, told.last_error_code) == (
        "sign_in_needed",
        "The password was changed.",
        "50173",
    )


def test_one_that_ended_unknown_to_us_is_found_by_the_run(
    synced: Synced, simulator: Simulator, ana: User, clock: Clock
) -> None:
    do(synced, pause)
    simulator.revoke(ana)
    clock.advance(hours=2)
    do(synced, resume)
    tick(synced.host)
    assert row(synced.host).state == "sign_in_needed"


# read now


def test_reading_now_lets_the_next_tick_take_it(synced: Synced) -> None:
    synced.sync()
    synced.mailbox.deliver(subject="New")
    tick(synced.host)
    assert stored(synced) == []
    assert do(synced, sync_now)
    tick(synced.host)
    assert stored(synced) == ["New"]


def test_what_waits_after_a_failure_is_not_hurried_not_even_by_a_pause(synced: Synced, clock: Clock) -> None:
    synced.mailbox.throttle(retry_after=600)
    assert synced.run().result is Result.THROTTLED
    assert not do(synced, sync_now)
    do(synced, pause)
    do(synced, resume)
    assert not is_due(synced)


def test_nothing_is_hurried_that_waits_for_a_person(synced: Synced) -> None:
    do(synced, pause)
    assert not do(synced, sync_now)


def test_what_was_hurried_while_it_was_read_is_read_once_more(synced: Synced) -> None:
    """Whoever has it may have asked Microsoft before the mail was there that somebody wants to see."""
    with while_it_waits(synced):
        do(synced, sync_now)
    assert is_due(synced)
    tick(synced.host)
    assert not is_due(synced)


def test_so_is_what_was_hurried_while_it_was_looked_at(synced: Synced) -> None:
    synced.sync()
    do(synced, sync_now)
    with while_it_is_looked_at(synced):
        do(synced, sync_now)
    assert is_due(synced)


def test_a_run_by_hand_before_its_time_plans_the_next_one_as_ever(synced: Synced) -> None:
    synced.sync()
    synced.sync()
    assert not is_due(synced)


def test_what_is_due_keeps_its_place_in_the_queue(synced: Synced) -> None:
    before = row(synced.host).next_due_at
    do(synced, sync_now)
    assert row(synced.host).next_due_at == before


@contextmanager
def while_it_is_looked_at(synced: Synced) -> Iterator[None]:
    """Let a tick stand inside Microsoft Graph, looking, for the time of the block."""
    with ThreadPoolExecutor(1) as pool:
        with synced.mailbox.hold() as traffic:
            running = pool.submit(tick, synced.host)
            assert traffic.wait_for(1)
            yield
        running.result(timeout=30)
