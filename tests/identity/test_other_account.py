"""fault 19: another account than expected signs in. Nothing is changed, and the person is asked which one counts."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.models import Connection, Mailbox
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.report import Result
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.sync.conftest import Synced
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft

MY_EMAIL = "/ms365/my-email"
CONNECT = f"{MY_EMAIL}/connect"


@pytest.fixture
def kim(simulator: Simulator) -> User:
    return simulator.add_user("kim@contoso.example", name="Kim", password="kim")


def states(host: Host) -> dict[str, str]:
    with host.app.app_context():
        return {row.address: row.state for row in session_of(host).scalars(select(Mailbox))}


def come_back(visitor: Visitor, url: str, user: User) -> TestResponse:
    answer = visitor.get(path_of(sign_in_at_microsoft(url, user)))
    assert answer.status_code == 303
    return visitor.get(answer.headers["Location"])


def press(visitor: Visitor, page: TestResponse, *, instead: bool) -> str:
    """Press one of the two buttons; return the address at Microsoft that it leads to."""
    given = controls(page.text)
    sent = {"csrf_token": given["csrf_token"], **({"instead": given["instead"]} if instead else {})}
    return str(visitor.post(CONNECT, data=sent).headers["Location"])


def hint(url: str) -> str:
    return parse_qs(urlsplit(url).query)["login_hint"][0]


def test_nothing_is_changed_and_it_is_asked(connected: Host, kim: User) -> None:
    visitor = connected.visitor()
    page = come_back(visitor, visitor.start_connect(), kim).text
    assert "You signed in as kim@contoso.example, but your mailbox is ana@contoso.example." in page
    assert states(connected) == {"ana@contoso.example": "connected"}


def test_signing_in_again_asks_for_the_account_of_the_mailbox(connected: Host, kim: User, ana: User) -> None:
    visitor = connected.visitor()
    url = press(visitor, come_back(visitor, visitor.start_connect(), kim), instead=False)
    assert hint(url) == "ana@contoso.example"
    assert "Your mail is being read" in come_back(visitor, url, ana).text


def test_the_other_one_takes_its_place_and_the_mail_of_the_first_is_kept(connected: Host, kim: User) -> None:
    visitor = connected.visitor()
    url = press(visitor, come_back(visitor, visitor.start_connect(), kim), instead=True)
    assert hint(url) == "kim@contoso.example"
    assert "Your mail is being read" in come_back(visitor, url, kim).text
    assert states(connected) == {"ana@contoso.example": "disconnected", "kim@contoso.example": "connected"}
    with connected.app.app_context():
        tokens = dict(session_of(connected).execute(select(Connection.upn, Connection.refresh_token)).all())
        assert (tokens["ana@contoso.example"], tokens["kim@contoso.example"] is None) == (None, False)
        assert connected.ms365.sync_mailbox(2).result is Result.DONE


def test_only_the_chosen_one_may_take_its_place(connected: Host, simulator: Simulator, kim: User) -> None:
    visitor = connected.visitor()
    url = press(visitor, come_back(visitor, visitor.start_connect(), kim), instead=True)
    lee = simulator.add_user("lee@contoso.example", name="Lee", password="lee")
    assert "that is not whom you chose" in come_back(visitor, url, lee).text
    assert states(connected) == {"ana@contoso.example": "connected"}


def test_the_choice_of_one_user_is_nobody_elses(connected: Host, kim: User) -> None:
    visitor = connected.visitor()
    page = come_back(visitor, visitor.start_connect(), kim)
    connected.user_id = "mallory"
    given = controls(page.text)
    sent = {"csrf_token": given["csrf_token"], "instead": given["instead"]}
    url = str(visitor.post(CONNECT, data=sent).headers["Location"])
    assert "login_hint" not in url


def test_a_new_name_of_the_same_person_is_no_other_account(connected: Host, ana: User) -> None:
    ana.upn = "ana.ruiz@contoso.example"
    visitor = connected.visitor()
    assert "Your mail is being read" in come_back(visitor, visitor.start_connect(), ana).text
    with connected.app.app_context():
        assert session_of(connected).scalars(select(Connection.upn)).all() == ["ana.ruiz@contoso.example"]


def test_a_sign_in_again_fills_in_whose_mailbox_it_is(connected: Host) -> None:
    assert hint(connected.visitor().start_connect()) == "ana@contoso.example"


def test_on_each_database_the_one_comes_and_the_other_goes(synced: Synced, kim: User) -> None:
    visitor = synced.host.visitor()
    url = press(visitor, come_back(visitor, visitor.start_connect(), kim), instead=True)
    assert "Your mail is being read" in come_back(visitor, url, kim).text
    assert set(states(synced.host).values()) == {"disconnected", "connected"}
