"""Off means off, in every process: once the page that says so was answered, nothing more is committed.

Six workers read six mailboxes and are never idle. The toggle goes off at a random message; from the answer on, until
each worker has met the toggle, the tables must not change.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from flask_ms365.models import Folder, Message
from tests.conftest import Host
from tests.jobs.processes import PATIENCE
from tests.jobs.soak.microsoft import Microsoft, microsoft, processes
from tests.jobs.soak.place import mailbox_ids, place_of, session_of, shared_host
from tests.jobs.soak.toggled import sync_until_off

WORKERS = 6
FLIPS = 50

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(scope="module")
def at_microsoft() -> Iterator[Microsoft]:
    with microsoft(mailboxes=WORKERS, messages=2000, page_size=5, pause=None, seed=0) as running:
        yield running


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ]
)
def host(request: pytest.FixtureRequest, tmp_path: Path, at_microsoft: Microsoft) -> Iterator[Host]:
    with shared_host(tmp_path, request.param, at_microsoft.organisation) as host:
        yield host


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Processes that sync one mailbox each, and a count of the messages they are about to commit."""

    pipes: list[Connection]
    stored: Semaphore

    def go(self) -> None:
        """Let all of them sync until the toggle is off."""
        while self.stored.acquire(block=False):
            pass
        for pipe in self.pipes:
            pipe.send("go")

    def wait_for_messages(self, count: int) -> None:
        for _ in range(count):
            assert self.stored.acquire(timeout=PATIENCE)

    def wait_for_off(self) -> None:
        """Wait until none of them will commit anything before it is told to go."""
        for pipe in self.pipes:
            assert pipe.poll(PATIENCE)
            assert pipe.recv() == "off"


@contextmanager
def workers(host: Host, *, is_checked: bool = True) -> Iterator[Workers]:
    processes.set_forkserver_preload(["tests.jobs.soak.toggled"])
    stored = processes.Semaphore(0)
    pairs = [processes.Pipe() for _ in range(WORKERS)]
    started = [
        processes.Process(
            target=sync_until_off,
            args=(place_of(host, mailbox_id=mailbox_id), theirs, stored),
            kwargs={"is_checked": is_checked},
        )
        for mailbox_id, (_, theirs) in zip(mailbox_ids(host), pairs, strict=True)
    ]
    for process in started:
        process.start()
    try:
        yield Workers(pipes=[ours for ours, _ in pairs], stored=stored)
    finally:
        for process in started:
            process.kill()
            process.join()


def _switch(host: Host, value: str) -> None:
    with host.app.app_context():
        host.ms365.settings.save({"email_sync": value})


def _committed(host: Host) -> Any:
    """Return what every page changes: how many messages there are, and where the cursors stand."""
    with host.app.app_context():
        session = session_of(host)
        cursors = select(Folder.id, Folder.next_link, Folder.delta_link, Folder.read_count).order_by(Folder.id)
        return session.scalar(select(func.count(Message.id))), session.execute(cursors).all()


def test_once_off_was_answered_no_page_is_committed(host: Host) -> None:
    chance = random.Random()
    with workers(host) as six:
        before = _committed(host)
        late = 0
        for _ in range(FLIPS):
            _switch(host, "1")
            six.go()
            six.wait_for_messages(chance.randint(1, 20))
            _switch(host, "0")
            at_off = _committed(host)
            six.wait_for_off()
            late += _committed(host) != at_off
    assert late == 0
    assert _committed(host) != before


def test_a_worker_that_asks_once_a_run_is_found_out(host: Host) -> None:
    """The test above can fail."""
    with workers(host, is_checked=False) as six:
        six.go()
        six.wait_for_messages(10)
        _switch(host, "0")
        at_off = _committed(host)
        while _committed(host) == at_off:
            six.wait_for_messages(1)
