"""Fault 32: who holds a mailbox is killed at a commit. Another takes over within lease and tick; nothing is lost."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result, TickReport
from tests.sync.conftest import Synced
from tests.sync.hooks import Crash, Kind
from tests.sync.killed_worker import work
from tests.sync.test_kill import place
from tests.sync.world import World

LEASE, TICK = 90, 30  # seconds
SHORT_LEASE = 2
# commits of a tick that reads a new mailbox; a test below says when there are more
COMMITS = 40

_processes = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator() as simulator:
        world = World(tmp_path_factory.mktemp("killed") / "host", simulator)
        yield world
        world.end()


def _tick(world: World) -> TickReport:
    with world.app.app_context():
        return world.ms365.tick()


def _begin(world: World) -> None:
    box = world.begin()
    box.max_page_size = 2
    for number in range(5):
        box.deliver(subject=f"Letter {number}", text="Text")


def _kill(world: World, kind: Kind, number: int) -> None:
    _begin(world)
    world.hooks.plan((kind,), number, world.hooks.crash)
    try:
        _tick(world)
    except Crash:
        world.hooks.revive()
    world.hooks.begin()


def _is_made_good(world: World) -> bool:
    """Tick as long as a takeover may last, and tell whether all mail is there."""
    for _ in range(LEASE // TICK + 1):
        world.clock.advance(seconds=TICK)
        _tick(world)
    return not world.differences() and not world.is_held()


def test_a_holder_that_was_killed_is_not_replaced_before_its_lease_is_over(world: World) -> None:
    _kill(world, "handler", 2)

    assert world.is_held()
    world.clock.advance(seconds=LEASE - 2)
    assert _tick(world).runs == []


def test_a_holder_that_was_killed_is_replaced_within_lease_and_tick(world: World) -> None:
    _kill(world, "handler", 2)

    assert _is_made_good(world)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["before commit", "after commit"])
@pytest.mark.parametrize("number", range(COMMITS))
def test_whatever_commit_it_was_killed_at(world: World, kind: Kind, number: int) -> None:
    _kill(world, kind, number)

    assert _is_made_good(world)


def test_every_commit_of_the_tick_is_tried(world: World) -> None:
    _begin(world)
    _tick(world)

    assert world.hooks.reached["after commit"] <= COMMITS


@pytest.mark.slow
def test_a_process_that_was_killed_is_replaced_as_soon_as_its_lease_is_over(synced: Synced) -> None:
    """With the real clock of each database. Whoever asks later than that must get the mailbox."""
    synced.mailbox.max_page_size = 5
    synced.mailbox.deliver_many(100, body_size=100)
    ours, theirs = _processes.Pipe(duplex=False)
    worker = _processes.Process(target=work, args=(replace(place(synced), lease_seconds=SHORT_LEASE), theirs))
    worker.start()
    while ours.recv() != 20:
        pass
    worker.kill()
    worker.join()
    killed_at = time.monotonic()

    refused_at = []
    asked_at = killed_at
    while synced.run().result is not Result.DONE:
        refused_at.append(asked_at)
        asked_at = time.monotonic()
    assert 0 <= refused_at[-1] - killed_at <= SHORT_LEASE
    assert synced.differences() == []
