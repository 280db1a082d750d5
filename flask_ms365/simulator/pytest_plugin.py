"""pytest fixtures: a simulator that is fresh in every test, and a mailbox in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .mailbox import Mailbox
    from .simulator import Simulator


@pytest.fixture(scope="session")
def _ms365_server() -> Iterator[Simulator]:
    """One server for the whole run."""
    # imported late: pytest loads this plugin in every project that has the package
    from .simulator import Simulator

    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def ms365_simulator(_ms365_server: Simulator) -> Simulator:
    """A Microsoft 365 on loopback with nobody in it."""
    _ms365_server.reset()
    _ms365_server.start()
    return _ms365_server


@pytest.fixture
def ms365_mailbox(ms365_simulator: Simulator) -> Mailbox:
    """The mailbox of ana@contoso.example (password "ana"), in a tenant with one app."""
    from .__main__ import REDIRECT_URIS

    ms365_simulator.register_app(REDIRECT_URIS)
    return ms365_simulator.add_user("ana@contoso.example", name="Ana", password="ana").mailbox
