"""The redirect URI: what Entra must be told, whatever a Host header or a proxy says. Raw WSGI throughout."""

from __future__ import annotations

from pathlib import Path

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_ms365.crypto import generate_key
from tests.conftest import Host
from tests.hosts.bare import bare_host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SETTINGS, redirect_uri_on, stored

PUBLIC = "https://app.example.com/sub"
LIES = [
    {"Host": "evil"},
    {"Host": "APP.EXAMPLE.COM"},
    {"Host": "app.example.com."},
    {"Host": "app.example.com:8443"},
    {"Host": "a b"},
    {"Host": ""},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"},
    {"X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil.example"},
]


@pytest.fixture
def fixed(tmp_path: Path) -> Host:
    """Return a host whose public address is configured."""
    return bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key(), MS365_PUBLIC_BASE_URL=PUBLIC)


@pytest.fixture
def guessing(tmp_path: Path) -> Host:
    """Return a host that has not said where it is."""
    return bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())


def sent_uri(visitor: Visitor) -> str:
    """Press Connect; return the redirect URI that Microsoft is told."""
    location = visitor.start_connect()
    return location.partition("redirect_uri=")[2].partition("&")[0]


def shown_uris(host: Host, claims: list[dict[str, str]]) -> set[str]:
    return {redirect_uri_on(host.visitor().get(SETTINGS, headers=headers).text) for headers in claims}


def test_a_configured_address_is_shown_whatever_a_request_claims(fixed: Host) -> None:
    assert shown_uris(fixed, LIES) == {f"{PUBLIC}/ms365/oauth/callback"}


def test_forwarded_headers_count_for_nothing_without_a_proxy(guessing: Host) -> None:
    forwarded = [lie for lie in LIES if "Host" not in lie]
    assert shown_uris(guessing, forwarded) == {"http://localhost/ms365/oauth/callback"}


def test_a_host_behind_a_proxy_may_trust_what_it_forwards(guessing: Host) -> None:
    guessing.app.wsgi_app = ProxyFix(guessing.app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    forwarded = {"X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/sub"}
    page = guessing.visitor().get(SETTINGS, headers=forwarded).text
    assert redirect_uri_on(page) == "https://a.example/sub/ms365/oauth/callback"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_prefix_of_the_server_comes_from_the_configured_address_alone(tmp_path: Path, slash: str) -> None:
    host = bare_host(tmp_path, MS365_PUBLIC_BASE_URL=PUBLIC + slash, MS365_URL_PREFIX="/admin/mail")
    page = host.visitor().get("/admin/mail/settings", base_url="http://10.0.0.5/sub").text
    assert redirect_uri_on(page) == f"{PUBLIC}/admin/mail/oauth/callback"


def test_what_is_shown_is_what_is_sent(configured: Host) -> None:
    visitor = configured.visitor()
    shown = redirect_uri_on(visitor.get(SETTINGS).text)
    assert sent_uri(visitor) == shown.replace(":", "%3A").replace("/", "%2F")


def test_the_value_can_be_copied_but_not_typed_into(fixed: Host) -> None:
    page = fixed.visitor().get(SETTINGS).text
    assert ('data-ms365-copy="ms365-redirect-uri"' in page, "redirect_uri" in controls(page)) == (True, False)


def test_an_address_that_differs_from_the_browsers_is_warned_of(fixed: Host) -> None:
    page = fixed.visitor().get(SETTINGS, base_url="http://10.0.0.5").text
    assert ("You opened this page as http://10.0.0.5" in page, "ProxyFix" in page) == (True, True)


def test_spellings_of_one_address_are_no_difference(fixed: Host) -> None:
    spellings = ["app.example.com", "APP.example.com", "app.example.com:443", "app.example.com."]
    pages = [fixed.visitor().get(SETTINGS, base_url=f"https://{name}/sub").text for name in spellings]
    assert [page for page in pages if "You opened this page" in page] == []


def test_an_address_that_microsoft_will_refuse_is_warned_of(guessing: Host) -> None:
    assert "Microsoft accepts only https" in guessing.visitor().get(SETTINGS, base_url="http://app.example").text


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/" + "x" * 250, "at most 256 characters"),
        ("/a(b)", "does not accept the character ("),
        ("/a;b", "does not accept the character ;"),
        ("/a*", "does not accept the character *"),
    ],
)
def test_microsofts_own_rules_are_told(tmp_path: Path, path: str, said: str) -> None:
    host = bare_host(tmp_path, MS365_PUBLIC_BASE_URL=f"https://app.example.com{path}")
    assert said in host.visitor().get(SETTINGS).text


def test_loopback_by_its_number_goes_through_the_manifest(tmp_path: Path) -> None:
    host = bare_host(tmp_path, MS365_PUBLIC_BASE_URL="http://127.0.0.1:5000")
    assert "takes http for localhost only" in host.visitor().get(SETTINGS).text


def test_localhost_is_good(tmp_path: Path) -> None:
    host = bare_host(tmp_path, MS365_PUBLIC_BASE_URL="http://localhost")
    assert "ms365-caution" not in host.visitor().get(SETTINGS).text


@pytest.mark.parametrize(
    ("address", "headers", "said"),
    [
        ("http://app.example.com/sub", {}, "Let it send X-Forwarded-Proto, and add ProxyFix(x_proto=1)"),
        ("https://10.0.0.5/sub", {}, "Let it send X-Forwarded-Host, and add ProxyFix(x_host=1)"),
        ("https://app.example.com", {}, "Let it send X-Forwarded-Prefix, and add ProxyFix(x_prefix=1)"),
        (
            "http://10.0.0.5/sub",
            {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "app.example.com"},
            "X-Forwarded-Proto, X-Forwarded-Host, but the app does not read that: add ProxyFix(x_proto=1, x_host=1)",
        ),
    ],
)
def test_the_missing_proxy_setting_is_named(fixed: Host, address: str, headers: dict[str, str], said: str) -> None:
    assert said in fixed.visitor().get("/ms365/settings", base_url=address, headers=headers).text


def test_a_guess_is_called_one(guessing: Host) -> None:
    assert "a guess from this request" in guessing.visitor().get(SETTINGS).text


def test_nobody_connects_to_a_guess(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, FILLED_IN)
    page = visitor.get("/ms365/my-email").text
    assert ("An admin must confirm the redirect URI" in page, "Connect your" in page) == (True, False)


def test_a_forged_connect_does_not_get_around_the_guess(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, FILLED_IN)
    answer = visitor.submit(SETTINGS, {}, to="/ms365/my-email/connect")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ms365/my-email")


def test_a_confirmed_guess_stands(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "confirm_redirect_uri": "y"})
    page = visitor.get(SETTINGS, headers={"Host": "evil"}).text
    assert redirect_uri_on(page) == "http://localhost/ms365/oauth/callback"


def test_a_confirmed_guess_opens_connect(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "confirm_redirect_uri": "y"})
    assert sent_uri(visitor) == "http%3A%2F%2Flocalhost%2Fms365%2Foauth%2Fcallback"


def test_a_refused_save_confirms_nothing(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-value": "..", "confirm_redirect_uri": "y"})
    assert ("a guess from this request" in visitor.get(SETTINGS).text, stored(guessing)) == (True, {})


def test_after_a_move_the_new_address_can_be_confirmed(guessing: Host) -> None:
    visitor = guessing.visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "confirm_redirect_uri": "y"})
    moved = "https://new.example"
    values = controls(visitor.get(SETTINGS, base_url=moved).text)
    visitor.post(SETTINGS, base_url=moved, data={**values, "confirm_redirect_uri": "y"})
    assert redirect_uri_on(visitor.get(SETTINGS).text) == f"{moved}/ms365/oauth/callback"


def test_what_is_no_address_cannot_be_confirmed(guessing: Host) -> None:
    assert "confirm_redirect_uri" not in guessing.visitor().get(SETTINGS, headers={"Host": "a b"}).text
