"""The overview: one line, what needs a person, numbers; and the badge on its entry of the navigation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from flask_ms365.crypto import generate_key
from flask_ms365.mailboxes.status import all_statuses
from flask_ms365.mailboxes.summary import summarise
from flask_ms365.models import CheckRun, Connection, Folder, Heartbeat, Mailbox, Message, Tenant
from tests.conftest import Clock, Host, HostFactory
from tests.visitor import BASE_URL
from tests.web.conftest import FILLED_IN, words

OVERVIEW = "/ms365/"
# what makes a mailbox be in each state
STATES: dict[str, dict[str, Any]] = {
    "sign_in_needed": {"state": "sign_in_needed", "fail_count": 1, "last_result": "sign_in_needed"},
    "failed": {"fail_count": 2, "last_result": "app_refused"},
    "waiting": {"fail_count": 1, "last_result": "throttled"},
    "syncing": {"lease_owner": "a worker", "fail_count": 2, "last_result": "failed"},
    "paused": {"state": "paused", "fail_count": 2, "last_result": "failed"},
    "up_to_date": {"last_result": "done"},
    "never_synced": {},
}

Add = Callable[..., None]


@pytest.fixture
def add(host: Host, clock: Clock) -> Add:
    """Return a function that adds mailboxes in a state, each with its grant."""

    def add(state: str, count: int = 1) -> None:
        now, given = clock(), STATES[state]
        times = {"created_at": now, "next_due_at": now + timedelta(minutes=5)}
        if state == "up_to_date":
            times["last_success_at"] = now
        if state == "syncing":
            times["lease_expires_at"] = now + timedelta(minutes=1)
        with host.app.app_context():
            session = host.app.extensions["sqlalchemy"].session
            for number in range(count):
                name = f"{state}-{number}"
                session.add(Mailbox(kind="user", owner_id=name, address=f"{name}@contoso.com", **times, **given))
            session.commit()

    return add


def stored(host: Host, *rows: object) -> None:
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        session.add_all(rows)
        session.commit()


def page(host: Host) -> str:
    answer = host.visitor().get(OVERVIEW)
    assert answer.status_code == 200
    return answer.text


def line(host: Host) -> str:
    return words(page(host), r'<p class="ms365-actions">.*?<span dir="auto">(.*?)</p>')


def needs(host: Host) -> dict[str, str]:
    """Return what the page says needs a person, with the address it leads to."""
    rows = re.findall(r'<li class="ms365-row">.*?</li>', page(host), re.DOTALL)
    return {words(row, r'<span class="ms365-row-text">(.*?)</span>'): words(row, r'href="([^"]*)"') for row in rows}


def figures(host: Host) -> dict[str, str]:
    rows = re.findall(r"<dt.*?</dd>", page(host), re.DOTALL)
    return {words(row, r"<dt[^>]*>(.*?)</dt>"): words(row, r"<dd[^>]*>(.*?)</dd>") for row in rows}


def badge(text: str) -> str:
    return words(text, r'<span class="ms365-badge">(\d+)')


# one line


def test_off_is_said_first(host: Host) -> None:
    assert line(host) == "Emails sync is off"


def test_on_without_mailboxes(configured: Host) -> None:
    assert line(configured) == "Emails sync is on, and no mailbox is connected yet"


def test_on_with_all_well(configured: Host, add: Add) -> None:
    add("up_to_date")
    assert line(configured) == "Emails sync is on, 1 mailbox up to date"


def test_on_with_some_that_need_a_person(configured: Host, add: Add) -> None:
    add("up_to_date", 128)
    add("failed")
    add("sign_in_needed")
    assert line(configured) == "Emails sync is on, 128 mailboxes up to date, 2 need you"


# what needs a person


@pytest.fixture
def well(configured: Host, clock: Clock) -> Host:
    """Return a host where everything is as it should be."""
    stored(configured, Heartbeat(engine="worker", since=clock(), at=clock()))
    return configured


def test_where_all_is_well_nothing_is_listed(well: Host) -> None:
    assert needs(well) == {}
    assert "Nothing. All is well." in page(well)


def test_missing_settings_are_named(make_host: HostFactory) -> None:
    assert needs(make_host(MS365_ENCRYPTION_KEYS=None, MS365_TENANT_ID="contoso.com")) == {
        "No encryption key is set, so nothing secret can be stored. "
        'Run "flask ms365 keys generate" and put the result into MS365_ENCRYPTION_KEYS.': "/ms365/settings",
        "Application (Client) ID is missing": "/ms365/settings#client_id-value",
        "Client Secret is missing": "/ms365/settings#client_secret-value",
    }


def test_a_secret_of_another_key_is_told(well: Host, make_host: HostFactory) -> None:
    (text,) = needs(make_host(MS365_ENCRYPTION_KEYS=generate_key()))
    assert "Locked: this database was used with the encryption key" in text


def test_a_guessed_redirect_uri_is_told(make_host: HostFactory) -> None:
    assert (
        needs(make_host(MS365_PUBLIC_BASE_URL=None))["The redirect URI is a guess until an admin confirms the address"]
        == "/ms365/settings#ms365-redirect-uri"
    )


@pytest.mark.parametrize(
    ("days", "text"),
    [(31, None), (12, "The client secret expires in 12 days"), (-2, "The client secret expired 2 days ago")],
)
def test_the_end_of_the_secret_is_told(well: Host, clock: Clock, days: int, text: str | None) -> None:
    with well.app.app_context():
        on = (clock() + timedelta(days=days)).date().isoformat()
        well.ms365.settings.save({"client_secret_expires_on": on}, actor="ana")
    assert needs(well) == ({text: "/ms365/settings#client_secret-value"} if text else {})


def test_mailboxes_that_need_a_person_are_counted(well: Host, add: Add) -> None:
    for state in STATES:
        add(state, 2)
    assert needs(well) == {
        "2 mailboxes wait for their owners to sign in again": "/ms365/my-email",
        "2 mailboxes could not be read": "/ms365/check",
    }


@pytest.mark.parametrize(("state", "is_told"), [("failed", True), ("passed", False)])
def test_a_check_that_failed_is_told_until_the_settings_change(
    well: Host, clock: Clock, state: str, is_told: bool
) -> None:
    clock.advance(minutes=1)
    now = clock()
    stored(well, CheckRun(started_at=now, finished_at=now, steps=[{"name": "credentials", "state": state}]))
    assert ("The last connection check failed" in needs(well)) == is_told
    clock.advance(minutes=1)
    with well.app.app_context():
        well.ms365.settings.save({"tenant_id": "fabrikam.com"})
    assert "The last connection check failed" not in needs(well)


def test_silence_is_told_after_a_quarter_of_an_hour(well: Host, clock: Clock) -> None:
    clock.advance(minutes=14)
    assert needs(well) == {}
    clock.advance(minutes=6)
    assert list(needs(well)) == ["Nothing has looked for mail for 20 minutes"]


def test_a_toggle_that_was_just_switched_on_has_time(configured: Host, clock: Clock) -> None:
    assert needs(configured) == {}
    clock.advance(minutes=20)
    assert list(needs(configured)) == ["Nothing has looked for mail yet: no scheduler or worker is running"]


def test_silence_while_the_sync_is_off_is_fine(well: Host, clock: Clock) -> None:
    with well.app.app_context():
        well.ms365.settings.save({"email_sync": "0"})
    clock.advance(days=1)
    assert needs(well) == {}


def test_a_scheduler_that_is_out_of_order_is_told(well: Host) -> None:
    page(well)  # the first request of a process registers the job
    well.app.extensions["ms365.state"].hook_problem = "The job scheduler did not take the change (OSError)."
    assert list(needs(well)) == ["The job scheduler did not take the change (OSError)."]


# numbers


def test_numbers_of_mailboxes_messages_and_times(well: Host, add: Add, clock: Clock) -> None:
    add("up_to_date", 2)
    add("paused")
    folder = Folder(mailbox_id=1, graph_id="inbox", name="Inbox")
    stored(well, folder)
    message = {"mailbox_id": 1, "folder_id": 1, "recipients": [], "categories": []}
    stored(well, *(Message(graph_id=str(number), **message) for number in range(3)))
    shown = figures(well)
    assert [shown[name] for name in ("Mailboxes", "Paused", "Up to date", "Messages")] == ["3", "1", "2", "3"]
    assert all(str(clock().year) in shown[name] for name in ("Last success", "Last look for mail"))
    assert str(clock().year) in shown["Next mailbox is due"]


@pytest.mark.parametrize(
    ("engine", "shown"),
    [("worker", "flask ms365 worker"), ("apscheduler", "This app itself"), ("rq", "rq"), ("", None)],
)
def test_who_looks_for_mail_and_when_next(configured: Host, clock: Clock, engine: str, shown: str | None) -> None:
    stored(configured, Heartbeat(engine=engine, since=clock(), at=clock()))
    found = figures(configured)
    assert found.get("Who looks") == shown
    assert str(clock().year) in found["Next look for mail"]


def test_a_look_that_is_late_has_no_time_for_the_next(well: Host, clock: Clock) -> None:
    clock.advance(minutes=3)
    assert "Next look for mail" not in figures(well)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 mailbox has had no success for long"), (2, "2 mailboxes have had no success for long")],
)
def test_mailboxes_without_a_success_for_long_are_told(
    configured: Host, add: Add, clock: Clock, count: int, text: str
) -> None:
    add("waiting", count)
    clock.advance(minutes=31)
    stored(configured, Heartbeat(engine="worker", since=clock(), at=clock()))
    assert needs(configured) == {text: "/ms365/check"}
    assert line(configured).endswith(f"{count} need{'s' if count == 1 else ''} you")


def test_an_organisation_that_is_to_wait_is_told(well: Host, add: Add, clock: Clock) -> None:
    add("waiting")
    assert needs(well) == {}
    stored(well, Tenant(id="contoso", held_until=clock() + timedelta(hours=1)))
    assert list(needs(well)) == ["Microsoft asked all mailboxes of 1 organisation to wait; they go on by themselves"]


def test_where_nobody_looks_no_mailbox_is_to_blame(configured: Host, add: Add, clock: Clock) -> None:
    add("waiting")
    clock.advance(minutes=31)
    assert list(needs(configured)) == ["Nothing has looked for mail yet: no scheduler or worker is running"]


def test_before_anything_happened_the_numbers_say_never(host: Host) -> None:
    shown = figures(host)
    assert [shown[name] for name in ("Mailboxes", "Messages", "Last success", "Last look for mail")] == [
        "0",
        "0",
        "Never",
        "Never",
    ]


def test_the_database_counts_as_a_single_mailbox_says(configured: Host, add: Add, clock: Clock) -> None:
    for count, state in enumerate(STATES, 1):
        add(state, count)
    with configured.app.app_context():
        session, settings = configured.app.extensions["sqlalchemy"].session, configured.ms365.settings.read()
        one_by_one = Counter(status.state for status in all_statuses(session, settings=settings, now=clock()))
        assert summarise(session, now=clock(), limit=None).counts == one_by_one


# cost


def statements(host: Host, path: str) -> list[str]:
    visitor, seen = host.visitor(), []
    visitor.get(path)
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def listen(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)

    event.listen(engine, "before_cursor_execute", listen)
    assert visitor.get(path).status_code == 200
    event.remove(engine, "before_cursor_execute", listen)
    return seen


def test_many_mailboxes_cost_no_more_statements(well: Host, add: Add) -> None:
    add("failed", 3)
    few = statements(well, OVERVIEW)
    add("up_to_date", 300)
    many = statements(well, OVERVIEW)
    assert (len(many), len(few) <= 7) == (len(few), True)
    assert [sql for sql in many if Connection.__tablename__ in sql] == []


def test_the_settings_page_pays_for_the_badge_with_one(well: Host, add: Add) -> None:
    add("failed", 3)
    assert len(statements(well, "/ms365/settings")) <= 4


# the badge


@pytest.mark.parametrize(
    ("state", "shown"), [("failed", "3"), ("sign_in_needed", "3"), ("paused", ""), ("waiting", "")]
)
@pytest.mark.parametrize("path", [OVERVIEW, "/ms365/settings", "/ms365/my-email"])
def test_the_badge_counts_those_that_need_a_person(host: Host, add: Add, path: str, state: str, shown: str) -> None:
    add(state, 3)
    assert badge(host.visitor().get(path).text) == shown


def test_who_may_not_see_the_overview_sees_no_badge(host: Host, add: Add) -> None:
    add("failed")
    host.permissions = {"own_mailbox"}
    assert badge(host.visitor().get("/ms365/my-email").text) == ""


def test_only_admins_see_the_overview(host: Host) -> None:
    host.permissions = {"own_mailbox", "read_mail"}
    assert host.visitor().get(OVERVIEW).status_code == 403


def test_the_first_visit_leads_on(host: Host) -> None:
    host.visitor().submit("/ms365/settings", FILLED_IN)
    assert host.visitor().get("/ms365").headers["Location"] in {OVERVIEW, f"{BASE_URL}{OVERVIEW}"}
