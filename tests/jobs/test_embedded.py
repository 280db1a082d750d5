"""The embedded engine in one process: no thread before it is needed, and from then on one that obeys the toggle."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from flask_ms365 import MS365
from flask_ms365.errors import ConfigurationError
from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.jobs.hook import EmailSyncJob
from flask_ms365.signals import run_finished
from flask_ms365.simulator import App, Mailbox, Simulator
from flask_ms365.sync.report import TickReport
from tests.conftest import Host, HostFactory, configure


class Ticks:
    """Counts ticks, and lets a test wait for the next one."""

    def __init__(self) -> None:
        self._ticked = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def __call__(self) -> None:
        self.threads.append(threading.current_thread())
        self._ticked.release()

    def wait(self, seconds: float = 10) -> bool:
        return self._ticked.acquire(timeout=seconds)


def job_of(tick: Callable[[], object], *, seconds: float = 3600) -> EmailSyncJob:
    return EmailSyncJob(id="ms365.email-sync", interval=timedelta(seconds=seconds), tick=tick)


def schedulers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "APScheduler"]


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def hook() -> Iterator[EmbeddedHook]:
    hook = EmbeddedHook()
    yield hook
    hook.stop()


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
    assert ticks.wait()


def test_unregistered_it_ticks_on_idly(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    hook.unregister(job_of(ticks))
    assert schedulers() == ["APScheduler"]
    assert not ticks.wait(0.05)


def test_a_process_that_begins_with_the_toggle_off_ticks_at_the_usual_pace(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.unregister(job_of(ticks, seconds=0.05))
    assert ticks.wait()
    assert ticks.wait()


def test_stopping_ends_the_thread(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert hook.stop(10)
    assert hook.stop()
    assert schedulers() == []
    assert not hook.status().is_registered


def test_once_stopped_it_cannot_be_woken(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    hook.stop(10)
    hook.wake()
    assert schedulers() == []


def test_stopping_tells_of_a_tick_that_does_not_end(hook: EmbeddedHook, ticks: Ticks) -> None:
    may_end = threading.Event()

    def long_tick() -> None:
        ticks()
        may_end.wait(20)

    hook.register(job_of(long_tick))
    assert ticks.wait()
    assert not hook.stop(0.05)
    may_end.set()


def test_where_a_tick_left_something_it_ticks_again_at_once(hook: EmbeddedHook, ticks: Ticks) -> None:
    left = [True, True, False]

    def tick() -> TickReport:
        ticks()
        return TickReport(is_on=True, has_more=left.pop(0))

    hook.register(job_of(tick))
    assert [ticks.wait() for _ in range(3)] == [True] * 3
    assert not ticks.wait(0.05)


def test_it_can_be_registered_again(hook: EmbeddedHook, ticks: Ticks) -> None:
    hook.register(job_of(ticks))
    assert ticks.wait()
    hook.stop()
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


def test_off_and_without_a_mailbox_a_request_starts_nothing(embedded: Host) -> None:
    embedded.visitor().get("/")
    assert schedulers() == []


def test_off_with_a_mailbox_the_first_request_starts_it(connected: Host, hook: EmbeddedHook) -> None:
    switch(connected, False)
    other = process_of(connected, hook)
    other.test_client().get("/")
    assert schedulers() == ["APScheduler"]


def test_turned_on_elsewhere_it_reads_with_its_next_tick(
    connected: Host, hook: EmbeddedHook, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox.deliver(subject="After the switch")
    switch(connected, False)
    monkeypatch.setattr("flask_ms365.wiring.TICK", timedelta(seconds=0.1))
    other = process_of(connected, hook)
    other.test_client().get("/")
    read = threading.Event()
    with run_finished.connected_to(lambda *_, **__: read.set(), sender=other):
        assert not read.wait(0.3)
        switch(connected, True)
        assert read.wait(10)


def test_saving_the_toggle_starts_it(
    embedded: Host, simulator: Simulator, registration: App, hook: EmbeddedHook
) -> None:
    configure(embedded, simulator, registration)
    assert schedulers() == ["APScheduler"]
    embedded.visitor().submit("/ms365/settings", {"email_sync-value": None})
    assert hook.status().is_registered


def test_two_apps_of_one_process_each_have_their_own(hook: EmbeddedHook, ticks: Ticks) -> None:
    second, theirs = EmbeddedHook(), Ticks()
    hook.register(job_of(ticks))
    second.register(job_of(theirs))
    assert ticks.wait()
    assert theirs.wait()
    second.stop(10)
    hook.wake()
    assert ticks.wait()
    assert not theirs.wait(0.05)


def test_without_apscheduler_the_page_says_so_and_the_save_holds(
    embedded: Host, simulator: Simulator, registration: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apscheduler.schedulers.background", None)
    monkeypatch.delitem(sys.modules, "flask_ms365.jobs.scheduler", raising=False)
    configure(embedded, simulator, registration)
    assert "pip install APScheduler" in embedded.visitor().get("/ms365/settings").text
    with embedded.app.app_context():
        assert embedded.ms365.settings.effective("email_sync").value is True


@pytest.mark.parametrize(
    ("options", "is_refused"), [({}, True), ({"enable-threads": True}, False), ({"threads": b"2"}, False)]
)
def test_uwsgi_without_threads_is_refused(
    hook: EmbeddedHook, ticks: Ticks, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], is_refused: bool
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt=options))
    with pytest.raises(ConfigurationError, match="--enable-threads") if is_refused else nullcontext():
        hook.register(job_of(ticks))
    assert hook.status().is_registered is not is_refused


def switch(host: Host, is_on: bool) -> None:
    """Turn the sync on or off in another process than the one under test."""
    with host.app.app_context():
        host.ms365.settings.save({"email_sync": str(int(is_on))})


def process_of(host: Host, hook: EmbeddedHook) -> Flask:
    """Return an app over the same database and key, as another process has it."""
    app = Flask("other", instance_path=host.app.instance_path)
    app.config.from_mapping({key: value for key, value in host.app.config.items() if key.startswith("MS365_")})
    app.secret_key = "not secret"
    MS365().init_app(app, job_hook=hook)
    return app
