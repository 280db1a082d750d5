"""The claims about Microsoft, over the simulator always and over a real tenant where the environment names one.

A real tenant is named by MS365_LIVE_TENANT_ID, _CLIENT_ID, _CLIENT_SECRET and _MAILBOX (app-only Mail.Read). Tests that
take `place` run there, too; those that take `desk` need a person's sign-in or a fault, and have the simulator alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from flask_ms365.simulator import Simulator

from .client import REDIRECT_URI, Desk, Graph, Place

_LIVE = {
    name: os.environ.get(f"MS365_LIVE_{name.upper()}", "")
    for name in ("tenant_id", "client_id", "client_secret", "mailbox")
}


@pytest.fixture(scope="session")
def _server() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def desk(_server: Simulator) -> Desk:
    """A fresh simulator with one app and one person: for claims that need sign-in or faults."""
    _server.reset()
    app = _server.register_app([REDIRECT_URI, "http://localhost"])
    return Desk(_server, app, _server.add_user("ana@contoso.example", name="Ana Example", password="ana"))


@pytest.fixture(params=["simulator", *(["live"] if all(_LIVE.values()) else [])])
def place(request: pytest.FixtureRequest) -> Place:
    """Microsoft, app-only."""
    if request.param == "simulator":
        return _simulated(request.getfixturevalue("desk"))
    return Place(
        login="https://login.microsoftonline.com",
        graph="https://graph.microsoft.com",
        tenant=_LIVE["tenant_id"],
        client_id=_LIVE["client_id"],
        client_secret=_LIVE["client_secret"],
        mailbox=_LIVE["mailbox"],
        scope="https://graph.microsoft.com/.default",
    )


@pytest.fixture
def graph(place: Place) -> Graph:
    """Graph with an app-only token."""
    return Graph(place.graph, place.token().json()["access_token"])


@pytest.fixture
def home(place: Place) -> str:
    """The path of the mailbox."""
    return f"/users/{place.mailbox}"


def _simulated(desk: Desk) -> Place:
    desk.box.deliver_many(25, body_size=500)
    return Place(
        login=desk.simulator.url,
        graph=desk.simulator.url,
        tenant=desk.simulator.tenant_id,
        client_id=desk.app.client_id,
        client_secret=desk.app.client_secret,
        mailbox=desk.user.upn,
        scope="https://graph.microsoft.com/.default",
    )
