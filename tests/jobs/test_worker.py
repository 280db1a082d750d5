"""The worker loop, and the worker as a process that is told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from flask_ms365.jobs.worker import Worker
from flask_ms365.models import Mailbox
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from flask_ms365.sync.report import TickReport
from tests.conftest import Host

ROOT = Path(__file__).parents[2]


def looped(ticks: int, *, tick: Callable[[], TickReport] | None = None, interval: float = 0) -> list[TickReport]:
    """Run a worker that is stopped after so many ticks; return what it told."""
    told: list[TickReport] = []
    begun: list[int] = []

    def count_and_tick() -> TickReport:
        begun.append(1)
        if len(begun) == ticks:
            worker.stop()
        return tick() if tick else TickReport(is_on=True)

    worker = Worker(count_and_tick, interval=timedelta(seconds=interval), told=told.append)
    worker.run()
    assert len(begun) == ticks
    return told


def test_it_ticks_until_it_is_stopped() -> None:
    assert len(looped(3)) == 3


def test_stopping_does_not_wait_for_the_interval() -> None:
    assert len(looped(1, interval=3600)) == 1


def test_a_tick_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    failures = [OSError("the database is away")]

    def tick() -> TickReport:
        if failures:
            raise failures.pop()
        return TickReport(is_on=True)

    assert looped(2, tick=tick) == [TickReport(is_on=True)]
    assert [record.message for record in caplog.records] == ["tick.failed"]


def test_signals_stop_it_and_are_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def tick() -> TickReport:
        os.kill(os.getpid(), signal.SIGTERM)
        return TickReport(is_on=True)

    worker = Worker(tick, interval=timedelta(hours=1), told=lambda report: None)
    worker.run()
    assert worker.is_stopping
    assert signal.getsignal(signal.SIGTERM) is before


def start_worker(host: Host, simulator_url: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "INSTANCE": host.app.instance_path,
        "KEY": str(host.app.config["MS365_ENCRYPTION_KEYS"]),
        "SIMULATOR": simulator_url,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "flask", "--app", "tests.jobs.worker_app", "ms365", "worker"]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_told_to_stop_while_it_waits_it_ends_at_once(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    with start_worker(connected, str(connected.app.config["MS365_GRAPH_URL"])) as worker:
        assert worker.stdout is not None
        line = json.loads(worker.stdout.readline())
        worker.terminate()
        assert worker.wait(timeout=5) == 0
    assert (line["event"], line["mailbox_id"], line["state"], line["created"]) == ("run.finished", 1, "done", 1)


@pytest.mark.slow
def test_told_to_stop_in_the_middle_it_lets_go_of_its_lease(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    with start_worker(connected, str(connected.app.config["MS365_GRAPH_URL"])) as worker:
        with mailbox.hold() as traffic:
            assert traffic.wait_for(1, timeout=30)
            worker.terminate()
        assert worker.wait(timeout=5) == 0
    with connected.app.app_context():
        held = connected.app.extensions["sqlalchemy"].session.get(Mailbox, 1)
    assert (held.lease_owner, held.lease_expires_at) == (None, None)
