"""Whose mailbox it is: the account that signed in, for the user who began, and only if its mail can be read."""

from __future__ import annotations

from sqlalchemy import select

from flask_ms365.models import Connection
from flask_ms365.simulator import Simulator, User
from tests.conftest import Host
from tests.identity.conftest import CONNECTED, SignInBegun, come_back, counts, session_of


def test_the_same_account_again_is_the_same_mailbox(connected: Host, ana: User) -> None:
    assert CONNECTED in connected.visitor().connect(ana).text
    assert counts(connected) == (1, 1)


def test_one_account_of_two_users_is_two_connections(connected: Host, ana: User) -> None:
    connected.user_id = "bob"
    connected.visitor().connect(ana)
    with connected.app.app_context():
        owners = session_of(connected).scalars(select(Connection.user_id)).all()
    assert sorted(owners) == ["ana", "bob"]


def test_an_account_without_mailbox_is_not_stored(begun: SignInBegun) -> None:
    begun.user.has_mailbox = False
    assert "mail cannot be read" in come_back(begun.visitor, begun.sign_in())
    assert counts(begun.host) == (0, 0)


def test_graph_answering_for_somebody_else_is_refused(begun: SignInBegun, simulator: Simulator) -> None:
    eve = simulator.add_user("eve@contoso.example")
    token = begun.simulator.grants.issue_access_token(begun.registration, eve, ["User.Read", "Mail.Read"], 3600)
    assert "answered for another account" in begun.return_with_tokens(access_token=token.value)
    assert counts(begun.host) == (0, 0)
