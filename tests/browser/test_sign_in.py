"""Signing in to the host in a browser that keeps cookies back as browsers do: Microsoft is another site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flask import Flask, session

from flask_ms365.simulator import Simulator, User
from tests.conftest import HostFactory, configure
from tests.hosts.browser import serving
from tests.web.door import LOGIN, door_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("policy", ["Strict", "Lax", None])
def test_the_login_holds_where_the_way_back_ends(
    chromium: Browser, make_host: HostFactory, simulator: Simulator, ana: User, policy: str | None
) -> None:
    """fault 11: the host is at localhost, the simulator at 127.0.0.1."""
    host = make_host(SESSION_COOKIE_SAMESITE=policy)
    with serving(host.app) as address:
        base = address.replace("127.0.0.1", "localhost")
        host.app.config["MS365_PUBLIC_BASE_URL"] = base
        configure(host, simulator, simulator.register_app(redirect_uris=[f"{base}/ms365/oauth/callback"]))
        door = door_of(host)
        door.save(sign_in="1")
        _remember(host.app)
        with chromium.new_context(base_url=base) as context:
            page = context.new_page()
            page.goto("/basket")
            page.goto(f"{LOGIN}?next=/who-with-basket")
            page.get_by_role("button", name="Sign in with Microsoft").click()
            page.locator("input[name=username]").fill(ana.upn)
            page.locator("input[name=password]").fill(ana.password)
            page.locator("button[value=accept]").click()
            page.wait_for_url("**/who-with-basket")
            assert page.inner_text("body") == f"{ana.oid} with a full basket"


def _remember(app: Flask) -> None:
    """Let the host keep something before anybody signs in, and tell both."""
    app.add_url_rule("/basket", "basket", lambda: session.setdefault("basket", "full"))
    app.add_url_rule(
        "/who-with-basket", "both", lambda: f"{session.get('oid')} with a {session.get('basket', 'lost')} basket"
    )
