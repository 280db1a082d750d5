"""Keys are replaced row by row: beside a running sync, on after a kill, and nothing is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from click.testing import Result as Run
from sqlalchemy import insert, select, update

from flask_ms365.crypto import Sealed, generate_key, key_id
from flask_ms365.errors import Tampered
from flask_ms365.keys.rotation import Rotation, count_by_key, sealed_columns
from flask_ms365.models import AuditEvent, Base, Connection, Mailbox, Setting
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.conftest import Host, HostFactory
from tests.identity.conftest import session_of
from tests.keys.test_locked import everything_sealed, key_of, restarted


def keys(host: Host, *arguments: str) -> Run:
    return host.app.test_cli_runner().invoke(args=["ms365", "keys", *arguments])


def counts(host: Host) -> dict[str, int]:
    with host.app.app_context():
        return dict(count_by_key(session_of(host)))


def copy_connection(host: Host, number: int) -> None:
    """Give a host ``number`` connections, each with secrets of its own place."""
    state = host.app.extensions["ms365.state"]
    table: Any = Connection.__table__
    with host.app.app_context():
        first = dict(session_of(host).execute(select(table)).mappings().first())
        place = f"{first['tid']}/{first['oid']}"
        opened = {
            name: state.keyring.open(first[name], f"ms365_connection:ana/{place}:{name}")
            for name in ("access_token", "refresh_token")
        }
        rows = []
        for each in range(2, number + 1):
            sealed = {
                name: state.keyring.seal(value, f"ms365_connection:user{each}/{place}:{name}")
                for name, value in opened.items()
            }
            rows.append({**first, **sealed, "id": each, "user_id": f"user{each}"})
        session_of(host).execute(insert(table), rows)
        session_of(host).commit()


@pytest.fixture
def rotating(connected: Host, make_host: HostFactory) -> Host:
    """Return the host with a new key before the old one."""
    return restarted(make_host, generate_key(), key_of(connected))


def first_of(host: Host) -> str:
    keys: list[str] = host.app.config["MS365_ENCRYPTION_KEYS"]
    return key_id(keys[0])


def test_every_sealed_column_is_found() -> None:
    named = {f"{each.table.name}.{each.column.name}" for each in sealed_columns()}
    declared = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, Sealed)
    }
    assert named == declared
    assert "ms365_connection.refresh_token" in named


def test_afterwards_all_lies_under_the_new_key_and_the_old_one_may_go(rotating: Host, make_host: HostFactory) -> None:
    copy_connection(rotating, 250)
    run = keys(rotating, "rotate")
    assert (run.exit_code, "the old key may be removed" in run.output) == (0, True)
    assert set(counts(rotating)) == {first_of(rotating)}
    alone = restarted(make_host, rotating.app.config["MS365_ENCRYPTION_KEYS"][0])
    with alone.app.app_context():
        assert alone.ms365.sync_mailbox(1).result is Result.DONE
        assert alone.ms365.settings.read().missing_keys == []


def test_a_dry_run_changes_nothing(rotating: Host) -> None:
    before = everything_sealed(rotating)
    run = keys(rotating, "rotate", "--dry-run")
    assert (run.exit_code, "would be sealed" in run.output) == (0, True)
    assert everything_sealed(rotating) == before


# fault 26
def test_the_old_key_removed_too_early_locks_and_putting_it_back_helps(
    connected: Host, rotating: Host, make_host: HostFactory
) -> None:
    new = rotating.app.config["MS365_ENCRYPTION_KEYS"][0]
    too_early = restarted(make_host, new)
    with too_early.app.app_context():
        assert too_early.ms365.sync_mailbox(1).result is Result.LOCKED
    assert keys(restarted(make_host, new, key_of(connected)), "rotate").exit_code == 0


# fault 26
def test_a_rotation_that_died_half_way_goes_on(rotating: Host) -> None:
    copy_connection(rotating, 250)
    state = rotating.app.extensions["ms365.state"]

    def die(count: int) -> None:
        raise KeyboardInterrupt

    with rotating.app.app_context(), pytest.raises(KeyboardInterrupt):
        Rotation(session=state.session, keyring=state.keyring, clock=state.clock).run(actor=None, moved=die)
    half = counts(rotating)
    assert len(half) == 2
    assert keys(rotating, "rotate").exit_code == 0
    assert counts(rotating) == {first_of(rotating): sum(half.values())}


def test_what_somebody_writes_meanwhile_stays_as_they_wrote_it(rotating: Host, simulator: Simulator) -> None:
    state = rotating.app.extensions["ms365.state"]
    with rotating.app.app_context():
        rotation = Rotation(session=state.session, keyring=state.keyring, clock=state.clock)
        column = next(each for each in sealed_columns() if each.column.name == "refresh_token")
        (rows,) = rotation._batches(column)
        simulator.expire_access_tokens()
        assert rotating.ms365.sync_mailbox(1).result is Result.DONE  # a new pair, after the rows were read
        newer = state.session.scalar(select(Connection.refresh_token))
        assert rotation._reseal(column, rows, []) == 0
        assert state.session.scalar(select(Connection.refresh_token)) == newer


# fault 27
@pytest.mark.parametrize("what", ["of another row", "bit flipped", "plain text", "a megabyte"])
def test_a_damaged_secret_is_named_left_alone_and_opens_for_nobody(rotating: Host, what: str) -> None:
    state = rotating.app.extensions["ms365.state"]
    with rotating.app.app_context():
        token = state.session.scalar(select(Connection.access_token))
        spoilt = {
            "of another row": state.session.scalar(select(Setting.sealed).where(Setting.key == "client_secret")),
            "bit flipped": token[:-9] + ("A" if token[-9] != "A" else "B") + token[-8:],
            "plain text": "ms1.eyJ0eXAiOiJKV1Qi",
            "a megabyte": f"ms1.{first_of(rotating)}." + "A" * 1_000_000,
        }[what]
        state.session.execute(update(Connection).values(access_token=spoilt))
        state.session.commit()
        with pytest.raises(Tampered):
            state.connect.clients.tokens.access_token(1, state.registration)
        assert rotating.ms365.sync_mailbox(1).result is Result.LOCKED
        mailbox = state.session.scalar(select(Mailbox.state))
        assert mailbox == "connected"
    if what in ("bit flipped", "plain text"):
        run = keys(rotating, "rotate")
        assert "Could not be opened: ms365_connection.access_token of 1" in run.output


def test_null_is_no_secret(rotating: Host) -> None:
    with rotating.app.app_context():
        session_of(rotating).execute(update(Connection).values(access_token=None, refresh_token=None, is_dead=True))
        session_of(rotating).commit()
    assert keys(rotating, "rotate").exit_code == 0


def test_it_is_audited(rotating: Host) -> None:
    keys(rotating, "rotate")
    with rotating.app.app_context():
        event = session_of(rotating).scalars(select(AuditEvent).where(AuditEvent.action == "keys.rotated")).one()
    assert (event.target, event.detail["resealed"] > 0) == (first_of(rotating), True)


def test_check_counts_by_key(rotating: Host) -> None:
    run = keys(rotating, "check")
    assert run.exit_code == 0
    assert f"{first_of(rotating)}: seals and opens, 0 secrets" in run.output
    assert "opens, 3 secrets" in run.output


def test_a_key_that_is_lost_can_be_given_up(connected: Host, make_host: HostFactory) -> None:
    host = restarted(make_host, generate_key())
    lost = key_id(key_of(connected))
    assert keys(host, "forget", lost).exit_code == 1  # asks, and nobody answers
    assert keys(host, "forget", lost, "--yes").exit_code == 0
    with host.app.app_context():
        assert session_of(host).scalar(select(Mailbox.state)) == "sign_in_needed"
        host.ms365.settings.save({"client_secret": "canary-again8Q~another.secret_value"}, actor="ana")
    assert keys(host, "check").exit_code == 0


def test_a_key_that_is_there_is_not_given_up(connected: Host) -> None:
    before = everything_sealed(connected)
    assert keys(connected, "forget", key_id(key_of(connected)), "--yes").exit_code == 2
    assert keys(connected, "forget", "00000000", "--yes").exit_code == 2
    assert everything_sealed(connected) == before


# fault 26
@pytest.mark.slow
def test_beside_a_running_sync_of_a_thousand_connections_none_is_lost(rotating: Host, simulator: Simulator) -> None:
    copy_connection(rotating, 1000)
    simulator.expire_access_tokens()
    state = rotating.app.extensions["ms365.state"]
    failed: list[Exception] = []

    def read(numbers: range) -> None:
        with rotating.app.app_context():
            for number in numbers:
                try:
                    state.connect.clients.tokens.access_token(number, state.registration, rejected="x")
                except Exception as exc:
                    failed.append(exc)

    readers = [threading.Thread(target=read, args=(range(1 + part, 1001, 4),)) for part in range(4)]
    for reader in readers:
        reader.start()
    runs = [keys(rotating, "rotate")]
    for reader in readers:
        reader.join()
    runs.append(keys(rotating, "rotate"))
    assert (failed, runs[-1].exit_code) == ([], 0)
    assert set(counts(rotating)) == {first_of(rotating)}
    with rotating.app.app_context():
        assert all(state.connect.clients.tokens.access_token(each, state.registration) for each in range(1, 1001, 50))
