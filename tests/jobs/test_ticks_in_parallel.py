"""A hundred ticks at once, the first that an app ever had, from threads that have no app context."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest

from flask_ms365.simulator import App, Simulator
from flask_ms365.sync.report import TickReport
from flask_ms365.told import tell
from tests.conftest import Clock, Host, HostFactory, configure
from tests.jobs.cluster import host_over
from tests.sync.many import Many

TICKS = 100
TOGETHER = 16
MAILBOXES = 5


@pytest.fixture(
    params=["sqlite", *(pytest.param(name, marks=pytest.mark.service) for name in ("postgresql", "mariadb"))]
)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(
    database: str, make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Path
) -> Iterator[Host]:
    with host_over(database, make_host, tmp_path) as host:
        configure(host, simulator, registration)
        yield host


def test_a_hundred_ticks_at_once_sync_each_mailbox_once(host: Host, simulator: Simulator) -> None:
    for box in Many(host=host, simulator=simulator, clock=Clock()).add(MAILBOXES):
        box.deliver(subject="Once")
    tick, begin = host.app.extensions["ms365.state"].job.tick, threading.Barrier(TOGETHER)

    def work(number: int) -> TickReport:
        if number < TOGETHER:
            begin.wait()
        report: TickReport = tick()
        return report

    with ThreadPoolExecutor(TOGETHER) as pool:
        runs = [run for report in pool.map(work, range(TICKS)) for run in report.runs]
    assert sorted(run.mailbox_id for run in runs if str(run.result) == "done") == list(range(1, MAILBOXES + 1))


def test_many_that_note_the_same_key_at_once_all_return(make_host: HostFactory, database: str, tmp_path: Path) -> None:
    begin = threading.Barrier(TOGETHER)
    with host_over(database, make_host, tmp_path) as host, ThreadPoolExecutor(TOGETHER) as pool:

        def work(_: int) -> None:
            with host.app.app_context():
                begin.wait()
                host.app.extensions["ms365.state"].settings.note_key()

        assert list(pool.map(work, range(TOGETHER))) == [None] * TOGETHER


def test_of_many_that_tell_at_once_one_is_first(host: Host) -> None:
    begin = threading.Barrier(TOGETHER)

    def work(_: int) -> bool:
        with host.app.app_context():
            begin.wait()
            return tell(host.app.extensions["sqlalchemy"].session, "a matter", at=datetime.now(timezone.utc))

    with ThreadPoolExecutor(TOGETHER) as pool:
        assert list(pool.map(work, range(TOGETHER))).count(True) == 1
