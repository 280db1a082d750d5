"""The team's mailboxes on each database: added once, read in two ways side by side, taken up again with their mail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from flask_ms365.errors import MailboxRefused
from flask_ms365.models import Connection, Mailbox, Message
from flask_ms365.simulator import App, User
from flask_ms365.state import current_state
from tests.sync.conftest import Synced
from tests.team import ADDRESS, Team


@pytest.fixture
def desk(synced: Synced, registration: App, ana: User) -> Team:
    """Return the team's desk on each database, beside Ana's own mailbox."""
    support = synced.simulator.add_user(ADDRESS, password="support")
    support.mailbox.deliver(subject="Help")
    support.share_with(ana)
    return Team(
        host=synced.host,
        visitor=synced.host.visitor(),
        app=registration,
        simulator=synced.simulator,
        support=support,
        ana=ana,
    )


def test_two_admins_at_once_add_one_mailbox(desk: Team) -> None:
    def add(_: int) -> str:
        with desk.host.app.app_context():
            try:
                current_state().mailboxes.add(address=ADDRESS, label="", access="application", actor="ana")
            except MailboxRefused as exc:
                return exc.field
        return "added"

    with ThreadPoolExecutor(4) as pool:
        results = sorted(pool.map(add, range(4)))
    assert results == ["added", "address", "address", "address"]
    assert desk.row().address == ADDRESS


def test_one_account_reads_its_own_mailbox_and_a_shared_one(desk: Team) -> None:
    desk.ana.mailbox.deliver(subject="Mine")
    desk.connect("shared", desk.ana)
    assert len(desk.all(Connection.id)) == 1
    assert desk.read() == ["Help"]
    assert sorted(desk.all(Message.subject)) == ["Help", "Mine"]


def test_a_token_that_does_not_cover_the_other_mailbox_is_not_used_for_it(desk: Team) -> None:
    desk.connect("shared", desk.ana)
    with desk.host.app.app_context():
        (grant,) = desk.session.execute(select(Connection.scopes, Connection.granted_scopes))
    assert {"Mail.Read", "Mail.Read.Shared"} <= set(grant.scopes)
    assert {"Mail.Read", "Mail.Read.Shared"} <= set(grant.granted_scopes)
    asked_before = desk.simulator.count("POST", "/token")
    desk.read()
    assert desk.simulator.count("POST", "/token") == asked_before + 1


def test_the_shared_mailbox_outlives_the_delegate_s_own_one(desk: Team) -> None:
    desk.connect("shared", desk.ana)
    desk.visitor.submit("/ms365/my-email/disconnect", {"mail": "keep"})
    assert desk.read() == ["Help"]
    assert sorted(desk.all(Mailbox.state)) == ["connected", "disconnected"]


def test_a_mailbox_is_taken_up_again_with_its_mail(desk: Team) -> None:
    desk.add("application")
    desk.read()
    desk.visitor.submit(f"{desk.page_path}/disconnect", {"mail": "keep"})
    desk.connect("shared", desk.ana)
    assert desk.read() == ["Help"]
    assert desk.row().access == "shared"
