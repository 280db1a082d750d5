"""Whatever happens at Microsoft, in whatever order, the database ends equal to the mailbox, and nothing is told twice.

``MS365_TEST_HISTORIES`` says how many histories are tried, 300 of them where it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_ms365.simulator import Simulator
from tests.sync.histories import HISTORIES, Histories, try_histories
from tests.sync.world import World

_PARTS = 6  # for as many processes


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """Other tests look for secrets: to look for thousands of cursors takes longer than the histories."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator() as simulator:
        world = World(tmp_path_factory.mktemp("histories") / "host", simulator)
        yield world
        world.end()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_every_history_ends_with_the_database_equal_to_the_mailbox(world: World, part: int) -> None:
    machine = type(f"Part{part}", (Histories,), {"world": world})
    try_histories(machine, HISTORIES // _PARTS)
