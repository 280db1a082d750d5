"""The engine over each way of reading: folders, deltas and batches are the mailbox's, and so are its troubles."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from flask_ms365.models import Attachment, Mailbox, Message
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.team import ADDRESS, Team


def connect(team: Team, access: str, address: str = ADDRESS) -> None:
    if access == "application":
        assert team.add(access, address).status_code == 303
    else:
        team.come_back(team.add(access, address), team.ana)


@pytest.fixture(params=["shared", "application"])
def access(request: pytest.FixtureRequest, team: Team) -> str:
    team.support.share_with(team.ana)
    return str(request.param)


def test_a_mailbox_is_read_with_all_that_takes_a_batch(team: Team, access: str) -> None:
    box = team.support.mailbox
    moved = box.deliver(subject="Moved", attachments=[("a.txt", "text/plain", b"a")])
    gone = box.deliver(subject="Gone")
    connect(team, access)
    team.read()
    box.move(moved, "archive")
    box.delete(gone, permanently=True)
    assert team.run().error == ""
    with team.host.app.app_context():
        mail = select(Message.subject).where(Message.removed_at.is_(None)).order_by(Message.subject)
        assert list(team.session.scalars(mail)) == ["Help", "Moved"]
        assert team.session.scalars(select(Attachment.name)).one() == "a.txt"


@pytest.mark.parametrize(
    "address", ["o'brien@contoso.example", "kim_fabrikam.example#EXT#@contoso.example", "50%@c.example"]
)
def test_an_address_is_quoted_in_every_url(team: Team, simulator: Simulator, address: str) -> None:
    odd = simulator.add_user(address)
    odd.mailbox.deliver(subject="Odd", attachments=[("a.txt", "text/plain", b"a")])
    connect(team, "application", address)
    assert team.read() == ["Odd"]
    assert team.all(Attachment.name) == ["a.txt"]


def test_a_refused_mailbox_fails_alone(team: Team, simulator: Simulator, access: str) -> None:
    sales = simulator.add_user("sales@contoso.example")
    sales.share_with(team.ana)
    sales.mailbox.deliver(subject="Order")
    for address in (ADDRESS, sales.upn):
        connect(team, access, address)
    team.support.delegates.clear()
    team.app.allowed_mailboxes = {sales.upn}
    with team.host.app.app_context():
        runs = {run.address: run for run in team.host.ms365.tick().runs}
    assert {address: run.result for address, run in runs.items()} == {ADDRESS: Result.FAILED, sales.upn: Result.DONE}
    assert runs[ADDRESS].error_code == "ErrorAccessDenied"
    assert team.all(Mailbox.state) == ["connected"] * 2


def test_a_mailbox_that_lost_its_licence_fails_and_says_so(team: Team, access: str) -> None:
    connect(team, access)
    team.support.has_mailbox = False
    run = team.run()
    assert (run.result, run.error_code) == (Result.FAILED, "MailboxNotEnabledForRESTAPI")


def test_a_refused_app_is_no_matter_of_a_sign_in(team: Team) -> None:
    connect(team, "application")
    team.app.remove_secret(team.app.client_secret)
    restart(team)
    assert team.run().result is Result.APP_REFUSED
    assert team.row().state == "connected"


@pytest.mark.parametrize("number", [65001, 50076])
def test_nothing_that_microsoft_says_of_an_app_asks_for_a_sign_in(team: Team, number: int) -> None:
    connect(team, "application")
    restart(team)
    team.simulator.refuse_token(number, times=2)
    assert team.run().result is Result.APP_REFUSED
    assert team.row().state == "connected"


def test_all_mailboxes_without_sign_in_live_on_one_token(team: Team, simulator: Simulator) -> None:
    for number in range(5):
        simulator.add_user(f"box{number}@contoso.example")
        connect(team, "application", f"box{number}@contoso.example")
    with team.host.app.app_context():
        assert [run.result for run in team.host.ms365.tick().runs] == [Result.DONE] * 5
    assert team.simulator.count("POST", "/token") == 1


def test_a_token_that_graph_refuses_is_replaced(team: Team) -> None:
    connect(team, "application")
    team.simulator.expire_access_tokens()
    assert team.run().result is Result.DONE
    assert team.simulator.count("POST", "/token") == 2


def test_a_mailbox_whose_sign_in_never_ended_is_not_due(team: Team) -> None:
    team.add("shared")
    with team.host.app.app_context():
        assert team.host.ms365.tick().runs == []
    assert team.run().result is Result.SIGN_IN_NEEDED


def restart(team: Team) -> None:
    """Let the worker begin anew, without the token that it had in memory."""
    team.host.app.extensions["ms365.state"].runner.clients.app_tokens._tokens.clear()
