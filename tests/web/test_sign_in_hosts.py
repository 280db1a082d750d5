"""*Sign in with Microsoft* at hosts of different kinds."""

from __future__ import annotations

import html
import re

import pytest
from flask import Flask, session
from flask_wtf import CSRFProtect

from flask_ms365 import MS365
from flask_ms365.models import OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Host, HostFactory, configure
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft
from tests.web.door import BUTTON, LOGIN, SIGN_IN, Door, door_of


@pytest.fixture
def strict(make_host: HostFactory, registration: App, simulator: Simulator) -> Door:
    """Return a host whose session cookie browsers keep back on the way from Microsoft."""
    host = make_host(SESSION_COOKIE_SAMESITE="Strict")
    configure(host, simulator, registration)
    door = door_of(host)
    door.save(sign_in="1")
    return door


def back_from_microsoft(door: Door, visitor: Visitor, ana: User) -> str:
    """Return the address that Microsoft sends the browser back to."""
    return path_of(sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana))


def test_under_a_strict_policy_the_way_back_passes_by_a_page_of_the_hosts_own(strict: Door, ana: User) -> None:
    """fault 11: only what that page opens is sent the session, and so is where it leads on to."""
    visitor = strict.host.visitor()
    visitor.get(LOGIN)
    cookie = visitor.get_cookie("session")
    assert cookie is not None
    back = back_from_microsoft(strict, visitor, ana)
    visitor.delete_cookie("session")  # what the browser does on the way from another site
    page = visitor.get(back)
    again = re.search(r'content="0; url=([^"]+)"', page.text)
    assert (again is not None, strict.told) == (True, [])

    visitor.set_cookie("session", cookie.value)
    answer = visitor.get(html.unescape(again[1] if again else ""))
    assert (answer.status_code, answer.headers["Location"], len(strict.told)) == (303, "/", 1)
    assert visitor.get("/who").text == ana.oid


def test_the_login_of_the_host_is_set_with_its_own_policy(strict: Door, ana: User) -> None:
    visitor = strict.host.visitor()
    answer = visitor.get(f"{back_from_microsoft(strict, visitor, ana)}&ms365_again=1")
    (login,) = [value for value in answer.headers.getlist("Set-Cookie") if value.startswith("session=")]
    assert "SameSite=Strict" in login


def test_what_the_host_had_in_its_session_is_still_there(strict: Door, ana: User) -> None:
    strict.host.app.add_url_rule("/basket", "basket", lambda: session.setdefault("basket", "full"))
    strict.host.app.add_url_rule("/both", "both", lambda: f"{session['basket']} {session['oid']}")
    visitor = strict.host.visitor()
    visitor.get("/basket")
    visitor.get(f"{back_from_microsoft(strict, visitor, ana)}&ms365_again=1")
    assert visitor.get("/both").text == f"full {ana.oid}"


@pytest.mark.parametrize("policy", ["Lax", "None", None])
def test_otherwise_the_way_back_is_straight(
    make_host: HostFactory, registration: App, simulator: Simulator, ana: User, policy: str | None
) -> None:
    """fault 11"""
    host = make_host(SESSION_COOKIE_SAMESITE=policy)
    configure(host, simulator, registration)
    door = door_of(host)
    door.save(sign_in="1")
    assert (door.arrive(ana).status_code, len(door.told)) == (303, 1)


def test_a_host_that_checks_its_forms_itself(door: Door, ana: User) -> None:
    CSRFProtect(door.host.app)
    door.arrive(ana)
    assert len(door.told) == 1


def test_a_forged_form_begins_nothing(door: Door) -> None:
    answer = door.host.visitor().post(SIGN_IN, data={"csrf_token": "forged"})
    assert (answer.status_code, "ms365-flow" in str(answer.headers), door.all(OAuthFlow)) == (200, False, [])


def test_another_site_cannot_begin_one_even_with_a_token(door: Door) -> None:
    visitor = door.host.visitor()
    values = controls(visitor.get(LOGIN).text)
    answer = visitor.post(SIGN_IN, data=values, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_the_button_works_under_the_strictest_policy_and_without_our_style(door: Door) -> None:
    page = door.host.visitor().get(LOGIN).text
    assert BUTTON in page
    assert [
        word for word in ("<script", "<style", "style=", "onclick", "<link", "http:", "https:") if word in page
    ] == []


def test_the_policy_of_our_page_lets_the_button_reach_microsoft(door: Door, simulator: Simulator) -> None:
    policy = door.host.visitor().get(f"{SIGN_IN}?outcome=state").headers["Content-Security-Policy"]
    assert f"form-action 'self' {simulator.url}" in policy


def test_two_apps_of_one_extension_share_the_handler(tmp_path_factory: pytest.TempPathFactory) -> None:
    ms365 = MS365()
    apps = [Flask(name, instance_path=str(tmp_path_factory.mktemp(name))) for name in ("one", "two")]
    for app in apps:
        app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external")
        ms365.init_app(app)
    ms365.sign_in(lambda identity: None)
    assert [app.extensions["ms365.state"].host_sign_in.handler is None for app in apps] == [False, False]


def test_the_last_handler_counts(host: Host) -> None:
    host.ms365.sign_in(lambda identity: "first")

    @host.ms365.sign_in
    def second(identity: object) -> str:
        return "second"

    assert host.app.extensions["ms365.state"].host_sign_in.handler is second
