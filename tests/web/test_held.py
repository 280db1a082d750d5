"""An app that Microsoft refuses, or asks to wait, is told once and loudly: overview, settings page, command line."""

from __future__ import annotations

import json

import pytest

from flask_ms365.models import Mailbox
from flask_ms365.simulator import App, Simulator
from tests.conftest import Clock, Host
from tests.web.conftest import main

WHY = "The client secret has expired. Create a new client secret in Entra and paste its Value on the settings page."
TOLD = f"Microsoft refuses this app, so no mailbox gets new tokens. {WHY}"


@pytest.fixture
def refused(connected: Host, registration: App, clock: Clock) -> Host:
    """Return a host whose client secret has expired, which a tick found out."""
    registration.expire_secret()
    return ticked(connected, clock)


def ticked(host: Host, clock: Clock) -> Host:
    clock.advance(hours=2)
    with host.app.app_context():
        host.ms365.tick()
    return host


def page(host: Host, path: str) -> str:
    return main(host.visitor().get(path).text)


@pytest.mark.parametrize("path", ["/ms365/", "/ms365/settings"])
def test_admins_see_it_on_their_pages(refused: Host, path: str) -> None:
    assert TOLD in page(refused, path)


@pytest.mark.parametrize("path", ["/ms365/", "/ms365/settings"])
def test_once_it_works_again_nothing_is_told(refused: Host, registration: App, clock: Clock, path: str) -> None:
    with refused.app.app_context():
        refused.ms365.settings.save({"client_secret": registration.add_secret()}, actor="ana")
    assert "refuses this app" not in page(refused, path)


def test_a_busy_service_is_a_warning(connected: Host, simulator: Simulator, clock: Clock) -> None:
    simulator.refuse_token(90033, retry_after="600")
    assert "Microsoft is busy and asked this app to wait" in page(ticked(connected, clock), "/ms365/")


def test_the_command_line_tells_it_and_ends_with_1(refused: Host) -> None:
    result = refused.app.test_cli_runner().invoke(args=["ms365", "status"])
    assert (result.exit_code, result.stdout.splitlines()[1]) == (1, TOLD)


def test_programs_read_it_from_the_command_line(refused: Host) -> None:
    result = refused.app.test_cli_runner().invoke(args=["ms365", "status", "--json"])
    held = json.loads(result.stdout)["held"]
    assert held == {"refused": True, "message": WHY, "error": "invalid_client", "code": "7000222"}


def test_where_nothing_is_held_programs_read_that(connected: Host) -> None:
    result = connected.app.test_cli_runner().invoke(args=["ms365", "status", "--json"])
    assert json.loads(result.stdout)["held"] is None


def test_it_is_no_mailboxs_fault(refused: Host) -> None:
    with refused.app.app_context():
        (mailbox,) = refused.app.extensions["sqlalchemy"].session.query(Mailbox).all()
        assert mailbox.state == "connected"
