"""Where a sign-in to the host leads on to: a path of the host, whatever it was asked for."""

from __future__ import annotations

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from flask_ms365.simulator import User
from flask_ms365.web.sign_in import path_of_this_host
from tests.visitor import controls, path_of, sign_in_at_microsoft
from tests.web.door import LOGIN, SIGN_IN, Door

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "////evil.example/..",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "\\\\evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/desk\\..\\evil",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "?x=1",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/\n/evil.example",
    "/desk\r\nSet-Cookie: a=b",
    "/desk\r\n\r\n<script>",
    "/desk\0",
    "/%09/evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "/%2Fevil.example",
    "/%5Cevil.example",
    "%2F%2Fevil.example",
    "/\uff0fevil.example",
    "/\uff3cevil.example",
    "/%EF%BC%8Fevil.example",
    "\u2044\u2044evil.example",
    "/\u2028/evil.example",
    "/\u200b/evil.example",
    "/\u00a0/evil.example",
    "/\u202ede/evil.example",
    "/" + "x" * 2000,
    "",
]
HERE = ["/", "/desk", "/desk/7?tab=2&x=a%20b#top", "/sub/desk", "/search?from=https://a.example//b", "/\u00fcbersicht"]


@pytest.mark.parametrize("path", ELSEWHERE)
def test_what_may_lead_elsewhere_leads_to_the_first_page(door: Door, ana: User, path: str) -> None:
    """fault 20"""
    answer = door.arrive(ana, next_=path)
    assert (answer.status_code, answer.headers["Location"], "Set-Cookie: a=b" in str(answer.headers)) == (
        303,
        "/",
        False,
    )


@pytest.mark.parametrize("path", HERE)
def test_a_path_of_the_host_is_kept(path: str) -> None:
    assert path_of_this_host(path) == path


def test_a_path_in_any_script_arrives(door: Door, ana: User) -> None:
    assert door.arrive(ana, next_="/\u00fcbersicht").headers["Location"] == "/%C3%BCbersicht"


def test_where_to_go_is_not_in_any_address(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    url = door.begin(visitor, next_="/very-special").headers["Location"]
    back = sign_in_at_microsoft(url, ana)
    assert ("very-special" in url, "very-special" in back) == (False, False)


def test_the_host_says_on_its_page_where_to_go(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    values = controls(visitor.get(f"{LOGIN}?next=/desk").text)
    url = visitor.post(SIGN_IN, data=values).headers["Location"]
    assert visitor.get(path_of(sign_in_at_microsoft(url, ana))).headers["Location"] == "/desk"


def test_below_a_path_the_first_page_is_the_hosts_own(door: Door, ana: User) -> None:
    """fault 11"""
    client = Client(DispatcherMiddleware(lambda *_: [], {"/sub": door.host.app}))
    values = controls(client.get(f"/sub{LOGIN}").text)
    url = client.post(f"/sub{SIGN_IN}", data=values).headers["Location"]
    answer = client.get(f"/sub{path_of(sign_in_at_microsoft(url, ana))}")
    assert answer.headers["Location"] == "/sub/"
