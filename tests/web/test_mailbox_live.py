"""Pages that ask again while somebody looks: nothing where nothing changed, and little work for it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host
from tests.mailboxes.test_listing import add
from tests.mailboxes.waiting import Waiting, waiting_mailbox
from tests.team import LIST
from tests.web.test_mailboxes_list import many, statements

MY_EMAIL = "/ms365/my-email"


@pytest.fixture
def waiting(configured: Host, clock: Clock) -> Waiting:
    """Return a mailbox of the team."""
    return waiting_mailbox(configured, clock)


def region(page: str) -> tuple[str, str]:
    """Return what a page asks again, and the version that it has."""
    found = re.search(r'data-ms365-live="([^"]*)" data-ms365-version="([^"]*)"', page)
    assert found, "the page has no live part"
    return found[1].replace("&amp;", "&"), found[2]


def ask(host: Host, url: str, version: str) -> TestResponse:
    return host.visitor().get(url, headers={"If-None-Match": f'"{version}"'})


def pages(waiting: Waiting) -> dict[str, str]:
    return {"list": LIST, "mailbox": f"{LIST}/{waiting.mailbox_id}"}


@pytest.mark.parametrize("page", ["list", "mailbox"])
def test_nothing_is_sent_where_nothing_changed(waiting: Waiting, page: str) -> None:
    url, version = region(waiting.host.visitor().get(pages(waiting)[page]).text)
    answer = ask(waiting.host, url, version)
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    assert (answer.status_code, answer.data, len(head) < 1000) == (304, b"", True)


@pytest.mark.parametrize("page", ["list", "mailbox"])
def test_the_part_is_sent_as_the_page_has_it_once_something_changed(waiting: Waiting, page: str) -> None:
    url, version = region(waiting.host.visitor().get(pages(waiting)[page]).text)
    waiting.change(state="paused", paused_at=waiting.clock(), paused_by="ben")
    answer = ask(waiting.host, url, version)
    assert (answer.status_code, "Paused by" in answer.text, "<html" in answer.text) == (200, True, False)
    assert waiting.host.visitor().get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    now = waiting.host.visitor().get(pages(waiting)[page]).text
    assert answer.text.strip() in now


def test_my_email_shows_what_changes_as_well(configured: Host, clock: Clock) -> None:
    mine = waiting_mailbox(configured, clock, kind="user", owner_id="ana")
    configured.permissions = {"own_mailbox"}
    url, version = region(configured.visitor().get(MY_EMAIL).text)
    assert ask(configured, url, version).status_code == 304
    mine.change(state="sign_in_needed")
    answer = ask(configured, url, version)
    assert ("Sign-in needed" in answer.text, answer.text.strip() in configured.visitor().get(MY_EMAIL).text) == (
        True,
        True,
    )


@pytest.mark.parametrize("page", ["list", "mailbox"])
def test_each_page_of_mail_that_is_stored_is_a_change(waiting: Waiting, page: str) -> None:
    waiting.change(lease_owner="a", lease_expires_at=waiting.clock() + timedelta(minutes=1))
    url, version = region(waiting.host.visitor().get(pages(waiting)[page]).text)
    waiting.change(lease_expires_at=waiting.clock() + timedelta(minutes=2))
    assert ask(waiting.host, url, version).status_code == 200


def test_a_lease_that_ran_out_is_a_change(waiting: Waiting, clock: Clock) -> None:
    waiting.change(lease_owner="a", lease_expires_at=clock() + timedelta(minutes=1))
    url, version = region(waiting.host.visitor().get(f"{LIST}/{waiting.mailbox_id}").text)
    clock.advance(minutes=2)
    answer = ask(waiting.host, url, version)
    assert ("Syncing" in answer.text, answer.status_code) == (False, 200)


def test_a_weak_tag_of_a_proxy_counts(waiting: Waiting) -> None:
    url, version = region(waiting.host.visitor().get(LIST).text)
    assert waiting.host.visitor().get(url, headers={"If-None-Match": f'W/"{version}"'}).status_code == 304


def test_the_sync_switched_off_is_a_change(waiting: Waiting) -> None:
    url, version = region(waiting.host.visitor().get(LIST).text)
    with waiting.host.app.app_context():
        waiting.host.ms365.settings.save({"email_sync": "0"}, actor="ana")
    assert "Emails sync is off" in ask(waiting.host, url, version).text


def test_the_rows_of_a_list_stay_where_they_are(configured: Host, clock: Clock) -> None:
    """What somebody is about to tick does not jump away; the order is that of the next page."""
    first = waiting_mailbox(configured, clock, address="first@contoso.example")
    add(configured, clock, address="second@contoso.example")
    url, version = region(configured.visitor().get(LIST).text)
    waiting = Waiting(host=configured, clock=clock, mailbox_id=first.mailbox_id + 1)
    waiting.change(state="sign_in_needed")
    text = ask(configured, url, version).text
    assert text.index("first@") < text.index("second@")
    page = configured.visitor().get(LIST).text
    assert page.index("second@") < page.index("first@")


@pytest.mark.parametrize("ids", ["", "x", "1,2,x,99999999999999999999", "0,-1", ",".join(["1"] * 500)])
def test_any_ids_will_do(waiting: Waiting, ids: str) -> None:
    assert waiting.host.visitor().get(f"{LIST}/live?ids={ids}").status_code == 200


# cost


def test_an_answer_that_nothing_changed_takes_few_statements(waiting: Waiting) -> None:
    many(waiting.host, waiting.clock, 60)
    found = {}
    for name, path in pages(waiting).items():
        url, version = region(waiting.host.visitor().get(path).text)
        found[name] = len(statements(waiting.host, url, {"If-None-Match": f'"{version}"'}))
    assert found == {"list": 3, "mailbox": 2}


def test_asking_again_never_talks_to_microsoft(waiting: Waiting, simulator: Simulator) -> None:
    simulator.requests.clear()
    for path in pages(waiting).values():
        waiting.host.visitor().get(region(waiting.host.visitor().get(path).text)[0])
    assert len(simulator.requests) == 0


# who may


@pytest.mark.parametrize(
    ("columns", "permissions", "status"),
    [
        ({"kind": "system"}, {"manage_mailboxes"}, 200),
        ({"kind": "system"}, {"own_mailbox"}, 404),
        ({"kind": "system"}, {"read_mail"}, 403),
        ({"kind": "user", "owner_id": "ana"}, {"own_mailbox"}, 200),
        ({"kind": "user", "owner_id": "ben"}, {"own_mailbox"}, 404),
        ({"kind": "user", "owner_id": "ben"}, {"manage_mailboxes"}, 200),
    ],
)
def test_it_is_for_those_who_may_see_the_page(
    configured: Host, clock: Clock, columns: dict[str, Any], permissions: set[str], status: int
) -> None:
    waiting = waiting_mailbox(configured, clock, **columns)
    configured.permissions = permissions
    path = f"{LIST}/{waiting.mailbox_id}"
    assert [configured.visitor().get(each).status_code for each in (path, f"{path}/live")] == [status] * 2


def test_the_list_is_for_those_who_manage_mailboxes(configured: Host) -> None:
    configured.permissions = {"own_mailbox", "read_mail", "manage_settings"}
    assert configured.visitor().get(f"{LIST}/live?ids=1").status_code == 403
