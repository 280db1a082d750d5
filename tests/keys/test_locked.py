"""A database that was used with other keys is locked: nothing is overwritten, and all goes on once they are back."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.errors import ConfigurationError, EncryptionError, Locked, NoEncryptionKey
from flask_ms365.keys.rotation import sealed_columns
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.conftest import CALLBACK, Host, HostFactory
from tests.identity.conftest import session_of


def key_of(host: Host) -> str:
    key: str = host.app.config["MS365_ENCRYPTION_KEYS"]
    return key


def restarted(make_host: HostFactory, *keys: str) -> Host:
    """Return the host with other keys over the same database."""
    return make_host(MS365_ENCRYPTION_KEYS=list(keys))


def everything_sealed(host: Host) -> list[tuple[Any, ...]]:
    """Return all secrets as they lie in the database."""
    with host.app.app_context():
        found: list[tuple[Any, ...]] = []
        for each in sealed_columns():
            rows = session_of(host).execute(select(each.key, each.column).order_by(each.key))
            found += [(each.table.name, each.column.name, *row) for row in rows]
        canaries = session_of(host).execute(text("SELECT key_canaries FROM ms365_settings_version")).all()
        session_of(host).commit()
        return [*found, *(tuple(row) for row in canaries)]


@pytest.fixture
def locked(connected: Host, make_host: HostFactory) -> Host:
    """Return the host after a restore under another key."""
    return restarted(make_host, generate_key())


# fault 28
def test_whatever_is_tried_nothing_that_is_stored_is_overwritten(locked: Host, simulator: Simulator) -> None:
    before = everything_sealed(locked)
    state = locked.app.extensions["ms365.state"]
    with locked.app.app_context():
        assert locked.ms365.tick().runs == ()
        assert locked.ms365.sync_mailbox(1).result is Result.LOCKED
        for save in ({"client_secret": "canary-new8Q~another.secret_value"}, {"tenant_id": "fabrikam.com"}):
            with pytest.raises(Locked):
                locked.ms365.settings.save(save, actor="ana")
        with pytest.raises(Locked):
            state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
        with pytest.raises(EncryptionError):
            state.connect.clients.tokens.access_token(1, state.registration, rejected="x")
        with pytest.raises(Locked):
            state.drafts.keep({"client_secret": "canary-draft8Q~another.value"}, version=1, user_id="ana")
    run = locked.app.test_cli_runner().invoke(args=["ms365", "keys", "rotate"])
    assert (run.exit_code, "Locked" in run.output) == (1, True)
    assert everything_sealed(locked) == before


def test_the_host_serves_on_and_the_pages_say_why(locked: Host) -> None:
    visitor = locked.visitor()
    for page in ("settings", "my-email", "", "check", "messages", "setup", "audit"):
        answer = visitor.get(f"/ms365/{page}")
        assert answer.status_code == 200, page
    assert "Locked: this database was used with the encryption key" in visitor.get("/ms365/settings").text
    assert "Locked: this database" in visitor.get("/ms365/my-email").text


def test_monitoring_and_the_check_hear_of_it(locked: Host) -> None:
    assert locked.visitor().get("/ms365/health/ready").status_code == 503
    check = locked.app.test_cli_runner().invoke(args=["ms365", "check"])
    assert (check.exit_code, "Locked: this database" in check.output) == (1, True)
    keys = locked.app.test_cli_runner().invoke(args=["ms365", "keys", "check"])
    assert (keys.exit_code, "missing" in keys.output) == (1, True)


def test_nobody_is_called_disconnected(locked: Host) -> None:
    run = locked.app.test_cli_runner().invoke(args=["ms365", "status", "--json"])
    assert '"sign_in_needed"' not in run.output
    assert '"disconnected"' not in run.output


def test_once_the_key_is_back_everything_goes_on(connected: Host, locked: Host, make_host: HostFactory) -> None:
    back = restarted(make_host, key_of(connected))
    with back.app.app_context():
        assert [run.result for run in back.ms365.tick().runs] == [Result.DONE]


# fault 25
def test_another_order_of_the_same_keys_is_no_other_ring(connected: Host, make_host: HostFactory) -> None:
    new = generate_key()
    for keys in ([new, key_of(connected)], [key_of(connected), new], [new, key_of(connected)]):
        host = restarted(make_host, *keys)
        with host.app.app_context():
            host.ms365.settings.save({"sync_interval": str(5 + keys.index(new))}, actor="ana")
            assert host.ms365.sync_mailbox(1).result is Result.DONE


@pytest.mark.parametrize("keys", ["", [], None])
def test_without_any_key_nothing_secret_is_stored(make_host: HostFactory, keys: object) -> None:
    host = make_host(MS365_ENCRYPTION_KEYS=keys)
    with host.app.app_context(), pytest.raises(NoEncryptionKey):
        host.ms365.settings.save({"client_secret": "canary-none8Q~another.secret_value"}, actor="ana")


@pytest.mark.parametrize("key", ["short", "not secret", "x" * 44, "=" * 44])
def test_what_is_no_key_stops_the_app_with_what_to_do(key: str) -> None:
    app = Flask("host")
    app.config.update(SECRET_KEY="not secret", SQLALCHEMY_DATABASE_URI="sqlite://", MS365_ENCRYPTION_KEYS=key)
    with pytest.raises(ConfigurationError, match="keys generate") as raised:
        MS365(app)
    assert key not in str(raised.value)


# fault 29
def test_a_second_node_with_another_key_is_locked_and_the_first_goes_on(
    connected: Host, make_host: HostFactory
) -> None:
    second = restarted(make_host, generate_key())
    with second.app.app_context(), pytest.raises(Locked):
        second.ms365.settings.save({"sync_interval": "9"}, actor="ana")
    with connected.app.app_context():
        connected.ms365.settings.save({"sync_interval": "10"}, actor="ana")
        assert connected.ms365.sync_mailbox(1).result is Result.DONE


def test_a_node_notices_at_its_next_look_that_another_key_came_into_use(
    connected: Host, make_host: HostFactory
) -> None:
    newer = restarted(make_host, generate_key(), key_of(connected))
    with newer.app.app_context():
        newer.app.extensions["ms365.state"].runner.beat()
    with connected.app.app_context():
        assert connected.ms365.sync_mailbox(1).result is Result.LOCKED


def test_the_log_names_no_secret(locked: Host, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), locked.app.app_context():
        locked.ms365.tick()
    assert key_of(locked)[0] not in caplog.text
