"""Wrong credentials, platforms and redirect URIs. Over the simulator only."""

from __future__ import annotations

import pytest

from .client import REDIRECT_URI, Desk, error_of, page_error_of, post

VERIFIER = "v" * 64


def test_a_code_takes_a_secret_or_is_7000218(desk: Desk) -> None:
    assert error_of(desk.redeem(desk.code(), client_secret=None)) == (401, "invalid_client", 7000218)


def test_an_app_with_certificates_alone_knows_no_secret(desk: Desk) -> None:
    secret = desk.app.client_secret
    desk.app.remove_secret(secret)
    assert error_of(desk.app_only(client_secret=secret))[2] == 7000215


def test_a_public_client_may_not_present_a_secret(desk: Desk) -> None:
    desk.app.platform = "public"
    code = desk.code()
    assert error_of(desk.app_only()) == (401, "invalid_client", 700025)
    assert error_of(desk.redeem(code)) == (401, "invalid_client", 700025)
    assert desk.redeem(code, client_secret=None).status == 200


def test_a_single_page_app_redeems_in_a_browser_alone(desk: Desk) -> None:
    desk.app.platform = "spa"
    assert error_of(desk.redeem(desk.code())) == (400, "invalid_request", 9002327)


def test_a_single_page_app_redeems_with_pkce_and_without_a_secret(desk: Desk) -> None:
    desk.app.platform = "spa"
    url = f"{desk.simulator.url}/{desk.simulator.tenant_id}/oauth2/v2.0/token"
    fields = {
        "client_id": desk.app.client_id,
        "grant_type": "authorization_code",
        "code": desk.code(code_challenge=VERIFIER),
        "redirect_uri": REDIRECT_URI,
    }
    assert error_of(post(url, fields, Origin="http://localhost:5000"))[2] == 9002325
    assert post(url, fields | {"code_verifier": VERIFIER}, Origin="http://localhost:5000").status == 200


def test_the_secret_of_a_single_page_app_is_good_for_tokens_of_its_own(desk: Desk) -> None:
    desk.app.platform = "spa"
    assert desk.app_only().status == 200


def test_no_browser_redeems_the_code_of_a_web_app(desk: Desk) -> None:
    url = f"{desk.simulator.url}/{desk.simulator.tenant_id}/oauth2/v2.0/token"
    fields = {
        "client_id": desk.app.client_id,
        "client_secret": desk.app.client_secret,
        "grant_type": "authorization_code",
        "code": desk.code(),
        "redirect_uri": REDIRECT_URI,
    }
    assert error_of(post(url, fields, Origin="https://evil.example")) == (400, "invalid_request", 9002326)


def test_an_app_without_any_redirect_uri_is_500113(desk: Desk) -> None:
    desk.app.redirect_uris.clear()
    assert page_error_of(desk.authorize()) == (True, 500113)


def test_a_request_without_redirect_uri_is_900971(desk: Desk) -> None:
    assert page_error_of(desk.authorize(redirect_uri=None)) == (True, 900971)


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://localhost:5000/MS365/oauth/callback",
        "http://localhost:5000/ms365/oauth/callback/",
        "https://localhost:5000/ms365/oauth/callback",
        "http://localhost:5000/ms365/oauth/callback?x=1",
    ],
)
def test_a_redirect_uri_matches_exactly_or_is_50011(desk: Desk, redirect_uri: str) -> None:
    assert page_error_of(desk.authorize(redirect_uri=redirect_uri)) == (True, 50011)


def test_the_port_of_localhost_is_not_compared(desk: Desk) -> None:
    assert desk.authorize(redirect_uri=REDIRECT_URI.replace("5000", "8080")).status == 200


@pytest.mark.parametrize(("host", "is_accepted"), [("127.0.0.1:5000", True), ("app.example", False)])
def test_http_is_for_the_loopback_alone(desk: Desk, host: str, is_accepted: bool) -> None:
    desk.app.redirect_uris.append(f"http://{host}/callback")
    assert (page_error_of(desk.authorize(redirect_uri=f"http://{host}/callback"))[1] == 0) is is_accepted
