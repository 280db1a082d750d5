"""No success for long is an alarm of its own: told once, by one of all processes, and over by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from flask_ms365 import signals
from flask_ms365.mailboxes.overdue import are_overdue, is_overdue, overdue_before
from flask_ms365.mailboxes.status import all_statuses
from flask_ms365.mailboxes.summary import summarise
from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host, HostFactory
from tests.sync.many import Many

Told = list[tuple[int, str]]


@pytest.fixture
def many(configured: Host, simulator: Simulator, clock: Clock) -> Many:
    return Many(host=configured, simulator=simulator, clock=clock)


@pytest.fixture
def told() -> Iterator[Told]:
    """Return the mailboxes that the host was told of, with the cause."""
    heard: Told = []

    def hear(_: object, mailbox_id: int, cause: str, last_success_at: object) -> None:
        heard.append((mailbox_id, cause))

    with signals.mailbox_overdue.connected_to(hear):
        yield heard


def change(many: Many, mailbox_id: int, **values: Any) -> None:
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(**values))


def tick_for(many: Many, minutes: int) -> None:
    """Tick every five minutes, as one does who is not silent."""
    for _ in range(minutes // 5):
        many.clock.advance(minutes=5)
        many.tick()


@pytest.fixture
def failing(many: Many) -> Many:
    """Return a mailbox that has just failed, and is not tried again for hours."""
    many.add(1)
    many.tick()
    change(many, 1, fail_count=3, last_result="throttled", next_due_at=many.clock() + timedelta(days=2))
    return many


def test_it_is_told_once_after_half_an_hour(failing: Many, told: Told) -> None:
    tick_for(failing, 25)
    assert told == []
    tick_for(failing, 60)
    assert told == [(1, "throttled")]


def test_of_two_processes_one_tells(failing: Many, told: Told, make_host: HostFactory) -> None:
    other = make_host(MS365_ENCRYPTION_KEYS=failing.host.app.config["MS365_ENCRYPTION_KEYS"])
    tick_for(failing, 30)
    failing.clock.advance(minutes=5)
    for host in (other, failing.host, other):
        with host.app.app_context():
            host.ms365.tick()
    assert told == [(1, "throttled")]


def test_it_is_over_after_a_success_and_may_come_again(failing: Many, told: Told) -> None:
    tick_for(failing, 40)
    change(failing, 1, fail_count=0, last_success_at=failing.clock())
    tick_for(failing, 20)
    change(failing, 1, fail_count=1, last_result="unavailable", next_due_at=failing.clock() + timedelta(hours=6))
    tick_for(failing, 30)
    assert told == [(1, "throttled"), (1, "unavailable")]


@pytest.mark.parametrize(("cause", "again"), [("app_refused", [(1, "app_refused")]), ("unavailable", [])])
def test_it_is_told_again_only_where_it_needs_a_person_now(failing: Many, told: Told, cause: str, again: Told) -> None:
    tick_for(failing, 40)
    change(failing, 1, last_result=cause)
    tick_for(failing, 10)
    assert told == [(1, "throttled"), *again]


def test_a_first_reading_that_stores_pages_is_not_overdue(failing: Many, told: Told) -> None:
    change(failing, 1, last_success_at=None, fail_count=1)
    for _ in range(12):
        change(failing, 1, quota_at=failing.clock())
        tick_for(failing, 5)
    assert told == []


def test_after_a_night_without_ticks_mailboxes_get_their_time_first(failing: Many, told: Told) -> None:
    failing.clock.advance(hours=10)
    failing.tick()
    assert told == []
    tick_for(failing, 35)
    assert (1, "throttled") in told


def test_a_mailbox_that_nobody_tries_is_overdue(many: Many, told: Told) -> None:
    many.add(1)
    change(many, 1, lease_owner="a worker that hangs", lease_expires_at=many.clock() + timedelta(days=1))
    tick_for(many, 40)
    assert told == [(1, "")]


def test_a_sync_that_was_just_switched_on_has_time(failing: Many, told: Told) -> None:
    for value in ("0", "1"):
        failing.clock.advance(hours=1)
        failing.tick()
        with failing.host.app.app_context():
            failing.host.ms365.settings.save({"email_sync": value})
    tick_for(failing, 25)
    assert told == []


@pytest.mark.parametrize("state", ["paused", "sign_in_needed", "disconnected"])
def test_what_waits_for_a_person_is_told_by_its_own_signal(failing: Many, told: Told, state: str) -> None:
    change(failing, 1, state=state)
    tick_for(failing, 60)
    assert told == []


def test_database_status_and_summary_agree(failing: Many) -> None:
    failing.clock.advance(minutes=31)
    host, now = failing.host, failing.clock()
    with host.app.app_context():
        settings, session = host.ms365.settings.read(), failing.session
        limit = overdue_before(settings, now)
        by_database = set(session.scalars(select(Mailbox.id).where(are_overdue(limit))))
        by_row = {row.id for row in session.scalars(select(Mailbox)) if is_overdue(row, limit)}
        by_status = {each.id for each in all_statuses(session, settings=settings, now=now) if each.is_overdue}
        summary = summarise(session, now=now, limit=limit)
    assert by_database == by_row == by_status == {1}
    assert (dict(summary.overdue)["waiting"], summary.stalled, summary.need_a_person) == (1, 1, 1)


def test_page_and_command_say_so(failing: Many) -> None:
    failing.clock.advance(minutes=31)
    assert "No success for long" in failing.host.visitor().get("/ms365/mailboxes/1").text
    result = failing.host.app.test_cli_runner().invoke(args=["ms365", "status"])
    assert ("No success for long." in result.output, result.exit_code) == (True, 1)


def test_what_is_locked_stays_as_it_is(failing: Many, told: Told, make_host: HostFactory) -> None:
    tick_for(failing, 25)
    failing.clock.advance(minutes=10)
    other = make_host()  # with another key
    with other.app.app_context():
        other.ms365.tick()
    assert told == []


def test_a_healthy_tick_asks_for_it_with_one_statement(many: Many) -> None:
    many.add(1)
    change(many, 1, next_due_at=many.clock() + timedelta(days=2))
    tick_for(many, 40)
    with many.statements() as statements:
        many.tick()
    assert sum("overdue_at" in statement for statement in statements) == 1
