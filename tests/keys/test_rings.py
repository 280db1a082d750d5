"""Rings that are none, that are damaged, or that hold the same keys in another order."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.errors import ConfigurationError, NoEncryptionKey
from flask_ms365.sync.report import Result
from tests.conftest import Host, HostFactory
from tests.keys.arrange import key_of, restarted


# fault 25
def test_another_order_of_the_same_keys_is_no_other_ring(connected: Host, make_host: HostFactory) -> None:
    new = generate_key()
    for keys in ([new, key_of(connected)], [key_of(connected), new], [new, key_of(connected)]):
        host = restarted(make_host, *keys)
        with host.app.app_context():
            host.ms365.settings.save({"sync_interval": str(5 + keys.index(new))}, actor="ana")
            assert host.ms365.sync_mailbox(1).result is Result.DONE


# fault 25
@pytest.mark.parametrize("keys", ["", [], None])
def test_without_any_key_nothing_secret_is_stored(make_host: HostFactory, keys: object) -> None:
    host = make_host(MS365_ENCRYPTION_KEYS=keys)
    with host.app.app_context(), pytest.raises(NoEncryptionKey):
        host.ms365.settings.save({"client_secret": "canary-none8Q~another.secret_value"}, actor="ana")


# fault 25
@pytest.mark.parametrize("key", ["short", "not secret", "x" * 44, "=" * 44])
def test_what_is_no_key_stops_the_app_with_what_to_do(key: str) -> None:
    app = Flask("host")
    app.config.update(SECRET_KEY="not secret", SQLALCHEMY_DATABASE_URI="sqlite://", MS365_ENCRYPTION_KEYS=key)
    with pytest.raises(ConfigurationError, match="keys generate") as raised:
        MS365(app)
    assert key not in str(raised.value)


# fault 25
def test_a_file_may_hold_several_keys(connected: Host, make_host: HostFactory, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{generate_key()}\n{key_of(connected)}\n")
    host = make_host(MS365_ENCRYPTION_KEYS=None, MS365_ENCRYPTION_KEYS_FILE=str(file))
    with host.app.app_context():
        assert host.ms365.sync_mailbox(1).result is Result.DONE
