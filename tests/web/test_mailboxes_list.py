"""The page *Mailboxes*: who needs somebody and since when, for all mailboxes, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from flask_ms365.models import Folder, Mailbox, Message, write_transaction
from tests.conftest import Clock, Host, HostFactory
from tests.mailboxes.test_listing import COLUMNS, add
from tests.mailboxes.waiting import Waiting, waiting_mailbox
from tests.team import LIST
from tests.web.conftest import main

DAY = timedelta(days=1)
MOST = 8


class People:
    """A directory that knows Ana, by her first name, and Ben."""

    def names_of(self, user_ids: Any) -> dict[str, str]:
        return {user_id: f"{user_id.title()} Ruiz" for user_id in user_ids if user_id in ("ana", "ben")}

    def search(self, text: str) -> list[Any]:
        return [_Person(name, name.title()) for name in ("ana", "ben") if text.lower() in name]


class _Person:
    def __init__(self, id: str, name: str) -> None:
        self.id, self.name = id, name


def listed(host: Host, query: str = "") -> str:
    """Return what the list says."""
    answer = host.visitor().get(LIST + query)
    assert answer.status_code == 200, answer.text
    return main(answer.text)


def on(time: datetime) -> str:
    """Return a time as pages show it."""
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def test_people_s_mailboxes_and_the_team_s_are_in_one_list(make_host: HostFactory, clock: Clock) -> None:
    host = make_host(options={"directory": People()})
    add(host, clock, address="sales@contoso.example")
    add(host, clock, address="a.ruiz@contoso.example", kind="user", owner_id="ana")
    add(host, clock, address="gone@contoso.example", kind="user", owner_id="4711")
    page = listed(host)
    assert "sales@contoso.example Owner The team" in page
    assert "a.ruiz@contoso.example Owner Ana Ruiz" in page
    # whom nobody knows any more still has an id
    assert "gone@contoso.example Owner 4711" in page


def test_one_line_says_how_they_all_are(configured: Host, clock: Clock) -> None:
    for state in ("sign_in_needed", "failed", "up_to_date", "syncing"):
        add(configured, clock, state)
    assert "2 need you · 1 up to date · 1 syncing" in listed(configured)


def test_the_line_says_that_the_sync_is_off(host: Host, clock: Clock) -> None:
    add(host, clock, "sign_in_needed")
    assert "Emails sync is off · 1 needs you" in listed(host)


def test_the_worst_is_on_top(configured: Host, clock: Clock) -> None:
    for state in COLUMNS:
        add(configured, clock, state)
    page = listed(configured)
    assert page.index("sign_in_needed@") < page.index("failed@") < page.index("waiting@") < page.index("up_to_date@")


@pytest.mark.parametrize(
    ("state", "columns", "said"),
    [
        ("failed", lambda now: {"failing_since": now - 3 * DAY}, "Failed Since {days ago} . Next try: {soon}"),
        ("waiting", lambda now: {"failing_since": now - 3 * DAY}, "Waiting Since {days ago} . Next try: {soon}"),
        ("sign_in_needed", lambda now: {"failing_since": now - 3 * DAY}, "Sign-in needed Since {days ago}"),
        (
            "paused",
            lambda now: {"paused_at": now - 3 * DAY, "paused_by": "ben"},
            "Paused by ben since {days ago}",
        ),
        ("paused", lambda now: {"paused_at": now - 3 * DAY}, "Paused since {days ago}"),
        ("never_synced", lambda now: {}, "Never synced"),
    ],
)
def test_a_state_is_told_with_since_when_and_until_when(
    configured: Host, clock: Clock, state: str, columns: Callable[[datetime], dict[str, Any]], said: str
) -> None:
    """Weakness 40 of the reference: no state, no error, no next run on any page."""
    now = clock()
    waiting = waiting_mailbox(configured, clock, address="x@contoso.example", **COLUMNS[state](now) | columns(now))
    times = {"{days ago}": on(now - 3 * DAY), "{soon}": on(waiting.row().next_due_at)}
    for name, time in times.items():
        said = said.replace(name, time)
    assert said in listed(configured)


def test_one_that_needs_a_sign_in_says_that_it_is_paused_as_well(configured: Host, clock: Clock) -> None:
    add(configured, clock, "sign_in_needed", paused_at=clock(), paused_by="ben")
    assert re.search("Sign-in needed .*Paused by ben since", listed(configured))


def test_without_a_success_for_long_it_says_so(configured: Host, clock: Clock) -> None:
    clock.advance(days=20)
    add(configured, clock, "overdue")
    assert "Waiting No success for long" in listed(configured)


def test_progress_is_told_with_how_long_it_takes(configured: Host, clock: Clock) -> None:
    waiting = waiting_mailbox(configured, clock, **COLUMNS["syncing"](clock()))
    waiting.folder(delta_link=None, began_at=clock(), total_count=9000, read_count=3000, read_seconds=10.0)
    assert "3,000 of 9,000 messages · less than a minute left" in listed(configured)


def test_what_was_read_is_told_in_messages(configured: Host, clock: Clock) -> None:
    waiting_mailbox(configured, clock).folder(total_count=55_537)
    assert "Messages: 55,537" in listed(configured)


def test_a_line_of_14_days_says_in_words_what_it_shows(configured: Host, clock: Clock) -> None:
    waiting = waiting_mailbox(configured, clock)
    receive(waiting, 3)
    page = configured.visitor().get(LIST).text
    assert 'role="img" aria-label="Messages in 14 days: 3"' in page
    assert "style=" not in page


def receive(waiting: Waiting, count: int) -> None:
    """Put messages of today into the mailbox."""
    folder_id = waiting.folder("Inbox")
    with waiting.host.app.app_context(), write_transaction(waiting.session):
        waiting.session.add_all(
            Message(
                mailbox_id=waiting.mailbox_id,
                folder_id=folder_id,
                graph_id=f"today-{number}",
                recipients=[],
                categories=[],
                received_at=waiting.clock(),
            )
            for number in range(count)
        )


# filters and pages


def test_a_state_is_filtered_and_stays_chosen(configured: Host, clock: Clock) -> None:
    for state in ("failed", "paused"):
        add(configured, clock, state)
    page = configured.visitor().get(f"{LIST}?state=failed").text
    assert ("failed@" in page, "paused@" in page) == (True, False)
    assert '<option value="failed" selected>' in page


def test_an_owner_is_found_by_name(make_host: HostFactory, clock: Clock) -> None:
    host = make_host(options={"directory": People()})
    add(host, clock, address="x1@contoso.example", kind="user", owner_id="ana")
    add(host, clock, address="x2@contoso.example", kind="user", owner_id="ben")
    page = listed(host, "?q=Ana")
    assert ("x1@" in page, "x2@" in page) == (True, False)


@pytest.mark.parametrize(
    "query",
    [
        "?state=unheard-of",
        "?after=x",
        "?after=99-1",
        "?after=-1-5",
        "?before=1",
        "?after=1-99999999999999999999",
        "?q=%00",
    ],
)
def test_what_no_page_asks_for_is_left_aside(configured: Host, clock: Clock, query: str) -> None:
    add(configured, clock)
    assert "up_to_date@" in listed(configured, query)


def test_nothing_found_leads_back_to_all(configured: Host, clock: Clock) -> None:
    add(configured, clock)
    assert "No mailbox matches. Show all mailboxes" in listed(configured, "?q=nobody")


def test_pages_keep_what_was_chosen(configured: Host, clock: Clock) -> None:
    many(configured, clock, 35)
    first = configured.visitor().get(f"{LIST}?q=box").text
    older = link(first, "next")
    assert "q=box" in older
    second = configured.visitor().get(older).text
    assert len(re.findall(r"box\d+@contoso.example</bdi>", second)) == 10
    back = configured.visitor().get(link(second, "prev")).text
    assert re.findall(r"box\d+@", back) == re.findall(r"box\d+@", first)


def link(page: str, relation: str) -> str:
    found = re.search(rf'rel="{relation}" href="([^"]*)"', page)
    assert found, f"no link to the {relation} page"
    return found[1].replace("&amp;", "&")


def many(host: Host, clock: Clock, count: int) -> None:
    """Add mailboxes with a folder each, of the team and of people in turn."""
    now = clock()
    with host.app.app_context():
        session = host.app.extensions["ms365.state"].session
        with write_transaction(session):
            boxes = [
                Mailbox(
                    kind="user" if number % 2 else "system",
                    owner_id=f"user{number}" if number % 2 else None,
                    address=f"box{number:05}@contoso.example",
                    created_at=now,
                    next_due_at=now + DAY,
                    last_success_at=now,
                )
                for number in range(count)
            ]
            session.add_all(boxes)
            session.flush()
            session.add_all(
                Folder(mailbox_id=box.id, graph_id="inbox", name="Inbox", delta_link="link", total_count=7)
                for box in boxes
            )


# cost


def statements(host: Host, path: str = LIST, headers: dict[str, str] | None = None) -> list[str]:
    """Return the statements that a page takes, once everything that is made once was made."""
    visitor = host.visitor()
    visitor.get(path, headers=headers)
    ran: list[str] = []
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def note(*given: Any) -> None:
        ran.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    assert visitor.get(path, headers=headers).status_code in (200, 304)
    event.remove(engine, "before_cursor_execute", note)
    return ran


def test_sixty_mailboxes_take_as_many_statements_as_one(configured: Host, clock: Clock) -> None:
    many(configured, clock, 1)
    one = len(statements(configured))
    many(configured, clock, 35)
    assert (len(statements(configured)), one <= MOST) == (one, True)


def test_the_list_never_talks_to_microsoft(configured: Host, clock: Clock, simulator: Any) -> None:
    many(configured, clock, 1)
    simulator.requests.clear()
    listed(configured)
    assert len(simulator.requests) == 0
