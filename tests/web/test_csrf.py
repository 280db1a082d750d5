"""No other site makes a visitor of this one change anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from flask_ms365.crypto import generate_key
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SETTINGS, stored

HOSTS: dict[str, Callable[[HostFactory], Host]] = {
    "a host without protection": lambda make: make(),
    "a host that switched it off": lambda make: make(WTF_CSRF_ENABLED=False),
    "a host that checks itself": lambda make: _protected(make()),
    "a host that checks some views": lambda make: _protected(make(WTF_CSRF_CHECK_DEFAULT=False)),
}


def _protected(host: Host) -> Host:
    CSRFProtect(host.app)
    return host


@pytest.fixture(params=HOSTS)
def each_host(make_host: HostFactory, request: pytest.FixtureRequest) -> Host:
    return HOSTS[request.param](make_host)


def test_a_save_with_the_pages_token_is_carried_out(each_host: Host) -> None:
    assert each_host.visitor().submit(SETTINGS, FILLED_IN).status_code == 303


@pytest.mark.parametrize("token", [None, "", "forged"])
def test_a_save_without_the_pages_token_changes_nothing(each_host: Host, token: str | None) -> None:
    answer = each_host.visitor().submit(SETTINGS, {**FILLED_IN, "csrf_token": token})
    assert (answer.status_code in (200, 400), stored(each_host)) == (True, {})


def test_a_token_of_another_browser_changes_nothing(host: Host) -> None:
    token = controls(host.visitor().get(SETTINGS).text)["csrf_token"]
    host.visitor().submit(SETTINGS, {**FILLED_IN, "csrf_token": token})
    assert stored(host) == {}


def test_a_page_that_was_open_too_long_keeps_what_was_typed(visitor: Visitor) -> None:
    page = visitor.submit(SETTINGS, {**FILLED_IN, "csrf_token": "expired"}).text
    assert ("open too long" in page, controls(page)["tenant_id-value"]) == (True, "contoso.com")


def test_a_page_that_was_open_too_long_still_meets_a_conflict(host: Host, visitor: Visitor) -> None:
    opened = controls(visitor.get(SETTINGS).text)
    visitor.submit(SETTINGS, FILLED_IN)
    again = controls(visitor.post(SETTINGS, data={**opened, **FILLED_IN, "csrf_token": "expired"}).text)
    visitor.post(SETTINGS, data={**again, "tenant_id-value": "fabrikam.com"})
    assert stored(host)["tenant_id"] == "contoso.com"


def test_connecting_needs_the_token_too(configured: Host) -> None:
    assert configured.visitor().post("/ms365/my-email/connect").status_code == 400


def test_connecting_is_no_link(visitor: Visitor) -> None:
    assert visitor.get("/ms365/my-email/connect").status_code == 405


def post_with(visitor: Visitor, headers: dict[str, str]) -> TestResponse:
    return visitor.post(SETTINGS, data={**controls(visitor.get(SETTINGS).text), **FILLED_IN}, headers=headers)


FROM_ELSEWHERE = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://localhost:8080"},
    {"Origin": "http://evil@localhost"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "localhost"},
]
FROM_HERE = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]


def test_a_post_of_another_site_is_refused_even_with_a_token(visitor: Visitor) -> None:
    refused = [headers for headers in FROM_ELSEWHERE if post_with(visitor, headers).status_code == 403]
    assert refused == FROM_ELSEWHERE


def test_a_post_of_this_site_is_carried_out(visitor: Visitor) -> None:
    assert [headers for headers in FROM_HERE if post_with(visitor, headers).status_code == 303] == FROM_HERE


def test_a_proxy_that_changes_the_host_does_not_make_a_stranger_of_the_page(tmp_path: Path) -> None:
    config = {"MS365_ENCRYPTION_KEYS": generate_key(), "MS365_PUBLIC_BASE_URL": "https://app.example.com"}
    visitor = bare_host(tmp_path, **config).visitor()
    assert post_with(visitor, {"Origin": "https://app.example.com"}).status_code == 303
