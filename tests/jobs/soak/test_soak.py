"""Workers that are killed and put to sleep at random lose nothing, double nothing, and write nothing too late.

All databases are soaked at once, beside one Microsoft 365 whose mail changes all the time. ``MS365_TEST_SOAK`` says for
how many seconds, ``MS365_TEST_SEED`` with which luck: a run prints what it had, and what came of it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from tests.jobs.soak.microsoft import Microsoft, microsoft, processes
from tests.jobs.soak.place import shared_host
from tests.jobs.soak.soak import Soak
from tests.services import need

SECONDS = float(os.environ.get("MS365_TEST_SOAK", "60"))
SEED = int(os.environ.get("MS365_TEST_SEED", str(random.randrange(10**9))))
_WITHIN = 120.0  # seconds in which the planted mistake must be found; it takes a few

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 300)]


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(autouse=True)
def _fork_quickly() -> None:
    processes.set_forkserver_preload(["tests.jobs.soak.worker", "tests.jobs.soak.microsoft"])


@pytest.mark.service
def test_nothing_is_lost_or_doubled_or_written_too_late(tmp_path: Path) -> None:
    print(f"MS365_TEST_SEED={SEED}")
    for service in ("postgresql", "mariadb"):
        need(service)
    with ExitStack() as stack:
        people = stack.enter_context(microsoft(mailboxes=8, messages=60, page_size=5, pause=0.03, seed=SEED))
        soaks = [_soak(stack, tmp_path, name, people) for name in ("sqlite", "postgresql", "mariadb")]
        with ExitStack() as running:
            for soak in soaks:
                running.enter_context(soak.running())
            _suffer(soaks, SECONDS)
        letters = people.letters()
        outcomes = [soak.outcome(letters) for soak in soaks]
    for outcome in outcomes:
        print(outcome)
    assert [outcome.faults for outcome in outcomes] == [{}, {}, {}]
    assert all(outcome.kills and outcome.stops and outcome.pages for outcome in outcomes)


@pytest.mark.parametrize(
    "database",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ],
)
def test_without_the_fence_a_late_write_is_found(tmp_path: Path, database: str) -> None:
    """The test above can fail."""
    with ExitStack() as stack:
        people = stack.enter_context(microsoft(mailboxes=8, messages=60, page_size=5, pause=0.03, seed=SEED))
        soak = _soak(stack, tmp_path, database, people, is_fenced=False)
        stack.enter_context(soak.running())
        _suffer([soak], _WITHIN, enough=lambda: soak.late_writes() > 0)
        print(f"Found after {soak.stops} stops and {soak.kills} kills.")


def _soak(stack: ExitStack, folder: Path, database: str, people: Microsoft, *, is_fenced: bool = True) -> Soak:
    host = stack.enter_context(shared_host(folder, database, people.organisation))
    return Soak(host, random.Random(f"{SEED} {database}"), is_fenced=is_fenced)


def _suffer(soaks: list[Soak], seconds: float, *, enough: Callable[[], bool] | None = None) -> None:
    """Go on for so many seconds, or until it is enough, which must come by then."""
    until = time.monotonic() + seconds
    while enough is None or not enough():
        if time.monotonic() > until:
            assert enough is None
            return
        for soak in soaks:
            soak.suffer()
        wait([pipe for soak in soaks for pipe in soak.pipes()], timeout=0.05)
