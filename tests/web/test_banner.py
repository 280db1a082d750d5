"""What waits for people is said above every page of ours: to the owner of a mailbox, to admins, and to nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from flask_ms365.models import Folder, Mailbox
from flask_ms365.simulator import User
from tests.conftest import Clock, Host
from tests.visitor import Visitor, path_of, sign_in_at_microsoft
from tests.web.conftest import main

AUDIT, MESSAGES, SETTINGS = "/ms365/audit", "/ms365/messages", "/ms365/settings"
STAFF = {"own_mailbox", "read_mail"}

NEEDS_ANA = "Your mailbox ana@contoso.example needs you to sign in again."

AddMailbox = Callable[..., int]


@pytest.fixture
def add(configured: Host, clock: Clock) -> AddMailbox:
    """Return a function that adds a mailbox, Ana's own unless told, that was read a moment ago."""

    def add_mailbox(address: str = "ana@contoso.example", **values: Any) -> int:
        now = clock()
        well = {"kind": "user", "owner_id": "ana", "created_at": now, "next_due_at": now, "last_success_at": now}
        with configured.app.app_context():
            session = configured.app.extensions["sqlalchemy"].session
            mailbox = Mailbox(address=address, **{**well, **values})
            session.add(mailbox)
            session.commit()
            return int(mailbox.id)

    return add_mailbox


def banners(host: Host, path: str = AUDIT) -> list[str]:
    """Return what the banners of a page say."""
    text = host.visitor().get(path).text
    return re.findall(r'<h2 class="ms365-h3"><span class="ms365-hidden">Problem: </span>([^<]*)</h2>', text)


# whom it concerns


@pytest.mark.parametrize("path", [AUDIT, MESSAGES, SETTINGS, "/ms365/setup", "/ms365/mailboxes"])
def test_the_owner_sees_it_on_every_page(configured: Host, add: AddMailbox, path: str) -> None:
    add(state="sign_in_needed")
    assert banners(configured, path) == [NEEDS_ANA]


def test_a_member_of_staff_sees_their_own(configured: Host, add: AddMailbox) -> None:
    add(state="sign_in_needed")
    configured.permissions = STAFF
    assert banners(configured, MESSAGES) == [NEEDS_ANA]


def test_nobody_else_does(configured: Host, add: AddMailbox) -> None:
    add(state="sign_in_needed")
    configured.user_id, configured.permissions = "kim", STAFF
    assert banners(configured, MESSAGES) == []


def test_admins_see_how_many_others_need_them(configured: Host, add: AddMailbox) -> None:
    for owner in ("kim", "lee", "max"):
        add(f"{owner}@contoso.example", owner_id=owner, state="sign_in_needed")
    assert banners(configured) == ["3 mailboxes need you"]
    assert 'href="/ms365/mailboxes?state=needs_you">Open the list</a>' in configured.visitor().get(AUDIT).text


def test_an_admin_sees_their_own_apart(configured: Host, add: AddMailbox) -> None:
    add(state="sign_in_needed")
    add("kim@contoso.example", owner_id="kim", state="sign_in_needed")
    assert banners(configured) == [NEEDS_ANA, "1 mailbox needs you"]


@pytest.mark.parametrize("path", ["/ms365/", "/ms365/mailboxes"])
def test_pages_that_list_them_do_not_count_them_above(configured: Host, add: AddMailbox, path: str) -> None:
    add("kim@contoso.example", owner_id="kim", state="sign_in_needed")
    assert banners(configured, path) == []


def test_my_email_says_it_once(configured: Host, add: AddMailbox) -> None:
    add(state="sign_in_needed")
    assert NEEDS_ANA not in configured.visitor().get("/ms365/my-email").text


def test_the_owner_of_a_mailbox_of_the_team_sees_it(configured: Host, add: AddMailbox) -> None:
    add("support@contoso.example", kind="system", state="sign_in_needed")
    configured.permissions = STAFF
    page = configured.visitor().get(MESSAGES).text
    assert "Your mailbox support@contoso.example needs you to sign in again." in page
    assert "/ms365/mailboxes/" not in page  # they may not open its page


def test_a_healthy_mailbox_of_theirs_does_not_hide_a_broken_one(configured: Host, add: AddMailbox) -> None:
    add("support@contoso.example", kind="system")
    add(state="sign_in_needed")
    add("sales@contoso.example", kind="system")
    assert banners(configured) == [NEEDS_ANA]


# what it is


def test_it_is_gone_once_it_is_mended(configured: Host, ana: User) -> None:
    visitor = configured.visitor()
    visitor.connect(ana)
    assert banners(configured) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fail_count": 2, "last_result": "failed"}, "Your mailbox ana@contoso.example could not be read."),
        ({"fail_count": 2, "last_result": "throttled"}, ""),
        ({"fail_count": 2, "last_result": "app_refused"}, "1 mailbox needs you"),
        ({"state": "paused"}, ""),
        ({}, ""),
    ],
)
def test_only_what_needs_a_person_is_said(
    configured: Host, add: AddMailbox, clock: Clock, values: dict[str, Any], said: str
) -> None:
    add(failing_since=clock(), **values)
    assert banners(configured) == [said] * bool(said)


def test_a_folder_in_doubt_is_asked_about(configured: Host, add: AddMailbox) -> None:
    mailbox_id = add()
    with configured.app.app_context():
        session = configured.app.extensions["sqlalchemy"].session
        session.add(Folder(mailbox_id=mailbox_id, graph_id="inbox", name="Inbox", doubt="asked"))
        session.commit()
    configured.permissions = STAFF
    said = "Microsoft says that a folder of your mailbox ana@contoso.example is empty. Is its mail gone?"
    assert banners(configured, MESSAGES) == [said]


def test_no_success_for_long_is_said(configured: Host, add: AddMailbox, clock: Clock) -> None:
    add(fail_count=3, last_result="throttled", failing_since=clock())
    clock.advance(hours=1)
    configured.permissions = STAFF
    assert banners(configured, MESSAGES) == ["Your mailbox ana@contoso.example has had no success for long."]


def test_a_credential_that_has_ended_comes_first(configured: Host, add: AddMailbox, clock: Clock) -> None:
    add(state="sign_in_needed")
    for days, is_first in ((5, False), (-2, True)):
        on = (clock() + timedelta(days=days)).date().isoformat()
        with configured.app.app_context():
            configured.ms365.settings.save({"client_secret_expires_on": on})
        said = main(configured.visitor().get(AUDIT).text)
        assert (said.index("The client secret expire") < said.index("needs you to sign in")) == is_first


# mending it


def test_its_button_leads_to_microsoft(configured: Host, ana: User) -> None:
    visitor = configured.visitor()
    visitor.connect(ana)
    with configured.app.app_context():
        session = configured.app.extensions["sqlalchemy"].session
        session.query(Mailbox).update({"state": "sign_in_needed"})
        session.commit()
    answer = visitor.submit(MESSAGES, {}, to="/ms365/my-email/connect")
    assert answer.status_code == 303
    visitor.get(path_of(sign_in_at_microsoft(answer.headers["Location"], ana)))
    assert banners(configured) == []


# what it costs


def statements(host: Host, path: str) -> int:
    visitor, seen = Visitor(host.app), list[str]()
    visitor.get(path)
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def note(*given: Any) -> None:
        seen.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    visitor.get(path)
    event.remove(engine, "before_cursor_execute", note)
    return len(seen)


@pytest.mark.parametrize("path", [AUDIT, SETTINGS, MESSAGES])
def test_it_costs_a_statement_and_none_where_admins_see_that_all_is_well(
    configured: Host, add: AddMailbox, path: str
) -> None:
    add()
    well = statements(configured, path)
    add("support@contoso.example", kind="system", state="sign_in_needed")
    assert statements(configured, path) - well <= 1
