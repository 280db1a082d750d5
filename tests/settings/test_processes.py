"""Several processes, one truth: each reads what holds now, and keeps no copy."""

from __future__ import annotations

from pathlib import Path

from flask_ms365.crypto import generate_key
from flask_ms365.identity.credentials import ClientSecret
from tests.conftest import Host
from tests.hosts.bare import bare_host

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
SETTINGS = {
    "client_id": CLIENT_ID,
    "client_secret": "aB38Q~Zz9-qW_eRt.Yu7iOpAsDfGhJkLzXcVbNm1",
    "tenant_id": "contoso.com",
}


def two(tmp_path: Path) -> tuple[Host, Host]:
    """Return two processes of one app: the same database and the same keys."""
    key = generate_key()
    return bare_host(tmp_path, MS365_ENCRYPTION_KEYS=key), bare_host(tmp_path, MS365_ENCRYPTION_KEYS=key)


def test_another_process_uses_a_new_secret_at_its_next_read(tmp_path: Path) -> None:
    web, worker = two(tmp_path)
    with worker.app.app_context():
        registration = worker.app.extensions["ms365.state"].registration
        for secret in ("aB38Q~first" * 3, "aB38Q~second" * 3):
            with web.app.app_context():
                web.ms365.settings.save({**SETTINGS, "client_secret": secret})
            assert registration().credential == ClientSecret(secret)


def test_another_process_stops_when_the_toggle_goes_off(tmp_path: Path) -> None:
    web, worker = two(tmp_path)
    seen = []
    for toggle in ("1", "0", "1"):
        with web.app.app_context():
            web.ms365.settings.save({**SETTINGS, "email_sync": toggle})
        with worker.app.app_context():
            seen.append(worker.ms365.tick().is_on)
    assert seen == [True, False, True]


def test_what_one_process_read_before_does_not_hold_it_back(tmp_path: Path) -> None:
    web, other = two(tmp_path)
    with other.app.app_context():
        before = other.ms365.settings.read()
        with web.app.app_context():
            web.ms365.settings.save({"tenant_id": "fabrikam.com"})
        now = other.ms365.settings.read()
    assert (before.version, now.version, now.effective("tenant_id").value) == (0, 1, "fabrikam.com")
