"""The list of mailboxes as the database tells it: worst first, a page at a time, and the days of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from flask_ms365.mailboxes.charts import Days, messages_a_day
from flask_ms365.mailboxes.listing import NEEDS_YOU, OVERDUE, PAGE, STATES, Place, Wanted, list_mailboxes
from flask_ms365.mailboxes.status import state_of
from flask_ms365.models import Folder, Mailbox, Message, write_transaction
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import waiting_mailbox

LONG_AGO = timedelta(days=9)
# state -> what makes a mailbox so, from the time that it is now
COLUMNS: dict[str, Callable[[datetime], dict[str, Any]]] = {
    "up_to_date": lambda now: {},
    "disconnected": lambda now: {"state": "disconnected"},
    "never_synced": lambda now: {"last_success_at": None},
    "deleting": lambda now: {"state": "deleting"},
    "paused": lambda now: {"state": "paused"},
    "syncing": lambda now: {"lease_owner": "a", "lease_expires_at": now + timedelta(minutes=5)},
    "waiting": lambda now: {"fail_count": 1, "last_result": "throttled"},
    OVERDUE: lambda now: {"last_success_at": now - LONG_AGO, "fail_count": 1, "last_result": "unavailable"},
    "delete_failed": lambda now: {"state": "deleting", "fail_count": 1},
    "failed": lambda now: {"fail_count": 1, "last_result": "failed"},
    "sign_in_needed": lambda now: {"state": "sign_in_needed"},
}


def add(host: Host, clock: Clock, state: str = "up_to_date", **columns: Any) -> int:
    """Add a mailbox in a state of :data:`COLUMNS`; return its id."""
    given = {"address": f"{state}@contoso.example", "created_at": clock() - LONG_AGO, **COLUMNS[state](clock())}
    created_at = {"created_at": given.pop("created_at")}
    waiting = waiting_mailbox(host, clock, **(given | columns))
    waiting.change(**created_at)
    return waiting.mailbox_id


def found(host: Host, clock: Clock, wanted: Wanted | None = None, **place: Place) -> list[Any]:
    with host.app.app_context():
        state = host.app.extensions["ms365.state"]
        return list(
            list_mailboxes(
                state.session, wanted or Wanted(), settings=state.settings.read(), now=clock(), **place
            ).mailboxes
        )


@pytest.fixture
def one_of_each(configured: Host, clock: Clock) -> Host:
    """Return a host with a mailbox in each state, added from best to worst; the sync has been on for long."""
    clock.advance(days=20)
    for state in COLUMNS:
        add(configured, clock, state)
    return configured


def test_the_worst_comes_first(one_of_each: Host, clock: Clock) -> None:
    states = [row.address.partition("@")[0] for row in found(one_of_each, clock)]
    assert states == [state for state in STATES if state != "off"]


def test_the_database_says_the_same_as_the_page_of_each(one_of_each: Host, clock: Clock) -> None:
    rows = found(one_of_each, clock)
    with one_of_each.app.app_context():
        session = one_of_each.app.extensions["ms365.state"].session
        assert [row.state for row in rows] == [
            state_of(session.get_one(Mailbox, row.id), is_on=True, now=clock()) for row in rows
        ]


def test_whoever_waits_for_a_sign_in_comes_before_one_that_is_overdue(one_of_each: Host, clock: Clock) -> None:
    """A state that is known to be bad is told, not how long it has lasted."""
    overdue = [row.address.partition("@")[0] for row in found(one_of_each, clock, Wanted(state=OVERDUE))]
    assert overdue == [OVERDUE]


def test_while_the_sync_is_off_nothing_waits_and_nothing_is_overdue(one_of_each: Host, clock: Clock) -> None:
    with one_of_each.app.app_context():
        one_of_each.ms365.settings.save({"email_sync": "0"}, actor="ana")
    states = {row.state for row in found(one_of_each, clock)}
    assert states == {"sign_in_needed", "delete_failed", "paused", "off", "deleting", "disconnected"}


@pytest.mark.parametrize("state", [state for state in STATES if state != "off"])
def test_a_state_can_be_asked_for(one_of_each: Host, clock: Clock, state: str) -> None:
    assert [row.address for row in found(one_of_each, clock, Wanted(state=state))] == [f"{state}@contoso.example"]


def test_all_that_needs_a_person_can_be_asked_for_at_once(one_of_each: Host, clock: Clock) -> None:
    rows = found(one_of_each, clock, Wanted(state=NEEDS_YOU))
    assert [row.address.partition("@")[0] for row in rows] == ["sign_in_needed", "failed", "delete_failed", OVERDUE]


@pytest.mark.parametrize(
    ("wanted", "addresses"),
    [
        (Wanted(text="SALES"), ["sales@contoso.example"]),
        (Wanted(text="help desk"), ["support@contoso.example"]),
        (Wanted(text="%"), []),
        (Wanted(text="Ana Ruiz", owners=["ana"]), ["a.ruiz@contoso.example"]),
        (Wanted(text="nobody"), []),
    ],
)
def test_a_mailbox_is_found_by_address_name_or_owner(
    host: Host, clock: Clock, wanted: Wanted, addresses: list[str]
) -> None:
    add(host, clock, address="sales@contoso.example")
    add(host, clock, address="support@contoso.example", label="Help desk")
    add(host, clock, address="a.ruiz@contoso.example", kind="user", owner_id="ana")
    assert [row.address for row in found(host, clock, wanted)] == addresses


def test_pages_lead_from_the_worst_to_the_best_and_back(host: Host, clock: Clock) -> None:
    with host.app.app_context():
        session, now = host.app.extensions["ms365.state"].session, clock()
        with write_transaction(session):
            session.add_all(
                Mailbox(
                    kind="system",
                    address=f"{number}@contoso.example",
                    created_at=now,
                    next_due_at=now,
                    state="paused" if number % 2 else "sign_in_needed",
                )
                for number in range(2 * PAGE + 10)
            )
    pages = [found(host, clock)]
    while pages[-1]:
        pages.append(found(host, clock, after=place_of(pages[-1][-1])))
    assert [len(page) for page in pages] == [PAGE, PAGE, 10, 0]
    assert len({row.id for page in pages for row in page}) == 2 * PAGE + 10
    assert found(host, clock, before=place_of(pages[2][0])) == pages[1]


def place_of(row: Any) -> Place:
    return Place(row.rank, row.id)


# days


def test_messages_are_counted_on_the_day_that_they_were_received(host: Host, clock: Clock) -> None:
    mailbox_id = waiting_mailbox(host, clock).mailbox_id
    now = clock().replace(hour=12)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [now, midnight, midnight - timedelta(seconds=1), midnight - timedelta(days=2), midnight - LONG_AGO]
    with host.app.app_context():
        session = host.app.extensions["ms365.state"].session
        with write_transaction(session):
            folder = Folder(mailbox_id=mailbox_id, graph_id="inbox", name="Inbox")
            session.add(folder)
            session.flush()
            session.add_all(
                Message(
                    mailbox_id=mailbox_id,
                    folder_id=folder.id,
                    graph_id=str(number),
                    recipients=[],
                    categories=[],
                    received_at=moment,
                )
                for number, moment in enumerate(moments)
            )
        days = messages_a_day(session, [mailbox_id, 99], days=4, now=now)
    assert (days[mailbox_id].counts, days[99].counts) == ([0, 1, 1, 2], [0, 0, 0, 0])
    assert days[mailbox_id].by_day[0] == (now.date(), 2)


def test_a_drawing_fills_its_height_and_its_width(clock: Clock) -> None:
    days = Days(last=clock().date(), counts=[0, 5, 10])
    assert (days.heights(100), days.line(80, 20), days.total, days.most) == (
        [0.0, 50.0, 100.0],
        "0.0,20.0 40.0,10.0 80.0,0.0",
        15,
        10,
    )


def test_days_without_mail_are_a_line_on_the_ground(clock: Clock) -> None:
    assert Days(last=clock().date(), counts=[0, 0]).line(10, 4) == "0.0,4.0 10.0,4.0"
