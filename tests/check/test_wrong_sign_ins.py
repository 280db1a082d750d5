"""What only a sign-in shows: Microsoft tells it there, and the check does not claim more than it knows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import urllib3

from tests.check.arrange import Arrange, registered
from tests.check.conftest import Desk, look, states
from tests.visitor import path_of


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """A wrong configuration that only a sign-in shows: Microsoft's page tells, or ours once the browser is back."""

    name: str
    arrange: Arrange
    says: str
    is_told_here: bool = False
    # Microsoft's button: people are stopped at it, or leave by it
    action: str = "accept"


UNSEEN = (
    Unseen(
        name="another redirect URI is registered",
        arrange=registered(redirect_uris=["https://a.example/"]),
        says="AADSTS50011",
    ),
    Unseen(name="no redirect URI is registered", arrange=registered(redirect_uris=[]), says="AADSTS500113"),
    Unseen(
        name="the redirect URI is registered for a single-page app",
        arrange=registered(platform="spa"),
        says="single-page app",
        is_told_here=True,
    ),
    Unseen(
        name="users may not consent",
        arrange=lambda desk: setattr(desk.simulator, "user_consent_allowed", False),
        says="AADSTS90094",
    ),
    Unseen(name="an admin must approve this app", arrange=registered(needs_admin_consent=True), says="AADSTS90094"),
    Unseen(
        name="the permissions were declined",
        arrange=registered(),
        says="The permissions were declined",
        is_told_here=True,
        action="cancel",
    ),
    Unseen(
        name="the registration lacks Mail.Read",
        arrange=registered(withheld_scopes={"Mail.Read"}),
        says="did not grant the permission to read mail",
        is_told_here=True,
    ),
    Unseen(
        name="the user is not assigned to the app",
        arrange=lambda desk: desk.app.require_assignment(),
        says="AADSTS50105",
    ),
    Unseen(
        name="the user is disabled", arrange=lambda desk: setattr(desk.ana, "is_enabled", False), says="AADSTS50057"
    ),
    Unseen(
        name="the user has no mailbox",
        arrange=lambda desk: setattr(desk.ana, "has_mailbox", False),
        says="Is there an Exchange Online mailbox?",
        is_told_here=True,
    ),
    Unseen(
        name="Conditional Access blocks the user",
        arrange=lambda desk: setattr(desk.ana, "error", 53003),
        says="AADSTS53003",
    ),
)


def page_at_microsoft(url: str, desk: Desk, action: str) -> urllib3.BaseHTTPResponse:
    """Sign in as far as Microsoft lets one; return what the browser gets then."""
    fields = {"username": desk.ana.upn, "password": desk.ana.password, "action": action}
    with urllib3.PoolManager() as http:
        return http.request("POST", url, fields=fields, encode_multipart=False, redirect=False)


def sign_in(desk: Desk, action: str) -> tuple[str, bool]:
    """Try to connect Ana's mailbox; return what the last page says, and whether it is ours."""
    visitor = desk.host.visitor()
    answer = page_at_microsoft(visitor.start_connect(), desk, action)
    if answer.status != 302:
        return answer.data.decode(), False
    outcome = visitor.get(path_of(answer.headers["Location"]))
    return visitor.get(outcome.headers["Location"]).text, True


@pytest.mark.parametrize("wrong", UNSEEN, ids=lambda wrong: wrong.name)
def test_a_sign_in_tells_it_and_the_check_does_not_claim_to_know(desk: Desk, wrong: Unseen) -> None:
    wrong.arrange(desk)
    page, is_here = sign_in(desk, wrong.action)
    assert (is_here, wrong.says in page) == (wrong.is_told_here, True), page
    found = states(look(desk.host))
    unproved = {name: found.pop(name) for name in ("redirect_uri", "permissions", "mailbox", "worker", "overdue")}
    assert (set(unproved.values()), set(found.values())) == ({"not_checked"}, {"passed"})
