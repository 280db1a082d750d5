"""Several mailboxes paused, resumed or read at once: each in the audit log, and what came of it on the list."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.models import AuditEvent, Mailbox
from tests.conftest import Clock, Host
from tests.mailboxes.test_listing import add
from tests.team import LIST
from tests.web.conftest import main

SELECTED = f"{LIST}/selected"


def press(host: Host, action: str, *ids: int, **fields: str) -> str:
    """Tick mailboxes and press a button; return what the list says then."""
    answer = post(host, action, *ids, **fields)
    assert answer.status_code == 303, answer.text
    return main(host.visitor().get(answer.headers["Location"]).text)


def post(host: Host, action: str, *ids: int, **fields: str) -> Any:
    visitor = host.visitor()
    page = visitor.get(LIST).text
    token = page.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    return visitor.post(SELECTED, data={"csrf_token": token, "action": action, "ids": list(map(str, ids)), **fields})


def states(host: Host) -> list[str]:
    with host.app.app_context():
        session = host.app.extensions["ms365.state"].session
        return list(session.scalars(select(Mailbox.state).order_by(Mailbox.id)))


def actions(host: Host) -> list[tuple[str, str | None, str | None]]:
    with host.app.app_context():
        session = host.app.extensions["ms365.state"].session
        rows = session.execute(select(AuditEvent.action, AuditEvent.actor, AuditEvent.target).order_by(AuditEvent.id))
        return [tuple(row) for row in rows if row.action.startswith("mailbox.")]


def test_those_that_are_ticked_are_paused_and_no_others(configured: Host, clock: Clock) -> None:
    ids = [add(configured, clock, address=f"{number}@contoso.example") for number in range(3)]
    page = press(configured, "pause", *ids[:2])
    assert "2 mailboxes paused." in page
    assert states(configured) == ["paused", "paused", "connected"]
    assert actions(configured) == [
        ("mailbox.paused", "ana", "0@contoso.example"),
        ("mailbox.paused", "ana", "1@contoso.example"),
    ]


def test_what_was_so_already_is_told(configured: Host, clock: Clock) -> None:
    ids = [add(configured, clock), add(configured, clock, "paused", paused_at=clock())]
    assert "1 mailbox paused. 1 was paused already, or is not connected." in press(configured, "pause", *ids)


def test_those_that_are_paused_go_on(configured: Host, clock: Clock) -> None:
    ids = [add(configured, clock, "paused", paused_at=clock(), access="application"), add(configured, clock)]
    assert "1 mailbox resumed. 1 was not paused." in press(configured, "resume", *ids)
    assert states(configured) == ["connected", "connected"]


def test_those_that_can_be_are_read_now(configured: Host, clock: Clock) -> None:
    ids = [add(configured, clock), add(configured, clock, "sign_in_needed"), add(configured, clock, "waiting")]
    assert "1 mailbox is read now. 2 wait: for a person, or after a failure." in press(configured, "sync", *ids)
    with configured.app.app_context():
        session = configured.app.extensions["ms365.state"].session
        assert session.get_one(Mailbox, ids[0]).next_due_at <= clock()
        address = session.get_one(Mailbox, ids[0]).address
    assert actions(configured) == [("mailbox.sync_asked", "ana", address)]


def test_a_person_s_mailbox_can_be_paused_by_whoever_manages_mailboxes(configured: Host, clock: Clock) -> None:
    press(configured, "pause", add(configured, clock, kind="user", owner_id="ben"))
    assert states(configured) == ["paused"]


def test_one_that_is_not_there_any_more_is_no_harm(configured: Host, clock: Clock) -> None:
    assert "1 mailbox paused. 1 was paused already, or is not connected." in press(
        configured, "pause", add(configured, clock), 4711
    )


def test_nothing_ticked_is_told(configured: Host, clock: Clock) -> None:
    add(configured, clock)
    assert "No mailbox was ticked" in press(configured, "pause")


def test_the_list_is_where_it_was(configured: Host, clock: Clock) -> None:
    mailbox_id = add(configured, clock)
    answer = post(configured, "pause", mailbox_id, state="up_to_date", q="contoso", after="1-5")
    location = answer.headers["Location"]
    assert [part in location for part in ("state=up_to_date", "q=contoso", "after=1-5")] == [True] * 3


@pytest.mark.parametrize(("action", "token"), [("pause", "expired"), ("delete", None)])
def test_what_no_page_sends_does_nothing(configured: Host, clock: Clock, action: str, token: str | None) -> None:
    mailbox_id = add(configured, clock)
    fields = {"csrf_token": token} if token else {}
    answer = post(configured, action, mailbox_id, **fields)
    assert (answer.status_code, states(configured)) == (400, ["connected"])


@pytest.mark.parametrize("permission", ["manage_settings", "own_mailbox", "read_mail"])
def test_only_who_manages_mailboxes_may(configured: Host, clock: Clock, permission: str) -> None:
    mailbox_id = add(configured, clock)
    configured.permissions = {permission}
    answer = configured.visitor().post(SELECTED, data={"action": "pause", "ids": str(mailbox_id)})
    assert (answer.status_code, states(configured)) == (403, ["connected"])


def test_what_was_told_is_no_way_to_tell_anything_else(configured: Host) -> None:
    page = main(configured.visitor().get(f"{LIST}?did=pause&done=999999&left=-5").text)
    assert ("25 mailboxes paused." in page, "999" in page) == (True, False)
