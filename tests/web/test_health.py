"""Health, for whatever watches the app: the right code, quickly, and only for those who may know."""

from __future__ import annotations

import json
import sqlite3
import time
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from flask_ms365.crypto import generate_key
from flask_ms365.models import Mailbox
from flask_ms365.simulator import App
from tests.conftest import Clock, Host, HostFactory
from tests.hosts.bare import bare_host
from tests.web.conftest import FILLED_IN, SETTINGS

LIVE, READY = "/ms365/health/live", "/ms365/health/ready"
ON = {**FILLED_IN, "email_sync-value": "y"}
HEALTHY = {
    "settings": "passed", "keyring": "passed", "worker": "passed", "overdue": "passed", "database": "passed"
}  # fmt: skip


def told(answer: TestResponse) -> tuple[int, dict[str, str]]:
    return answer.status_code, answer.json["steps"] if answer.json else {}


@pytest.fixture
def syncing(host: Host) -> Host:
    """Return a host whose sync is on and where somebody has just ticked."""
    host.visitor().submit(SETTINGS, ON)
    with host.app.app_context():
        host.ms365.tick()
    return host


def test_a_process_that_answers_is_alive(host: Host) -> None:
    answer = host.visitor().get(LIVE)
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_a_sync_that_is_off_is_healthy(host: Host) -> None:
    assert told(host.visitor().get(READY)) == (200, {"database": "passed"})


def test_a_sync_that_is_on_is_ready_while_somebody_ticks(syncing: Host) -> None:
    assert told(syncing.visitor().get(READY)) == (200, HEALTHY)


def test_a_dead_scheduler_is_not_ready(syncing: Host, clock: Clock) -> None:
    clock.advance(hours=1)
    code, states = told(syncing.visitor().get(READY))
    assert (code, states["worker"]) == (503, "failed")


def late_mailboxes(host: Host, clock: Clock, *, late: int, on_time: int) -> None:
    """Let half an hour pass in which some mailboxes had no success, and somebody ticked."""
    clock.advance(hours=1)
    now = clock()
    each = {"kind": "user", "created_at": now - timedelta(hours=1), "next_due_at": now + timedelta(minutes=5)}
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        session.add_all(Mailbox(address=f"late{number}", fail_count=3, **each) for number in range(late))
        session.add_all(Mailbox(address=f"{number}", last_success_at=now, **each) for number in range(on_time))
        session.commit()
        host.ms365.tick()


@pytest.mark.parametrize(
    ("late", "code", "state"), [(0, 200, "passed"), (1, 200, "warning"), (2, 200, "warning"), (3, 503, "failed")]
)
def test_an_app_most_of_whose_mailboxes_are_late_is_not_ready(
    syncing: Host, clock: Clock, late: int, code: int, state: str
) -> None:
    late_mailboxes(syncing, clock, late=late, on_time=2)
    found, states = told(syncing.visitor().get(READY))
    assert (found, states["overdue"]) == (code, state)


def test_an_app_that_microsoft_refuses_is_not_ready(connected: Host, registration: App, clock: Clock) -> None:
    registration.expire_secret()
    with connected.app.app_context():
        clock.advance(hours=2)
        connected.ms365.tick()
    code, states = told(connected.visitor().get(READY))
    assert (code, states["overdue"]) == (503, "failed")


def test_the_command_says_the_same(syncing: Host, clock: Clock) -> None:
    late_mailboxes(syncing, clock, late=3, on_time=2)
    result = syncing.app.test_cli_runner().invoke(args=["ms365", "check", "--json"])
    states = {step["name"]: step["state"] for step in json.loads(result.output)["steps"]}
    _, ready = told(syncing.visitor().get(READY))
    assert {name: states[name] for name in ready} == ready
    assert result.exit_code == 1


def test_a_secret_that_has_ended_is_not_ready(syncing: Host, clock: Clock) -> None:
    ended = (clock() - timedelta(days=2)).date().isoformat()
    syncing.visitor().submit(SETTINGS, {"client_secret_expires_on-value": ended})
    code, states = told(syncing.visitor().get(READY))
    assert (code, states["settings"]) == (503, "failed")


def test_another_key_is_not_ready(tmp_path: Path) -> None:
    bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key()).visitor().submit(SETTINGS, ON)
    code, states = told(bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key()).visitor().get(READY))
    assert (code, states["keyring"]) == (503, "failed")


def test_a_locked_database_is_told_within_two_seconds(syncing: Host) -> None:
    with syncing.app.app_context():
        path = syncing.app.extensions["sqlalchemy"].engine.url.database
    with sqlite3.connect(path, isolation_level=None) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        answer = syncing.visitor().get(READY)
        took = time.monotonic() - began
        blocker.execute("ROLLBACK")
    assert (answer.status_code, answer.json, took < 2) == (
        503,
        {"status": "not ready", "steps": {"database": "failed"}},
        True,
    )


@pytest.mark.parametrize("path", [LIVE, READY])
def test_strangers_learn_nothing(host: Host, path: str) -> None:
    host.permissions = {"own_mailbox"}
    assert host.visitor().get(path).status_code == 403


@pytest.mark.parametrize(
    ("sent", "code"), [("Bearer watcher", 200), ("Bearer wrong", 403), ("watcher", 403), ("", 403)]
)
def test_monitoring_comes_in_by_its_token(make_host: HostFactory, sent: str, code: int) -> None:
    host = make_host(MS365_MONITORING_TOKEN="watcher")
    host.permissions = set()
    assert host.visitor().get(READY, headers={"Authorization": sent}).status_code == code


def test_an_empty_token_opens_nothing(make_host: HostFactory) -> None:
    host = make_host(MS365_MONITORING_TOKEN="")
    host.permissions = set()
    assert host.visitor().get(READY, headers={"Authorization": "Bearer "}).status_code == 403


def test_nothing_secret_is_in_an_answer(syncing: Host) -> None:
    assert set(syncing.visitor().get(READY).json or {}) == {"status", "steps"}
