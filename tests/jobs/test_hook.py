"""The toggle and the host's scheduler: registered when on, unregistered when off, and never a failed save."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
from flask import Flask

from flask_ms365.errors import ConfigurationError
from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.jobs.hook import EmailSyncJob, ExternalHook, HookStatus, hook_from_config
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import TickReport
from tests.conftest import Host, HostFactory, configure


class RecordingHook:
    """A host's scheduler that only writes down what it was asked; it can be out of order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.woken: list[int | None] = []
        self.jobs: list[EmailSyncJob] = []
        self.is_broken = False

    def register(self, job: EmailSyncJob) -> None:
        self._note("register", job)

    def unregister(self, job: EmailSyncJob) -> None:
        self._note("unregister", job)

    def wake(self, mailbox_id: int | None = None) -> None:
        self.woken.append(mailbox_id)
        if self.is_broken:
            raise ConnectionError("the broker is down")

    def status(self) -> HookStatus:
        return HookStatus(engine="recording", is_registered=bool(self.calls) and self.calls[-1] == "register")

    def _note(self, call: str, job: EmailSyncJob) -> None:
        self.calls.append(call)
        self.jobs.append(job)
        if self.is_broken:
            raise ConnectionError("the broker is down")


hook_for_import = RecordingHook()
not_a_hook = object()


@pytest.fixture
def hook() -> RecordingHook:
    return RecordingHook()


@pytest.fixture
def hooked(make_host: HostFactory, hook: RecordingHook, simulator: Simulator, registration: App) -> Host:
    """Return a configured host with a scheduler of its own; the toggle is on."""
    host = make_host(options={"job_hook": hook})
    host.visitor().get("/")  # the first request of a process, which looks at the toggle, is behind us
    configure(host, simulator, registration)
    return host


def toggle(host: Host, is_on: bool) -> None:
    """Tick or untick *Enable Emails Sync* on the page, and save."""
    answer = host.visitor().submit("/ms365/settings", {"email_sync-value": "y" if is_on else None})
    assert answer.status_code == 303


def test_ticking_the_toggle_registers_the_job(hooked: Host, hook: RecordingHook) -> None:
    (job,) = hook.jobs
    assert hook.calls == ["register"]
    assert (job.id, job.interval) == ("ms365.email-sync", timedelta(seconds=30))


def test_unticking_the_toggle_unregisters_the_job(hooked: Host, hook: RecordingHook) -> None:
    toggle(hooked, False)
    assert hook.calls == ["register", "unregister"]


def test_on_off_on_is_told_each_time(hooked: Host, hook: RecordingHook) -> None:
    for is_on in (False, True, False, True):
        toggle(hooked, is_on)
    assert hook.calls == ["register", "unregister", "register", "unregister", "register"]


def test_a_save_that_leaves_the_toggle_alone_tells_nothing(hooked: Host, hook: RecordingHook) -> None:
    hooked.visitor().submit("/ms365/settings", {"sync_interval-value": "7", "sync_interval-use_default": None})
    assert hook.calls == ["register"]


def test_a_refused_save_tells_nothing(make_host: HostFactory, hook: RecordingHook) -> None:
    host = make_host(options={"job_hook": hook})
    refused = host.visitor().submit("/ms365/settings", {"email_sync-value": "y", "email_sync-use_default": None})
    assert refused.status_code == 200
    assert hook.calls == []


def test_the_job_ticks_from_anywhere(hooked: Host, hook: RecordingHook) -> None:
    report = hook.jobs[0].tick()
    assert isinstance(report, TickReport)
    assert report.is_on


@pytest.mark.parametrize("is_on", [True, False])
def test_a_hook_that_raises_is_a_warning_and_the_save_holds(hooked: Host, hook: RecordingHook, is_on: bool) -> None:
    toggle(hooked, not is_on)
    hook.is_broken = True
    toggle(hooked, is_on)
    page = hooked.visitor().get("/ms365/settings").text
    assert "The job scheduler did not take the change (ConnectionError)." in page
    with hooked.app.app_context():
        assert hooked.ms365.settings.effective("email_sync").value is is_on


def test_the_warning_goes_once_the_hook_works_again(hooked: Host, hook: RecordingHook) -> None:
    hook.is_broken = True
    toggle(hooked, False)
    hook.is_broken = False
    toggle(hooked, True)
    assert "did not take the change" not in hooked.visitor().get("/ms365/settings").text


def test_a_new_mailbox_wakes_the_scheduler(hooked: Host, hook: RecordingHook, ana: User) -> None:
    hooked.visitor().connect(ana)
    assert hook.woken == [1]


def test_a_scheduler_that_cannot_be_woken_does_not_fail_the_sign_in(
    hooked: Host, hook: RecordingHook, ana: User
) -> None:
    hook.is_broken = True
    assert "Your mail is being read" in hooked.visitor().connect(ana).text


def test_a_process_that_starts_with_the_toggle_on_registers_at_its_first_request(
    hooked: Host, make_host: HostFactory
) -> None:
    hook = RecordingHook()
    # the same instance folder, so the same database, as another process would have it
    host = make_host(options={"job_hook": hook})
    assert hook.calls == []
    host.visitor().get("/")
    host.visitor().get("/")
    assert hook.calls == ["register"]


def test_a_process_that_starts_with_the_toggle_off_registers_nothing(
    make_host: HostFactory, hook: RecordingHook
) -> None:
    make_host(options={"job_hook": hook}).visitor().get("/")
    assert hook.calls == []


@pytest.fixture
def _looks_with_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process look at the toggle with each request, and not with one in half a minute."""
    monkeypatch.setattr("flask_ms365.jobs.start.TICK", timedelta(0))


@pytest.mark.usefixtures("_looks_with_each_request")
def test_a_process_follows_the_toggle_of_another_one(hooked: Host, make_host: HostFactory) -> None:
    hook = RecordingHook()
    other = make_host(options={"job_hook": hook})
    for is_on in (True, False, True):
        toggle(hooked, is_on)
        other.visitor().get("/")
        other.visitor().get("/")
    assert hook.calls == ["register", "unregister", "register"]


def test_a_process_that_starts_with_mailboxes_and_the_toggle_off_says_so(
    connected: Host, make_host: HostFactory
) -> None:
    toggle(connected, False)
    hook = RecordingHook()
    make_host(options={"job_hook": hook}).visitor().get("/")
    assert hook.calls == ["unregister"]


@pytest.mark.usefixtures("_looks_with_each_request")
def test_a_scheduler_that_was_out_of_order_is_asked_again(hooked: Host, make_host: HostFactory) -> None:
    hook = RecordingHook()
    hook.is_broken = True
    other = make_host(options={"job_hook": hook})
    other.visitor().get("/")
    hook.is_broken = False
    other.visitor().get("/")
    other.visitor().get("/")
    assert hook.calls == ["register", "register"]
    assert "did not take the change" not in other.visitor().get("/ms365/settings").text


def test_a_process_looks_at_the_toggle_once_in_a_while(hooked: Host, make_host: HostFactory) -> None:
    hook = RecordingHook()
    hook.is_broken = True
    other = make_host(options={"job_hook": hook})
    for _ in range(3):
        other.visitor().get("/")
    assert hook.calls == ["register"]


def named(name: object) -> Flask:
    app = Flask("named")
    app.config["MS365_JOB_HOOK"] = name
    return app


def test_the_config_names_the_engine() -> None:
    assert isinstance(hook_from_config(named("apscheduler")), EmbeddedHook)
    assert isinstance(hook_from_config(named("external")), ExternalHook)


def test_the_config_may_name_an_object_of_the_host() -> None:
    assert hook_from_config(named(f"{__name__}:hook_for_import")) is hook_for_import


@pytest.mark.parametrize("name", ["", "cron", "APScheduler", None, 5, "tests.jobs.test_hook.hook_for_import"])
def test_a_name_that_is_none_is_refused_with_those_that_are(name: object) -> None:
    with pytest.raises(ConfigurationError, match="must be apscheduler, celery, external or package"):
        hook_from_config(named(name))


@pytest.mark.parametrize("name", ["nowhere.at_all:hook", f"{__name__}:nothing", ":", "tests:", ":hook"])
def test_what_cannot_be_imported_is_said_with_its_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be imported"):
        hook_from_config(named(name))


@pytest.mark.parametrize("name", ["not_a_hook", "RecordingHook", "named"])
def test_what_is_no_hook_is_refused_at_the_start_and_not_at_the_first_toggle(name: str) -> None:
    with pytest.raises(ConfigurationError, match="register, unregister, wake and status"):
        hook_from_config(named(f"{__name__}:{name}"))


def test_without_celery_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.delitem(sys.modules, "flask_ms365.jobs.celery", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install \"flask-ms365\[celery\]\""):
        hook_from_config(named("celery"))


def test_an_external_timer_has_nothing_to_register() -> None:
    hook = ExternalHook()
    hook.wake()
    assert hook.status() == HookStatus(engine="external", is_registered=False)
