"""``flask ms365 keys``, and what the other commands say of a database that is locked."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from sqlalchemy import select, text

from flask_ms365.crypto import generate_key, key_id
from flask_ms365.models import AuditEvent, Connection, Mailbox, OAuthFlow, Setting, SettingsDraft
from flask_ms365.simulator import App, User
from flask_ms365.sync.report import Result
from tests.conftest import CALLBACK, Host, HostFactory
from tests.identity.conftest import session_of
from tests.keys.arrange import command, counts, everything_sealed, key_of, keys, restarted

SECRET = "canary-again8Q~another.secret_value"


@pytest.fixture
def filled(connected: Host) -> Host:
    """Return a host with a secret, a token pair, a draft and a sign-in under way."""
    state = connected.app.extensions["ms365.state"]
    with connected.app.app_context():
        state.drafts.keep({"client_secret": SECRET}, version=1, user_id="ana")
        state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
    return connected


@pytest.fixture
def lost(filled: Host) -> str:
    """Return the public name of a key that is about to be lost."""
    return key_id(key_of(filled))


@pytest.fixture
def locked(filled: Host, make_host: HostFactory) -> Host:
    """Return the host after its key was lost."""
    return restarted(make_host, generate_key())


def every(host: Host, column: Any) -> list[Any]:
    with host.app.app_context():
        return list(session_of(host).scalars(select(column)))


def test_check_names_each_key_and_counts_what_lies_under_it(filled: Host, make_host: HostFactory, lost: str) -> None:
    new = generate_key()
    run = keys(restarted(make_host, new, key_of(filled)), "check")
    told = [f"{key_id(new)}: seals and opens, 0 secrets", f"{lost}: opens, 5 secrets"]
    assert (run.exit_code, run.output.splitlines()) == (0, told)


def test_check_fails_where_a_key_is_missing(locked: Host, lost: str) -> None:
    run = keys(locked, "check")
    assert (run.exit_code, f"{lost}: missing, 5 secrets" in run.output) == (1, True)
    assert f"Locked: this database was used with the encryption key {lost}" in run.output


# fault 27
def test_what_lies_in_the_clear_is_counted_and_not_shown(filled: Host) -> None:
    with filled.app.app_context():
        session_of(filled).execute(text("UPDATE ms365_connection SET access_token = 'abcdEFGHijklMNOP'"))
        session_of(filled).commit()
    run = keys(filled, "check")
    assert (run.exit_code, "no key: missing, 1 secrets" in run.output, "EFGH" in run.output) == (1, True, False)
    assert "EFGH" not in command(filled, "check").output


# fault 28
@pytest.mark.parametrize("arguments", [("check",), ("sync",), ("status",), ("keys", "rotate")])
def test_a_command_says_that_it_is_locked_and_fails(locked: Host, lost: str, arguments: tuple[str, ...]) -> None:
    run = command(locked, *arguments)
    assert (run.exit_code, f"Locked: this database was used with the encryption key {lost}" in run.output) == (1, True)


# fault 28
def test_status_calls_nobody_disconnected(locked: Host, lost: str) -> None:
    told = json.loads(command(locked, "status", "--json").stdout)
    assert (told["missing_keys"], [each["state"] for each in told["mailboxes"]]) == ([lost], ["never_synced"])


# fault 28
def test_a_worker_logs_once_a_tick_which_key_is_missing(
    locked: Host, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), locked.app.app_context():
        locked.ms365.tick()
    assert [vars(record)["missing_keys"] for record in caplog.records if record.message == "locked"] == [[lost]]


def test_a_run_without_a_tick_leaves_a_canary_before_it_seals_with_a_new_key(
    filled: Host, make_host: HostFactory, lost: str
) -> None:
    new = generate_key()
    host = restarted(make_host, new, key_of(filled))
    state = host.app.extensions["ms365.state"]
    with host.app.app_context():
        state.connect.clients.tokens.renew(1, state.registration, before=state.clock())
        assert set(host.ms365.settings.read().key_canaries) == {key_id(new), lost}


def test_forgetting_a_lost_key_asks_first(locked: Host, lost: str) -> None:
    before = everything_sealed(locked)
    assert keys(locked, "forget", lost).exit_code == 1
    assert everything_sealed(locked) == before


def test_forgetting_a_lost_key_gives_up_all_that_it_sealed(locked: Host, lost: str) -> None:
    run = keys(locked, "forget", lost, "--yes")
    assert (run.exit_code, counts(locked)) == (0, {})
    assert "client_secret" not in every(locked, Setting.key)
    assert (every(locked, SettingsDraft.id), every(locked, OAuthFlow.code_verifier)) == ([], [None])
    assert (every(locked, Connection.is_dead), every(locked, Mailbox.state)) == ([True], ["sign_in_needed"])


def test_after_a_lost_key_was_forgotten_everything_can_be_entered_again(
    locked: Host, lost: str, registration: App, ana: User
) -> None:
    keys(locked, "forget", lost, "--yes")
    with locked.app.app_context():
        locked.ms365.settings.save({"client_secret": registration.client_secret}, actor="ana")
    locked.visitor().connect(ana)
    with locked.app.app_context():
        assert locked.ms365.sync_mailbox(1).result is Result.DONE
    assert keys(locked, "check").exit_code == 0


def test_what_other_keys_sealed_is_not_given_up(filled: Host, make_host: HostFactory, lost: str) -> None:
    new = generate_key()
    both = restarted(make_host, new, key_of(filled))
    with both.app.app_context():
        both.ms365.settings.save({"client_secret": SECRET}, actor="ana")
    alone = restarted(make_host, new)
    keys(alone, "forget", lost, "--yes")
    with alone.app.app_context():
        assert alone.ms365.settings.effective("client_secret").value == SECRET
    assert counts(alone) == {key_id(new): 2}  # this secret, and the one that it replaced


def test_that_a_key_was_forgotten_is_audited(locked: Host, lost: str) -> None:
    keys(locked, "forget", lost, "--yes")
    with locked.app.app_context():
        event = session_of(locked).scalars(select(AuditEvent).where(AuditEvent.action == "keys.forgotten")).one()
    assert (event.target, event.door) == (lost, "cli")


def test_a_key_that_is_there_is_not_forgotten(filled: Host, lost: str) -> None:
    before = everything_sealed(filled)
    assert keys(filled, "forget", lost, "--yes").exit_code == 2
    assert everything_sealed(filled) == before


@pytest.mark.parametrize("name", ["00000000", ""])
def test_a_key_that_nobody_knows_is_not_forgotten(locked: Host, name: str) -> None:
    before = everything_sealed(locked)
    assert keys(locked, "forget", name, "--yes").exit_code == 2
    assert everything_sealed(locked) == before
