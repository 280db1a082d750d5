"""A host over the same database with other keys, its commands, and what lies sealed there."""

from __future__ import annotations

from typing import Any

from click.testing import Result as Run
from sqlalchemy import select, text

from flask_ms365.crypto import key_id
from flask_ms365.keys.rotation import count_by_key, sealed_columns
from tests.conftest import Host, HostFactory
from tests.identity.conftest import session_of


def key_of(host: Host) -> str:
    """Return the only key of a host."""
    key: str = host.app.config["MS365_ENCRYPTION_KEYS"]
    return key


def first_of(host: Host) -> str:
    """Return the public name of the key that seals."""
    keys: list[str] = host.app.config["MS365_ENCRYPTION_KEYS"]
    return key_id(keys[0])


def restarted(make_host: HostFactory, *keys: str) -> Host:
    """Return the host with other keys over the same database."""
    return make_host(MS365_ENCRYPTION_KEYS=list(keys))


def command(host: Host, *arguments: str) -> Run:
    """Run ``flask ms365``."""
    return host.app.test_cli_runner().invoke(args=["ms365", *arguments])


def keys(host: Host, *arguments: str) -> Run:
    """Run ``flask ms365 keys``."""
    return command(host, "keys", *arguments)


def counts(host: Host) -> dict[str, int]:
    """Return how many secrets lie under each key."""
    with host.app.app_context():
        return dict(count_by_key(session_of(host)))


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
