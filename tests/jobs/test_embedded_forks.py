"""The embedded engine and ``os.fork``: the child has no thread, and nothing of its parent's that it would wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_APP = """
import os, sys, threading
from datetime import timedelta
from flask import Flask
from flask_ms365 import MS365
from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.jobs.hook import EmailSyncJob
from flask_ms365.models.base import write_transaction
from sqlalchemy import text

app = Flask("forked", instance_path=sys.argv[1])
app.config.update(
    SECRET_KEY="x",
    MS365_EMAIL_SYNC=True,
    MS365_CLIENT_ID="11111111-2222-4333-8444-555555555555",
    MS365_CLIENT_SECRET="a secret of the app",
    MS365_TENANT_ID="contoso.example",
)
MS365(app)
state = app.extensions["ms365.state"]


def schedulers():
    return [thread.name for thread in threading.enumerate() if thread.name == "APScheduler"]


def write(begun=None, may_end=None):
    with app.app_context(), write_transaction(state.session):
        state.session.execute(text("UPDATE ms365_settings_version SET version = version + 1"))
        if begun:
            begun.set()
            may_end.wait(20)


def forked(call):
    child = os.fork()
    if child == 0:
        os._exit(0 if call() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""

_STARTS_ITS_OWN = """
app.test_client().get("/")
assert state.hook.status().is_registered


def child():
    assert not state.hook.status().is_registered
    app.test_client().get("/")
    return schedulers() == ["APScheduler"] and state.hook.status().is_registered


assert [forked(child) for _ in range(5)] == [0] * 5
assert schedulers() == ["APScheduler"]
"""

_IN_THE_MIDDLE_OF_A_WRITE = """
begun, may_end = threading.Event(), threading.Event()
threading.Thread(target=write, args=(begun, may_end), daemon=True).start()
assert begun.wait(20)
threading.Timer(0.2, may_end.set).start()
assert forked(lambda: may_end.is_set() and write() is None) == 0
write()
"""

_IN_THE_MIDDLE_OF_TICKS = """
def tick():
    for _ in range(20):
        write()


job = EmailSyncJob(id="writes", interval=timedelta(seconds=0.01), tick=tick)
state.hook.register(job)
assert [forked(lambda: write() is None) for _ in range(20)] == [0] * 20
assert state.hook.status().is_registered
"""

_IN_THE_MIDDLE_OF_CONNECTIONS = """
import sqlite3


def tick():
    for _ in range(50):
        sqlite3.connect(sys.argv[1] + "/ms365.sqlite3").close()


job = EmailSyncJob(id="connects", interval=timedelta(seconds=0.01), tick=tick)
state.hook.register(job)
assert [forked(lambda: sqlite3.connect(":memory:").close() is None) for _ in range(200)] == [0] * 200
"""

_LEAVES_CONNECTIONS = """
from flask_ms365.graph.http import new_pool

app.test_client().get("/")
pools = state.runner.clients.pools
pools["https://graph.example"] = new_pool("https://graph.example")
with app.app_context():
    engine = app.extensions["sqlalchemy"].engine
write()
connections = engine.pool
assert forked(lambda: engine.pool is not connections and not state.runner.clients.pools) == 0
assert pools
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        _STARTS_ITS_OWN,
        _IN_THE_MIDDLE_OF_A_WRITE,
        _IN_THE_MIDDLE_OF_TICKS,
        _IN_THE_MIDDLE_OF_CONNECTIONS,
        _LEAVES_CONNECTIONS,
    ],
    ids=["starts its own", "amid a write", "amid ticks that write", "amid ticks that connect", "leaves connections"],
)
def test_a_forked_process(tmp_path: Path, script: str) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _APP + script, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 0
