"""The way to Microsoft and back at hosts of different kinds: cookies, mounts, proxies, and who knows the people."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import request, session
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import TestResponse

from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Host, HostFactory, configure
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft

TOKEN = "/oauth2/v2.0/token"
MY_EMAIL = "/ms365/my-email"


class Browser(Visitor):
    """A browser at ``base_url``, which keeps strict cookies back on the way from another site."""

    def __init__(self, app: Any, base_url: str = "http://localhost") -> None:
        super().__init__(app)
        self.base_url = base_url

    def open(self, *args: Any, **values: Any) -> TestResponse:
        return super().open(*args, **{"base_url": self.base_url, **values})

    def arrive(self, path: str) -> TestResponse:
        """Open ``path`` as a link of another site leads to it; then go on as a page of this one says."""
        jar = self._cookies
        assert jar is not None
        kept_back = {key: cookie for key, cookie in jar.items() if cookie.same_site == "Strict"}
        for key in kept_back:
            del jar[key]
        answer = self.get(path)
        jar.update(kept_back)
        again = re.search(r'content="0; url=([^"]+)"', answer.text)
        return self.get(html.unescape(again[1])) if again else answer


def connect(browser: Browser, user: User, mount: str = "") -> tuple[TestResponse, str]:
    """Connect from the button to the page that tells how it went; return the answer before it too."""
    token = controls(browser.get(f"{mount}{MY_EMAIL}").text)["csrf_token"]
    begun = browser.post(f"{mount}{MY_EMAIL}/connect", data={"csrf_token": token})
    answer = browser.arrive(path_of(sign_in_at_microsoft(begun.headers["Location"], user)))
    assert answer.status_code == 303, answer.text
    return answer, browser.get(answer.headers["Location"]).text


def host_with_login(make_host: HostFactory, simulator: Simulator, app: App, **config: Any) -> Host:
    """Return a host that knows its users from its session."""
    host = make_host(options={"current_user_id": lambda: session.get("user")}, **config)
    configure(host, simulator, app)

    def log_in() -> str:
        session["user"] = "ana"
        return "Hello"

    host.app.add_url_rule("/log-in", "log_in", log_in)
    return host


@pytest.mark.parametrize("policy", ["Strict", "Lax", "None", None])
def test_whatever_the_policy_of_the_hosts_cookie(
    make_host: HostFactory, simulator: Simulator, registration: App, ana: User, policy: str | None
) -> None:
    """fault 11"""
    host = host_with_login(make_host, simulator, registration, SESSION_COOKIE_SAMESITE=policy)
    browser = Browser(host.app)
    browser.get("/log-in")
    assert CONNECTED in connect(browser, ana)[1]


def test_where_the_hosts_cookie_is_for_a_whole_domain(make_host: HostFactory, simulator: Simulator, ana: User) -> None:
    """fault 11: ours stays with this host all the same."""
    origin = "https://app.example.com"
    app = simulator.register_app(redirect_uris=[f"{origin}/ms365/oauth/callback"])
    config = {"SESSION_COOKIE_DOMAIN": "example.com", "MS365_PUBLIC_BASE_URL": origin}
    browser = Browser(host_with_login(make_host, simulator, app, **config).app, origin)
    browser.get("/log-in")
    answer, page = connect(browser, ana)
    (cookie,) = [value for value in answer.headers.getlist("Set-Cookie") if "ms365-flow" in value]
    assert (CONNECTED in page, "Domain" in cookie) == (True, False)


def test_a_host_under_a_path(make_host: HostFactory, simulator: Simulator, ana: User) -> None:
    """fault 11"""
    base = "http://localhost/sub"
    app = simulator.register_app(redirect_uris=[f"{base}/ms365/oauth/callback"])
    host = make_host(MS365_PUBLIC_BASE_URL=base)
    configure(host, simulator, app)
    browser = Browser(DispatcherMiddleware(NotFound(), {"/sub": host.app}))
    answer, page = connect(browser, ana, "/sub")
    assert answer.headers["Location"].startswith("/sub/ms365/my-email?outcome=")
    assert CONNECTED in page


def test_a_host_under_a_path_with_strict_cookies(make_host: HostFactory, simulator: Simulator, ana: User) -> None:
    """fault 11"""
    base = "http://localhost/sub"
    app = simulator.register_app(redirect_uris=[f"{base}/ms365/oauth/callback"])
    config = {"SESSION_COOKIE_SAMESITE": "Strict", "SESSION_COOKIE_PATH": "/sub", "MS365_PUBLIC_BASE_URL": base}
    host = host_with_login(make_host, simulator, app, **config)
    browser = Browser(DispatcherMiddleware(NotFound(), {"/sub": host.app}))
    browser.get("/sub/log-in")
    assert CONNECTED in connect(browser, ana, "/sub")[1]


def test_a_host_that_knows_people_without_a_session(
    make_host: HostFactory, simulator: Simulator, registration: App, ana: User
) -> None:
    """fault 11: a proxy in front tells who it is; the way back needs nothing of the host's session."""
    host = make_host(options={"current_user_id": lambda: request.headers.get("X-User")})
    configure(host, simulator, registration)
    browser, known = Browser(host.app), {"X-User": "ana"}
    token = controls(browser.get(MY_EMAIL, headers=known).text)["csrf_token"]
    begun = browser.post(f"{MY_EMAIL}/connect", data={"csrf_token": token}, headers=known)
    browser.delete_cookie("session")
    answer = browser.get(path_of(sign_in_at_microsoft(begun.headers["Location"], ana)), headers=known)
    assert "session=" not in str(answer.headers)
    assert CONNECTED in browser.get(answer.headers["Location"], headers=known).text


def test_without_a_session_on_arrival_a_page_of_ours_leads_on(begun: SignInBegun) -> None:
    """fault 11: SESSION_COOKIE_SAMESITE=Strict: the host's cookie does not come along from another site."""
    query = begun.sign_in()
    begun.host.user_id = None
    arrival = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    begun.host.user_id = "ana"
    assert arrival.status_code == 200
    assert CONNECTED in come_back(begun.visitor, _continue_query(arrival))


def test_somebody_who_is_signed_out_is_led_on_once_only(begun: SignInBegun) -> None:
    begun.host.user_id = None
    arrival = begun.visitor.get(f"{CALLBACK_PATH}?{begun.sign_in()}")
    again = begun.visitor.get(f"{CALLBACK_PATH}?{_continue_query(arrival)}")
    assert "begun by another user" in again.text
    assert begun.simulator.count("POST", TOKEN) == 0


def test_the_page_that_leads_on_repeats_nothing_hostile(begun: SignInBegun) -> None:
    begun.host.user_id = None
    hostile = urlencode({"state": "x", "code": '"><script>alert(1)</script>', "next": "//evil.example"})
    page = begun.visitor.get(f"{CALLBACK_PATH}?{hostile}").text
    assert "<script>alert" not in page
    assert "url=/ms365/oauth/callback?" in page


def test_behind_a_proxy_that_hides_https_the_cookie_is_found_again(
    make_host: HostFactory, simulator: Simulator, ana: User
) -> None:
    app = simulator.register_app(redirect_uris=["https://app.example.com/ms365/oauth/callback"])
    host = make_host(
        MS365_CLIENT_ID=app.client_id,
        MS365_CLIENT_SECRET=app.client_secret,
        MS365_TENANT_ID=simulator.tenant_id,
    )
    host.app.config["MS365_PUBLIC_BASE_URL"] = "https://app.example.com"
    assert CONNECTED in _connect_behind_proxy(host.visitor(), ana)


def _connect_behind_proxy(visitor: Visitor, user: User) -> str:
    """Connect as a browser would: it sends a Secure cookie over its https, which the app sees as http."""
    token = controls(visitor.get("/ms365/my-email").text)["csrf_token"]
    started = visitor.post("/ms365/my-email/connect", data={"csrf_token": token})
    name, _, rest = started.headers["Set-Cookie"].partition("=")
    visitor.set_cookie(name, rest.partition(";")[0])
    answer = visitor.get(path_of(sign_in_at_microsoft(started.headers["Location"], user)))
    return visitor.get(answer.headers["Location"]).text


def _continue_query(arrival: TestResponse) -> str:
    link = arrival.text.partition('href="/ms365/oauth/callback?')[2].partition('"')[0]
    return link.replace("&amp;", "&")
