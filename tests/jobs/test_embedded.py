"""The embedded engine: no thread before it is needed, one while it is, none after."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.jobs.hook import EmailSyncJob
from flask_ms365.simulator import App, Simulator
from tests.conftest import Host, HostFactory, configure


class Ticks:
    """Counts ticks, and lets a test wait for the next one."""

    def __init__(self) -> None:
        self._ticked = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        self._ticked.release()

    def wait(self) -> bool:
        return self._ticked.acquire(timeout=10)


def job_of(tick: Callable[[], object]) -> EmailSyncJob:
    return EmailSyncJob(id="ms365.email-sync", interval=timedelta(hours=1), tick=tick)


def schedulers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "APScheduler"]


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def hook() -> Iterator[EmbeddedHook]:
    hook = EmbeddedHook()
    yield hook
    hook.unregister(job_of(lambda: None))


@pytest.fixture
def embedded(make_host: HostFactory, hook: EmbeddedHook) -> Host:
    return make_host(options={"job_hook": hook})


def test_it_ticks_at_once(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()


def test_waking_it_ticks_again_long_before_the_interval(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    hook.wake()
    assert ticks.wait()
    hook.wake(1)
    assert ticks.wait()


def test_it_can_be_woken_while_a_tick_takes_long(hook: EmbeddedHook, ticks: Ticks) -> None:
    may_end = threading.Event()

    def long_tick() -> None:
        ticks()
        may_end.wait(20)

    hook.register(job_of(long_tick))
    assert ticks.wait()
    hook.wake()
    assert ticks.wait()
    may_end.set()


def test_it_ticks_on_daemon_threads(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    assert all(thread.daemon for thread in (*ticks.threads, *threading.enumerate()) if "ms365" in thread.name)
    assert ticks.threads[0] is not threading.current_thread()


def test_registering_twice_makes_one_job_on_one_thread(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    hook.register(job_of(ticks))
    assert schedulers() == ["APScheduler"]
    assert len(hook._scheduler.get_jobs()) == 1


def test_unregistering_ends_the_thread(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    hook.unregister(job_of(ticks))
    hook.unregister(job_of(ticks))
    assert schedulers() == []
    assert not hook.status().is_registered


def test_after_unregistering_it_cannot_be_woken(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    hook.unregister(job_of(ticks))
    hook.wake()
    assert schedulers() == []


def test_it_can_be_registered_again(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    hook.unregister(job_of(ticks))
    hook.register(job_of(ticks))
    assert ticks.wait()
    assert hook.status().is_registered


def test_a_tick_that_raises_does_not_end_it(hook: EmbeddedHook, ticks: Ticks) -> None:
    def broken() -> None:
        ticks()
        raise OSError("the database is away")

    hook.register(job_of(broken))
    assert ticks.wait()
    hook.wake()
    assert ticks.wait()


def test_registering_does_not_wait_for_a_tick_that_takes_long(hook: EmbeddedHook, ticks: Ticks) -> None:
    may_end = threading.Event()

    def long_tick() -> None:
        ticks()
        may_end.wait(20)

    hook.register(job_of(long_tick))
    assert ticks.wait()
    hook.register(job_of(ticks))
    hook.unregister(job_of(ticks))
    may_end.set()


def test_init_app_starts_no_thread(
    host: Host, make_host: HostFactory, simulator: Simulator, registration: App, hook: EmbeddedHook
) -> None:
    configure(host, simulator, registration)
    before = set(threading.enumerate())
    make_host(options={"job_hook": hook})
    assert not set(threading.enumerate()) - before


def test_the_first_request_starts_it_when_the_toggle_is_on(
    host: Host, make_host: HostFactory, simulator: Simulator, registration: App, hook: EmbeddedHook
) -> None:
    configure(host, simulator, registration)
    other = make_host(options={"job_hook": hook})
    assert not hook.status().is_registered
    other.visitor().get("/")
    assert hook.status().is_registered


def test_with_the_toggle_off_a_request_starts_nothing(embedded: Host, hook: EmbeddedHook) -> None:
    embedded.visitor().get("/")
    assert schedulers() == []


def test_the_toggle_starts_and_stops_it(
    embedded: Host, simulator: Simulator, registration: App, hook: EmbeddedHook
) -> None:
    configure(embedded, simulator, registration)
    assert schedulers() == ["APScheduler"]
    embedded.visitor().submit("/ms365/settings", {"email_sync-value": None})
    assert schedulers() == []


_FORK = """
import os, sys, threading
from flask import Flask
from flask_ms365 import MS365

app = Flask("forked", instance_path=sys.argv[1])
app.config.update(
    SECRET_KEY="x",
    MS365_EMAIL_SYNC=True,
    MS365_CLIENT_ID="11111111-2222-4333-8444-555555555555",
    MS365_CLIENT_SECRET="a secret of the app",
    MS365_TENANT_ID="contoso.example",
)
MS365(app)
hook = app.extensions["ms365.state"].hook
app.test_client().get("/")
assert hook.status().is_registered
child = os.fork()
if child == 0:
    assert not hook.status().is_registered
    app.test_client().get("/")
    assert [t.name for t in threading.enumerate() if t.name == "APScheduler"] == ["APScheduler"]
    os._exit(0 if hook.status().is_registered else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

_LONG_TICK = """
import threading
from datetime import timedelta
from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.jobs.hook import EmailSyncJob

begun, never = threading.Event(), threading.Event()
EmbeddedHook().register(EmailSyncJob(id="x", interval=timedelta(hours=1), tick=lambda: (begun.set(), never.wait())))
assert begun.wait(10)
print("end")
"""


def test_a_forked_process_starts_its_own(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FORK, str(tmp_path)], timeout=60, check=False)
    assert done.returncode == 0


def test_a_process_ends_without_waiting_for_a_tick_under_way() -> None:
    done = subprocess.run([sys.executable, "-c", _LONG_TICK], timeout=20, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "end\n")
