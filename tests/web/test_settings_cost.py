"""What the settings page costs: three statements, and not a word with Microsoft."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host
from tests.web.conftest import SETTINGS

MOST = 3


@pytest.fixture
def reads(connected: Host, clock: Clock) -> list[str]:
    """Return the statements from now on; a mailbox is connected, and the client secret is about to expire."""
    statements: list[str] = []
    soon = (clock() + timedelta(days=6)).date().isoformat()
    connected.visitor().submit(SETTINGS, {"client_secret_expires_on-value": soon})
    with connected.app.app_context():
        engine = connected.app.extensions["sqlalchemy"].engine
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    return statements


def test_the_page_takes_three_statements(connected: Host, reads: list[str]) -> None:
    page = connected.visitor().get(SETTINGS).text
    assert ("expires in 6 days" in page, "1 mailbox is connected with it" in page, len(reads) <= MOST, reads) == (
        True,
        True,
        True,
        reads,
    )


def test_the_page_never_talks_to_microsoft(connected: Host, simulator: Simulator) -> None:
    simulator.requests.clear()
    connected.visitor().get(SETTINGS)
    assert len(simulator.requests) == 0
