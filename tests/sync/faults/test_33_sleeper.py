"""Fault 33: a worker is stopped for longer than its lease, and goes on. It must not write over who took its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.models import Folder, Mailbox, Message, SyncRun
from flask_ms365.sync.report import Result
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver
from tests.sync.faults.sleeper import sleep_after_first_page
from tests.sync.test_kill import place

_processes = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@contextmanager
def _sleeper(synced: Synced) -> Iterator[tuple[int, Connection]]:
    """Run a worker with a lease of a second; yield its process id and what it tells, once it is asleep."""
    ours, theirs = _processes.Pipe(duplex=False)
    given = (replace(place(synced), lease_seconds=1), theirs)
    worker = _processes.Process(target=sleep_after_first_page, args=given)
    worker.start()
    theirs.close()
    try:
        assert ours.recv() == "asleep"
        assert worker.pid is not None
        yield worker.pid, ours
    finally:
        worker.kill()
        worker.join()


def _rows(synced: Synced) -> dict[str, Any]:
    """Return mail, cursors and leases; what is left out is the sleeper's own account of its run."""
    with synced.host.app.app_context():
        tables = (Message, Folder, Mailbox)
        return {one.__tablename__: synced.session.execute(select(one.__table__)).all() for one in tables}


@pytest.mark.slow
def test_who_was_stopped_for_longer_than_its_lease_writes_nothing(synced: Synced) -> None:
    deliver(synced, 8)
    with _sleeper(synced) as (pid, told):
        while synced.run().result is Result.TAKEN:
            pass
        assert synced.differences() == []
        before = _rows(synced)
        os.kill(pid, signal.SIGCONT)
        assert told.recv() == "taken"

    assert _rows(synced) == before
    with synced.host.app.app_context():
        assert set(synced.session.scalars(select(SyncRun.result))) == {"done", "taken"}
