"""Two secrets overlap while one is replaced: which old one is kept, for what, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from flask_ms365.crypto import generate_key
from flask_ms365.identity.credentials import ClientSecret, Credential
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.models import Setting
from flask_ms365.settings import USE_DEFAULT, UseDefault
from flask_ms365.settings.registration import app_registration
from tests.conftest import Host, HostFactory

FIRST, SECOND, THIRD = (f"canary{number}Q~never.shown_anywhere-at.all" for number in (1, 2, 3))
APP = {"client_id": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c", "tenant_id": "contoso.com", "cloud": "global"}
OTHER_APP = {"client_id": "1c9f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c", "tenant_id": "fabrikam.com", "cloud": "usgov"}


def save(host: Host, changes: Mapping[str, str | UseDefault]) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def secrets(host: Host) -> tuple[str, str | None]:
    """Return the secret that is tried, and the one that serves where it is refused."""
    registration = registered(host)
    return _value(registration.credential), _value(registration.previous) if registration.previous else None


def _value(credential: Credential | None) -> str:
    assert isinstance(credential, ClientSecret)
    return credential.value


def registered(host: Host) -> AppRegistration:
    with host.app.app_context():
        return app_registration(host.ms365.settings, {**host.app.config, "MS365_AUTHORITY_URL": None})


def row_of(host: Host) -> Setting | None:
    with host.app.app_context():
        row: Setting | None = session_of(host).get(Setting, "client_secret")
        return row


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def works(host: Host) -> None:
    """Let Microsoft take the newest secret."""
    registration = registered(host)
    with host.app.app_context():
        registration.credential_worked()


@pytest.fixture
def replaced(host: Host) -> Host:
    """Return a host whose first secret was replaced by a second one, which nobody has used yet."""
    save(host, {**APP, "client_secret": FIRST})
    save(host, {"client_secret": SECOND})
    return host


def test_a_first_secret_replaces_none(host: Host) -> None:
    save(host, {**APP, "client_secret": FIRST})
    assert secrets(host) == (FIRST, None)


def test_the_old_secret_stays_beside_the_new_one(replaced: Host) -> None:
    assert secrets(replaced) == (SECOND, FIRST)


def test_a_secret_of_the_deployment_stays_beside_the_first_one_of_the_page(make_host: HostFactory) -> None:
    host = make_host(MS365_CLIENT_SECRET=FIRST)
    save(host, APP)
    save(host, {"client_secret": SECOND})
    assert secrets(host) == (SECOND, FIRST)


def test_the_old_secret_is_forgotten_once_the_new_one_has_worked(replaced: Host) -> None:
    works(replaced)
    row = row_of(replaced)
    assert row is not None
    assert row.previous is None
    assert secrets(replaced) == (SECOND, None)


def test_replaced_twice_the_last_one_that_is_known_to_be_good_stays(replaced: Host) -> None:
    save(replaced, {"client_secret": THIRD})
    assert secrets(replaced) == (THIRD, FIRST)


def test_the_second_one_stays_where_it_has_worked(replaced: Host) -> None:
    works(replaced)
    save(replaced, {"client_secret": THIRD})
    assert secrets(replaced) == (THIRD, SECOND)


def test_the_first_one_entered_again_needs_no_other_beside_it(replaced: Host) -> None:
    save(replaced, {"client_secret": FIRST})
    assert secrets(replaced) == (FIRST, None)


def test_other_settings_leave_both_as_they_are(replaced: Host) -> None:
    save(replaced, {"sync_interval": "15"})
    assert secrets(replaced) == (SECOND, FIRST)


@pytest.mark.parametrize("key", APP)
@pytest.mark.parametrize("is_secret_first", [True, False])
def test_a_new_secret_of_another_app_has_none_beside_it(replaced: Host, key: str, is_secret_first: bool) -> None:
    changes = [("client_secret", THIRD), (key, OTHER_APP[key])]
    save(replaced, dict(changes if is_secret_first else reversed(changes)))
    row = row_of(replaced)
    assert row is not None
    assert row.previous is None


@pytest.mark.parametrize("key", APP)
def test_the_old_secret_is_not_tried_for_another_app(replaced: Host, key: str) -> None:
    save(replaced, {key: OTHER_APP[key]})
    assert secrets(replaced) == (SECOND, None)


def test_the_old_secret_is_not_tried_where_the_deployment_names_another_cloud(make_host: HostFactory) -> None:
    key = generate_key()
    host = make_host(MS365_ENCRYPTION_KEYS=key)
    save(host, {"client_id": APP["client_id"], "tenant_id": APP["tenant_id"], "client_secret": FIRST})
    save(host, {"client_secret": SECOND})
    moved = make_host(MS365_ENCRYPTION_KEYS=key, MS365_CLOUD="china")

    registration = registered(moved)
    assert registration.authority == "https://login.partner.microsoftonline.cn"
    assert registration.previous is None


@pytest.mark.parametrize("value", [USE_DEFAULT, ""])
def test_who_gives_the_secret_up_gives_both_up(replaced: Host, value: str | UseDefault) -> None:
    save(replaced, {"client_secret": value})
    row = row_of(replaced)
    assert row is None or (row.sealed, row.previous) == (None, None)


def test_each_secret_is_sealed_for_its_own_column(replaced: Host) -> None:
    with replaced.app.app_context():
        row = session_of(replaced).get_one(Setting, "client_secret")
        row.sealed, row.previous = row.previous, row.sealed
        session_of(replaced).commit()
        assert replaced.ms365.settings.read().previous("client_secret") is None
    assert FIRST not in f"{row.sealed} {row.previous}"


def test_a_locked_secret_has_none_beside_it(make_host: HostFactory) -> None:
    host = make_host()
    save(host, {**APP, "client_secret": FIRST})
    save(host, {"client_secret": SECOND})
    keys = host.app.config["MS365_ENCRYPTION_KEYS"]
    locked = make_host(MS365_CLIENT_SECRET=THIRD, MS365_LOCKED_SETTINGS="client_secret", MS365_ENCRYPTION_KEYS=keys)
    assert secrets(locked) == (THIRD, None)


def test_a_secret_that_worked_does_not_speak_for_the_one_saved_meanwhile(replaced: Host) -> None:
    of_another_process = registered(replaced)
    save(replaced, {"client_secret": THIRD})
    with replaced.app.app_context():
        of_another_process.credential_worked()

    assert secrets(replaced) == (THIRD, FIRST)


def test_two_processes_that_forget_at_once_forget_once(replaced: Host) -> None:
    both = registered(replaced), registered(replaced)
    with replaced.app.app_context():
        for registration in both:
            registration.credential_worked()
    assert secrets(replaced) == (SECOND, None)


def test_a_database_that_fails_does_not_lose_what_microsoft_gave(
    replaced: Host, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    registration = registered(replaced)
    with replaced.app.app_context(), monkeypatch.context() as patch:
        patch.setattr(session_of(replaced)(), "commit", fail)
        registration.credential_worked()
    assert "credential.kept" in caplog.text

    works(replaced)
    assert secrets(replaced) == (SECOND, None)


def test_neither_secret_is_in_a_repr(replaced: Host) -> None:
    with replaced.app.app_context():
        shown = f"{registered(replaced)!r} {replaced.ms365.settings.read()!r} {row_of(replaced)!r}"
    assert FIRST not in shown
    assert SECOND not in shown
