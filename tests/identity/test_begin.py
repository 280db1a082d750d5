"""*Connect*: what the browser is sent away with, and what is kept of it."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

import pytest
from sqlalchemy import select

from flask_ms365.models import OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import CALLBACK, Host, HostFactory
from tests.identity.conftest import SignInBegun, session_of
from tests.visitor import controls


@pytest.fixture
def begun(configured: Host, simulator: Simulator, registration: App, ana: User) -> SignInBegun:
    """Return a sign-in that Ana began by pressing the button."""
    visitor = configured.visitor()
    return SignInBegun(configured, simulator, registration, ana, visitor, visitor.start_connect())


def test_it_leads_to_the_tenant_in_the_settings(begun: SignInBegun) -> None:
    assert begun.url.startswith(f"{begun.simulator.url}/{begun.simulator.tenant_id}/oauth2/v2.0/authorize?")


def test_it_asks_for_a_code_in_the_query_and_an_account_of_ones_choice(begun: SignInBegun) -> None:
    asked = begun.asked
    assert (asked["response_type"], asked["response_mode"], asked["prompt"]) == ("code", "query", "select_account")


def test_it_asks_for_the_least_permissions(begun: SignInBegun) -> None:
    assert begun.asked["scope"].split() == ["openid", "profile", "offline_access", "User.Read", "Mail.Read"]


def test_the_redirect_uri_is_the_configured_one(begun: SignInBegun) -> None:
    assert begun.asked["redirect_uri"] == CALLBACK


def test_the_code_challenge_hides_a_verifier_that_only_we_have(begun: SignInBegun) -> None:
    flow = _flow(begun.host)
    keyring = begun.host.app.extensions["ms365.state"].keyring
    verifier = keyring.open(flow.code_verifier, f"ms365_oauth_flow:{flow.id}:code_verifier")
    digest = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert (begun.asked["code_challenge"], begun.asked["code_challenge_method"]) == (digest, "S256")


def test_state_nonce_and_challenge_are_new_each_time(begun: SignInBegun) -> None:
    again = SignInBegun(**{**vars(begun), "url": begun.visitor.start_connect()})
    for name in ("state", "nonce", "code_challenge"):
        assert again.asked[name] != begun.asked[name]


def test_only_hashes_of_state_and_cookie_are_kept(begun: SignInBegun) -> None:
    flow = _flow(begun.host)
    cookie = begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    assert flow.id == hashlib.sha256(begun.asked["state"].encode()).hexdigest()
    assert flow.binding == hashlib.sha256(cookie.value.encode()).hexdigest()


def test_the_cookie_is_for_this_browser_for_ten_minutes(begun: SignInBegun) -> None:
    cookie = begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site, cookie.max_age, cookie.secure) == (True, "Lax", 600, False)


def test_on_https_no_other_subdomain_can_plant_the_cookie(
    make_host: HostFactory, registration: App, simulator: Simulator
) -> None:
    visitor = _https_host(make_host, registration, simulator).visitor()
    answer = visitor.submit("/ms365/my-email", {}, to="/ms365/my-email/connect")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-ms365-flow=")
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in cookie
    assert "Domain" not in cookie


def test_a_form_without_token_begins_nothing(configured: Host) -> None:
    answer = configured.visitor().post("/ms365/my-email/connect")
    assert answer.status_code == 400
    assert "press the button again" in answer.text


def test_the_address_cannot_be_opened_as_a_link(configured: Host) -> None:
    assert configured.visitor().get("/ms365/my-email/connect").status_code == 405


def test_nobody_in_particular_connects_nothing(configured: Host) -> None:
    configured.user_id = None
    assert "Sign in to this app first" in configured.visitor().get("/ms365/my-email").text
    assert configured.visitor().post("/ms365/my-email/connect").status_code == 400


@pytest.mark.parametrize(
    ("config_key", "words"),
    [
        ("MS365_PUBLIC_BASE_URL", "confirm the redirect URI"),
        ("MS365_TENANT_ID", "Directory (Tenant) ID is missing"),
    ],
)
def test_what_is_missing_is_said_before_microsoft_is_asked(
    make_host: HostFactory, registration: App, simulator: Simulator, config_key: str, words: str
) -> None:
    host = make_host(**_credentials(registration, simulator))
    visitor = host.visitor()
    form = controls(visitor.get("/ms365/my-email").text)
    host.app.config[config_key] = None
    answer = visitor.post("/ms365/my-email/connect", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ms365/my-email")
    assert words in visitor.get("/ms365/my-email").text


def _credentials(registration: App, simulator: Simulator) -> dict[str, str]:
    return {
        "MS365_CLIENT_ID": registration.client_id,
        "MS365_CLIENT_SECRET": registration.client_secret,
        "MS365_TENANT_ID": simulator.tenant_id,
    }


def _https_host(make_host: HostFactory, registration: App, simulator: Simulator) -> Host:
    """Return a host that people know as https, while a proxy speaks http to it."""
    host = make_host(**_credentials(registration, simulator))
    host.app.config["MS365_PUBLIC_BASE_URL"] = "https://app.example.com"
    return host


def _flow(host: Host) -> OAuthFlow:
    with host.app.app_context():
        found: OAuthFlow = session_of(host).scalars(select(OAuthFlow)).one()
        return found
