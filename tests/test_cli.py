"""``flask ms365 ...``: what it prints, and the exit code that a timer or a monitor reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from cryptography.fernet import Fernet
from sqlalchemy import update

from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from tests.conftest import Clock, Host, HostFactory


def ms365(host: Host, *arguments: str) -> Result:
    """Run ``flask ms365 ...`` on a host."""
    return host.app.test_cli_runner().invoke(args=["ms365", *arguments])


def as_json(host: Host, *arguments: str) -> Any:
    return json.loads(ms365(host, *arguments, "--json").stdout)


def change(host: Host, **values: Any) -> None:
    """Change the mailbox's row, as another worker or a person would."""
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        with write_transaction(session):
            session.execute(update(Mailbox).values(**values))


def switch_off(host: Host) -> None:
    with host.app.app_context():
        host.ms365.settings.save({"email_sync": "0"})


# sync


def test_sync_reads_every_mailbox(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    result = ms365(connected, "sync")
    assert (result.exit_code, result.stdout) == (
        0,
        "ana@contoso.example: done (1 created, 0 updated, 0 moved, 0 removed)\n",
    )


def test_sync_reads_also_what_is_not_due(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    ms365(connected, "sync")
    mailbox.deliver(subject="Two")
    assert "1 created" in ms365(connected, "sync").stdout


def test_sync_in_json_is_one_object(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    answer = as_json(connected, "sync")
    assert answer["is_on"] is True
    (report,) = answer["mailboxes"]
    assert report.pop("pages") > 0
    assert report == {
        "address": "ana@contoso.example",
        "state": "done",
        "created": 1,
        "updated": 0,
        "moved": 0,
        "removed": 0,
        "set_aside": 0,
        "error": "",
        "error_code": "",
    }


def test_sync_that_is_off_says_so_and_is_fine(connected: Host, simulator: Simulator) -> None:
    switch_off(connected)
    simulator.requests.clear()
    result = ms365(connected, "sync")
    assert (result.exit_code, result.stdout) == (0, "Emails sync is off; nothing was done.\n")
    assert as_json(connected, "sync") == {"is_on": False, "mailboxes": []}
    assert len(simulator.requests) == 0


def test_sync_without_mailboxes_says_so(configured: Host) -> None:
    result = ms365(configured, "sync")
    assert (result.exit_code, result.stdout) == (0, "No mailbox is connected.\n")


@pytest.mark.parametrize("address", ["ana@contoso.example", "Ana@Contoso.Example"])
def test_sync_of_one_mailbox_leaves_the_others(connected: Host, simulator: Simulator, address: str) -> None:
    connected.user_id = "bob"
    connected.visitor().connect(simulator.add_user("bob@contoso.example", password="bob"))
    addresses = [report["address"] for report in as_json(connected, "sync", "--mailbox", address)["mailboxes"]]
    assert addresses == ["ana@contoso.example"]


@pytest.mark.parametrize("is_on", [True, False])
def test_sync_of_an_unknown_mailbox_is_a_usage_error(connected: Host, is_on: bool) -> None:
    if not is_on:
        switch_off(connected)
    result = ms365(connected, "sync", "--mailbox", "nobody@contoso.example")
    assert result.exit_code == 2
    assert "There is no mailbox nobody@contoso.example." in result.stderr


def test_sync_obeys_pause(connected: Host, simulator: Simulator) -> None:
    change(connected, state="paused")
    simulator.requests.clear()
    result = ms365(connected, "sync")
    assert result.exit_code == 0
    assert "resting" in result.stdout
    assert len(simulator.requests) == 0


def test_sync_obeys_the_lease_of_a_worker(connected: Host, simulator: Simulator, clock: Clock) -> None:
    change(connected, lease_owner="a worker", lease_expires_at=clock() + timedelta(seconds=60))
    simulator.requests.clear()
    result = ms365(connected, "sync")
    assert result.exit_code == 0
    assert "taken" in result.stdout
    assert len(simulator.requests) == 0


def test_sync_obeys_back_off(connected: Host, simulator: Simulator, clock: Clock) -> None:
    change(connected, fail_count=3, next_due_at=clock() + timedelta(minutes=5))
    simulator.requests.clear()
    assert ms365(connected, "sync").exit_code == 0
    assert len(simulator.requests) == 0
    clock.advance(minutes=6)
    assert "done" in ms365(connected, "sync").stdout


def _revoke(host: Host, registration: App, simulator: Simulator, ana: User) -> None:
    simulator.revoke(ana)


def _expire_secret(host: Host, registration: App, simulator: Simulator, ana: User) -> None:
    registration.expire_secret()


@pytest.mark.parametrize(
    ("spoil", "state", "words"),
    [
        (_revoke, "sign_in_needed", "Sign in again."),
        (_expire_secret, "app_refused", "The client secret has expired."),
    ],
)
def test_what_needs_a_person_is_exit_code_1(
    connected: Host,
    registration: App,
    simulator: Simulator,
    ana: User,
    clock: Clock,
    spoil: Callable[..., None],
    state: str,
    words: str,
) -> None:
    spoil(connected, registration, simulator, ana)
    clock.advance(hours=2)
    result = ms365(connected, "sync")
    assert result.exit_code == 1
    assert f"ana@contoso.example: {state}" in result.stdout
    assert words in result.stdout


def test_a_grant_that_is_dead_stays_exit_code_1(connected: Host, simulator: Simulator, ana: User, clock: Clock) -> None:
    simulator.revoke(ana)
    clock.advance(hours=2)
    assert [ms365(connected, "sync").exit_code for _ in range(2)] == [1, 1]


def test_a_wrong_key_is_exit_code_1(connected: Host, make_host: HostFactory) -> None:
    # the same instance folder with another key
    result = ms365(make_host(), "sync")
    assert result.exit_code == 1
    assert "locked" in result.stdout
    assert "MS365_ENCRYPTION_KEYS" in result.stdout


def test_throttled_is_nobodys_fault(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.throttle(retry_after=600)
    result = ms365(connected, "sync")
    assert result.exit_code == 0
    assert "throttled" in result.stdout


def test_an_error_has_its_code_in_json(connected: Host, simulator: Simulator, ana: User, clock: Clock) -> None:
    simulator.revoke(ana)
    clock.advance(hours=2)
    (report,) = as_json(connected, "sync")["mailboxes"]
    assert (report["state"], report["error_code"]) == ("sign_in_needed", "50173")
    assert "revoked" in report["error"]


# status


def test_status_shows_every_mailbox(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    ms365(connected, "sync")
    result = ms365(connected, "status")
    assert result.exit_code == 0
    assert result.stdout.startswith("Emails sync is on.\nana@contoso.example: Up to date, 1 of 1 messages, last read ")


def test_status_in_json_carries_state_counts_and_error(connected: Host) -> None:
    answer = as_json(connected, "status")
    assert answer["is_on"] is True
    (status,) = answer["mailboxes"]
    assert status.pop("next_due_at")
    assert status == {
        "address": "ana@contoso.example",
        "state": "never_synced",
        "messages": 0,
        "read": 0,
        "total": 0,
        "rate": None,
        "seconds_left": None,
        "oldest": None,
        "doubts": [],
        "unreadable": [],
        "set_aside": 0,
        "overdue": False,
        "stored_bytes": None,
        "last_success_at": None,
        "error": None,
        "error_code": None,
    }


def test_status_tells_by_exit_code_who_needs_to_sign_in(
    connected: Host, simulator: Simulator, ana: User, clock: Clock
) -> None:
    simulator.revoke(ana)
    clock.advance(hours=2)
    ms365(connected, "sync")
    result = ms365(connected, "status")
    assert result.exit_code == 1
    assert "ana@contoso.example: Sign-in needed" in result.stdout
    assert as_json(connected, "status")["mailboxes"][0]["state"] == "sign_in_needed"


def test_status_that_is_off_is_fine(connected: Host) -> None:
    switch_off(connected)
    result = ms365(connected, "status")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "Emails sync is off.")


def test_status_asks_microsoft_nothing(connected: Host, simulator: Simulator) -> None:
    simulator.requests.clear()
    ms365(connected, "status")
    assert len(simulator.requests) == 0


# keys


def test_a_generated_key_is_one(host: Host) -> None:
    result = ms365(host, "keys", "generate")
    assert result.exit_code == 0
    Fernet(result.stdout.strip())


def test_each_generated_key_is_new(host: Host) -> None:
    assert ms365(host, "keys", "generate").stdout != ms365(host, "keys", "generate").stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["sync", "--nonsense"], ["sync", "--mailbox"], ["keys", "melt"]])
def test_nonsense_is_a_usage_error(host: Host, arguments: list[str]) -> None:
    assert ms365(host, *arguments).exit_code == 2
