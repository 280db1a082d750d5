"""Celery as the engine, set up as Flask's documentation shows."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from flask_ms365 import Change
from flask_ms365.errors import ConfigurationError
from flask_ms365.jobs.hook import EmailSyncJob, hook_from_config
from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.signals import run_finished
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import RunReport
from tests.conftest import Host, HostFactory, configure
from tests.jobs.brokers import own_redis

if os.environ.get("MS365_TEST_REQUIRE") != "all":
    pytest.importorskip("celery", reason="celery is not installed")

from celery import Celery  # type: ignore[import-untyped]
from celery.contrib.testing.worker import start_worker  # type: ignore[import-untyped]

from flask_ms365.jobs.celery import CeleryHook
from tests.jobs.celery_node import celery_init_app

NOWHERE = "amqp://127.0.0.1:1//"
JOB = EmailSyncJob(id="ms365.email-sync", interval=timedelta(seconds=30), tick=lambda: None)


def celery_for(app: Flask, broker: str) -> Celery:
    """Return the Celery app of a host app, with a queue that nobody else reads."""
    return celery_init_app(
        app,
        {
            "broker_url": broker,
            "broker_connection_retry_on_startup": False,
            "task_default_queue": f"test-{uuid.uuid4()}",
            "worker_hijack_root_logger": False,
        },
    )


@pytest.fixture(autouse=True)
def _log_level_stays() -> Iterator[None]:
    """A worker sets the level of the root logger, for all tests that come after it."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.fixture
def app() -> Flask:
    return Flask("with-celery")


@pytest.fixture
def celery(app: Flask) -> Celery:
    return celery_for(app, NOWHERE)


def test_without_a_celery_app_the_hook_says_what_to_do(app: Flask) -> None:
    app.config["MS365_JOB_HOOK"] = "celery"
    with pytest.raises(ConfigurationError, match=r"Set it up before MS365\(\).init_app"):
        hook_from_config(app)


def test_the_config_names_it(app: Flask, celery: Celery) -> None:
    app.config["MS365_JOB_HOOK"] = "celery"
    assert isinstance(hook_from_config(app), CeleryHook)


def test_beat_is_given_one_entry_that_toggling_never_changes(app: Flask, celery: Celery) -> None:
    hook = CeleryHook(app)
    entry = {"task": "ms365.tick", "schedule": 30.0, "options": {"expires": 30.0}}
    assert celery.conf.beat_schedule == {"ms365.email-sync": entry}
    for call in (hook.register, hook.register, hook.unregister, hook.unregister):
        call(JOB)
        assert celery.conf.beat_schedule == {"ms365.email-sync": entry}


def test_the_hosts_own_entries_stay(app: Flask, celery: Celery) -> None:
    own = {"task": "ms365.tick", "schedule": 5.0}
    celery.conf.beat_schedule = {"ms365.email-sync": own, "report": {"task": "report", "schedule": 60.0}}
    CeleryHook(app)
    assert celery.conf.beat_schedule["ms365.email-sync"] == own
    assert set(celery.conf.beat_schedule) == {"ms365.email-sync", "report"}


def test_another_celery_app_is_left_alone(app: Flask, celery: Celery) -> None:
    CeleryHook(app)
    assert Celery("another").conf.beat_schedule == {}


def test_its_status_is_the_beat_entry(app: Flask, celery: Celery) -> None:
    hook = CeleryHook(app)
    assert (hook.status().engine, hook.status().is_registered) == ("celery", True)
    celery.conf.beat_schedule = {}
    assert not hook.status().is_registered


@pytest.mark.parametrize("name", ["ms365.tick", "ms365.sync_mailbox"])
def test_a_task_of_a_lost_worker_comes_back_and_an_old_one_does_not(celery: Celery, name: str) -> None:
    task = celery.tasks[name]
    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result, task.expires) == (True, True, True, 30.0)


def test_without_a_broker_waking_fails_at_once(app: Flask, celery: Celery) -> None:
    with pytest.raises(Exception, match=r"Connection refused|Error 111"):
        CeleryHook(app).wake(1)


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["amqp", "redis"])
def test_a_broker_that_says_nothing_does_not_hold_a_page_up(app: Flask, broker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        celery_for(app, f"{broker}://127.0.0.1:{silent.getsockname()[1]}//")
        with pytest.raises(Exception, match=r"(?i)time"):
            CeleryHook(app).wake(1)


def test_with_a_broker_that_is_down_the_switch_can_be_turned_and_mailboxes_connected(
    configured: Host, ana: User
) -> None:
    celery_for(configured.app, NOWHERE)
    configured.app.extensions["ms365.state"].hook = CeleryHook(configured.app)
    visitor = configured.visitor()
    for is_on in (False, True):
        answer = visitor.submit("/ms365/settings", {"email_sync-value": "y" if is_on else None})
        assert answer.status_code == 303
        with configured.app.app_context():
            assert configured.ms365.settings.effective("email_sync").value is is_on
    assert "Your mail is being read" in visitor.connect(ana).text


@pytest.fixture
def with_worker(make_host: HostFactory, simulator: Simulator, registration: App) -> Iterator[Host]:
    """Yield a host whose Celery worker runs in a thread, over Redis."""
    host = make_host()
    configure(host, simulator, registration)
    with own_redis() as broker:
        celery = celery_for(host.app, broker)
        host.app.extensions["ms365.state"].hook = CeleryHook(host.app)
        with start_worker(celery, pool="solo", perform_ping_check=False, loglevel="ERROR"):
            yield host
        celery.close()


def finished(host: Host, act: Callable[[], Any]) -> list[RunReport]:
    """Do something; return the reports of the runs that follow in the worker, to the one that is not to go on."""
    reports: list[RunReport] = []
    done = threading.Event()

    def remember(_: object, report: RunReport) -> None:
        reports.append(report)
        if not report.has_more:
            done.set()

    with run_finished.connected_to(remember, sender=host.app):
        act()
        assert done.wait(20)
    return reports


@pytest.mark.service
def test_a_worker_syncs_a_mailbox_that_was_just_connected(with_worker: Host, ana: User) -> None:
    ana.mailbox.deliver(subject="Read by a worker")
    (report,) = finished(with_worker, lambda: with_worker.visitor().connect(ana))
    assert (report.address, str(report.result), sum(report.changes.values())) == ("ana@contoso.example", "done", 1)


@pytest.mark.service
def test_a_worker_ticks_when_it_is_told(with_worker: Host, ana: User) -> None:
    state = with_worker.app.extensions["ms365.state"]
    finished(with_worker, lambda: with_worker.visitor().connect(ana))
    with with_worker.app.app_context(), write_transaction(state.session):
        state.session.execute(update(Mailbox).values(next_due_at=state.clock()))
    (report,) = finished(with_worker, state.hook.wake)
    assert str(report.result) == "done"


@pytest.mark.service
def test_a_long_reading_is_several_tasks(with_worker: Host, ana: User) -> None:
    ana.mailbox.max_page_size = 2
    ana.mailbox.deliver_many(50, body_size=10, folders=("inbox",))
    first, *others = finished(with_worker, lambda: with_worker.visitor().connect(ana))
    assert (str(first.result), first.pages) == ("under_way", 20)
    assert sum(report.changes[Change.CREATED] for report in (first, *others)) == 50
