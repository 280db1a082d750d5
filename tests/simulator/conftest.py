"""A running simulator whose clock the tests move."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from flask_ms365.simulator import Mailbox, Simulator


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = datetime(2026, 9, 1, 8, 15, 30, tzinfo=timezone.utc)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move on by a `timedelta`."""
        self.now += timedelta(**by)


@pytest.fixture(scope="session")
def clock() -> Clock:
    """The clock of the simulator."""
    return Clock()


@pytest.fixture(scope="session")
def _server(clock: Clock) -> Iterator[Simulator]:
    with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def simulator(_server: Simulator) -> Simulator:
    """A simulator with nobody in it."""
    _server.reset()
    return _server


@pytest.fixture
def box(simulator: Simulator) -> Mailbox:
    """The mailbox of ana@contoso.example."""
    return simulator.add_user("ana@contoso.example", name="Ana", password="ana").mailbox
