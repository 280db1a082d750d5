"""An admin allows the app for everybody: by a button, by a link to forward, and when people are stuck without."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from sqlalchemy import select

from flask_ms365.models import AuditEvent, Connection, Mailbox, OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import CALLBACK, Host
from tests.identity.conftest import session_of
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft

SETUP = "/ms365/setup"
GRANT = "/ms365/setup/consent"


@pytest.fixture
def admin(simulator: Simulator) -> User:
    user = simulator.add_user("admin@contoso.example", name="Admin", password="admin")
    user.is_admin = True
    return user


def press(visitor: Visitor) -> str:
    """Press the button; return the address at Microsoft that it leads to."""
    token = controls(visitor.get(SETUP).text)["csrf_token"]
    answer = visitor.post(GRANT, data={"csrf_token": token})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def come_back(visitor: Visitor, url: str, **query: str) -> str:
    """Return from Microsoft with the right state and ``query``; return the page that this leads to."""
    state = parse_qs(urlsplit(url).query)["state"][0]
    answer = visitor.get(f"/ms365/oauth/callback?{urlencode({'state': state, **query})}")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{SETUP}?outcome=")
    return visitor.get(answer.headers["Location"]).text


def consents(host: Host) -> int:
    with host.app.app_context():
        return len(session_of(host).scalars(select(AuditEvent).where(AuditEvent.action == "consent.given")).all())


def test_the_button_leads_to_microsoft_with_the_same_redirect_uri(configured: Host, simulator: Simulator) -> None:
    url = press(configured.visitor())
    asked = parse_qs(urlsplit(url).query)
    assert url.startswith(f"{simulator.url}/{simulator.tenant_id}/v2.0/adminconsent?")
    assert (asked["redirect_uri"], "Mail.Read" in asked["scope"][0].split()) == ([CALLBACK], True)


def test_an_admin_who_accepts_comes_back_to_the_guide(configured: Host, admin: User) -> None:
    visitor = configured.visitor()
    back = sign_in_at_microsoft(press(visitor), admin)
    answer = visitor.get(path_of(back))
    assert "Admin consent was given" in visitor.get(answer.headers["Location"]).text
    assert consents(configured) == 1


@pytest.mark.parametrize("error", ["consent_required", "access_denied", "permission_denied"])
def test_the_error_counts_also_where_consent_is_claimed_beside_it(configured: Host, error: str) -> None:
    visitor = configured.visitor()
    answer = {"error": error, "error_description": "AADSTS65004: ...", "admin_consent": "True", "tenant": "x"}
    assert "Admin consent was not given" in come_back(visitor, press(visitor), **answer)
    assert consents(configured) == 0


def test_an_answer_that_says_nothing_gives_nothing(configured: Host) -> None:
    visitor = configured.visitor()
    assert "could not be read" in come_back(visitor, press(visitor), tenant="x")
    assert consents(configured) == 0


def test_the_tenant_that_comes_back_is_believed_nowhere(configured: Host) -> None:
    visitor = configured.visitor()
    page = come_back(visitor, press(visitor), admin_consent="True", tenant="<script>alert(1)</script>")
    assert "Admin consent was given" in page
    assert "<script>alert" not in page


def test_it_is_bound_to_the_browser_and_works_once(configured: Host) -> None:
    visitor = configured.visitor()
    url = press(visitor)
    assert "another browser" in come_back(configured.visitor(), url, admin_consent="True")
    assert consents(configured) == 0


@pytest.mark.parametrize("form", [{}, {"csrf_token": "x"}])
def test_without_its_token_the_button_begins_nothing(configured: Host, form: dict[str, str]) -> None:
    assert configured.visitor().post(GRANT, data=form).headers["Location"] == SETUP
    with configured.app.app_context():
        assert session_of(configured).scalars(select(OAuthFlow)).all() == []


def test_more_is_asked_for_only_where_a_mailbox_needs_it(connected: Host) -> None:
    with connected.app.app_context():
        session_of(connected).scalars(select(Mailbox)).one().access = "shared"
        session_of(connected).commit()
    assert "Mail.Read.Shared" in parse_qs(urlsplit(press(connected.visitor())).query)["scope"][0]


def test_who_may_not_consent_gets_a_message_for_the_admin(
    configured: Host, registration: App, simulator: Simulator, ana: User
) -> None:
    registration.needs_admin_consent = True
    visitor = configured.visitor()
    back = sign_in_at_microsoft(visitor.start_connect(), ana, action="return")
    page = visitor.get(visitor.get(path_of(back)).headers["Location"]).text
    assert "Ask your Microsoft admin" in page
    assert f"/{simulator.tenant_id}/v2.0/adminconsent?client_id={quote(registration.client_id)}" in page


def test_who_only_declined_gets_none(configured: Host, ana: User) -> None:
    visitor = configured.visitor()
    back = sign_in_at_microsoft(visitor.start_connect(), ana, action="cancel")
    assert "Ask your Microsoft admin" not in visitor.get(visitor.get(path_of(back)).headers["Location"]).text


def test_a_permission_that_was_left_out_is_named(configured: Host, registration: App, ana: User) -> None:
    """fault 19: fewer scopes granted than asked for"""
    registration.withheld_scopes = {"Mail.Read"}
    assert "the permission to read mail: Mail.Read." in configured.visitor().connect(ana).text


def test_app_permissions_are_asked_for_as_the_registration_lists_them(
    connected: Host, simulator: Simulator, registration: App, admin: User
) -> None:
    with connected.app.app_context():
        session_of(connected).scalars(select(Mailbox)).one().access = "application"
        session_of(connected).commit()
    visitor = connected.visitor()
    url = press(visitor)
    assert parse_qs(urlsplit(url).query)["scope"] == [f"{simulator.url}/.default"]
    registration.withdraw_consent()
    visitor.get(path_of(sign_in_at_microsoft(url, admin)))
    assert "Mail.Read" in registration.application_permissions


def test_without_the_permission_for_the_profile_mail_is_read_and_it_is_told(
    configured: Host, registration: App, ana: User
) -> None:
    """fault 19: fewer scopes granted than asked for"""
    registration.withheld_scopes = {"User.Read"}
    page = configured.visitor().connect(ana).text
    assert ("Your mail is being read" in page, "Microsoft did not grant: User.Read." in page) == (True, True)
    assert "ana@contoso.example" in page


def test_the_connection_check_offers_consent_where_it_is_missing(connected: Host) -> None:
    with connected.app.app_context():
        session_of(connected).scalars(select(Connection)).one().granted_scopes = ["Mail.Read"]
        session_of(connected).commit()
    visitor = connected.visitor()
    answer = visitor.submit("/ms365/check", {})
    page = visitor.get(answer.headers["Location"]).text
    assert f'action="{GRANT}"' in page
