"""Keys are replaced row by row: beside a running sync, on after a kill, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from flask_ms365.crypto import generate_key, key_id
from flask_ms365.errors import Tampered
from flask_ms365.keys.rotation import Rotation, sealed_columns
from flask_ms365.models import AuditEvent, Base, Connection, Mailbox, Setting
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.conftest import CALLBACK, Host, HostFactory
from tests.identity.conftest import session_of
from tests.keys.arrange import counts, everything_sealed, first_of, key_of, keys, restarted


def texts_under(host: Host, key: str) -> int:
    """Count what names a key, in every column of every table but the canaries and the audit log."""
    with host.app.app_context():
        rows = [
            tuple(row)
            for table in Base.metadata.sorted_tables
            for row in session_of(host).execute(text(f"SELECT * FROM {table.name}"))
        ]
    return sum(str(value).startswith(f"ms1.{key}.") for row in rows for value in row)


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
    """Return the host with a new key before the old one, and one of each secret under the old one."""
    state = connected.app.extensions["ms365.state"]
    with connected.app.app_context():
        connected.ms365.settings.save({"client_secret": "canary-newer8Q~another.secret_value"})
        state.drafts.keep({"client_secret": "canary-draft8Q~another.secret_value"}, version=1, user_id="ana")
        state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
    return restarted(make_host, generate_key(), key_of(connected))


def test_nothing_anywhere_is_left_under_the_old_key(rotating: Host, simulator: Simulator) -> None:
    """Drafts, sign-ins under way and the secret that was replaced last are no exception."""
    old = key_id(rotating.app.config["MS365_ENCRYPTION_KEYS"][1])
    assert texts_under(rotating, old) == 6  # secret, the one before, draft, flow, and a token pair
    keys(rotating, "rotate")
    assert texts_under(rotating, old) == 0


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
