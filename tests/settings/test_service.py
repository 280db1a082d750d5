"""Which value holds, where it comes from, and how it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import signals
from flask_ms365.crypto import generate_key
from flask_ms365.errors import ConfigurationError, InvalidSettings, KeyMissing, NoEncryptionKey, SettingsChanged
from flask_ms365.models import AuditEvent, Setting
from flask_ms365.settings import CATALOG, USE_DEFAULT, Effective, UseDefault
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
SECRET = "canary8Q~never.shown_anywhere-at.all"
CREDENTIALS = {"client_id": CLIENT_ID, "client_secret": SECRET, "tenant_id": "contoso.com"}


def save(host: Host, changes: Mapping[str, str | UseDefault], *, version: int | None = None) -> list[str]:
    with host.app.app_context():
        return host.ms365.settings.save(changes, version=version, actor="ana")


def effective(host: Host, key: str) -> Effective:
    with host.app.app_context():
        return host.ms365.settings.effective(key)


def stored(host: Host) -> set[str]:
    with host.app.app_context():
        return set(host.app.extensions["sqlalchemy"].session.scalars(select(Setting.key)))


def test_the_built_in_default_holds_where_nobody_said_anything(host: Host) -> None:
    assert effective(host, "cloud") == Effective("global", "default")


def test_a_value_of_the_deployment_holds_over_the_built_in_default(make_host: HostFactory) -> None:
    host = make_host(MS365_CLOUD="usgov")
    assert effective(host, "cloud") == Effective("usgov", "config")


def test_a_stored_value_holds_over_that_of_the_deployment(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com")
    save(host, {"tenant_id": "fabrikam.com"})
    assert effective(host, "tenant_id") == Effective("fabrikam.com", "stored")


@pytest.mark.parametrize("spec", CATALOG, ids=lambda spec: spec.key)
def test_use_default_brings_the_deployments_value_back(make_host: HostFactory, spec: Any) -> None:
    given = {**CREDENTIALS, "cloud": "usgov", "email_sync": "1", "sync_interval": "15"}
    other = {**CREDENTIALS, "tenant_id": "fabrikam.com", "cloud": "china", "email_sync": "0", "sync_interval": "30"}
    host = make_host(**{f"MS365_{key.upper()}": value for key, value in given.items()})
    save(host, {spec.key: other[spec.key]})
    save(host, {spec.key: USE_DEFAULT})
    assert effective(host, spec.key) == Effective(spec.typed(given[spec.key]), "config")


def test_use_default_leaves_no_row(host: Host) -> None:
    save(host, {"sync_interval": "15"})
    save(host, {"sync_interval": USE_DEFAULT})
    assert stored(host) == set()


def test_an_override_that_equals_the_default_is_still_an_override(host: Host) -> None:
    save(host, {"sync_interval": "5"})
    assert effective(host, "sync_interval") == Effective(5, "stored")


def test_an_empty_secret_of_ones_own_hides_that_of_the_deployment(make_host: HostFactory) -> None:
    host = make_host(MS365_CLIENT_SECRET=SECRET)
    save(host, {"client_secret": ""})
    assert effective(host, "client_secret") == Effective("", "stored")


@pytest.mark.parametrize("key", ["client_id", "tenant_id", "cloud", "sync_interval"])
def test_a_required_setting_cannot_be_emptied(host: Host, key: str) -> None:
    with pytest.raises(InvalidSettings, match="or tick Use default"):
        save(host, {key: "  "})


def test_values_are_typed(make_host: HostFactory) -> None:
    host = make_host(MS365_EMAIL_SYNC=True, MS365_SYNC_INTERVAL="15")
    assert (effective(host, "email_sync").value, effective(host, "sync_interval").value) == (True, 15)


def test_space_around_a_pasted_value_is_dropped(host: Host) -> None:
    save(host, {"client_id": f"  {CLIENT_ID}\t\n", "client_secret": f" {SECRET} "})
    assert (effective(host, "client_id").value, effective(host, "client_secret").value) == (CLIENT_ID, SECRET)


def test_a_secret_may_come_from_a_file(make_host: HostFactory, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    host = make_host(MS365_CLIENT_SECRET_FILE=str(tmp_path / "secret"))
    assert effective(host, "client_secret") == Effective(SECRET, "config")


def test_an_empty_variable_of_the_environment_is_no_value(make_host: HostFactory) -> None:
    host = make_host(MS365_CLIENT_ID="", MS365_SYNC_INTERVAL=" ")
    assert (effective(host, "client_id").source, effective(host, "sync_interval").value) == ("default", 5)


@pytest.mark.parametrize(
    ("key", "value"),
    [("MS365_TENANT_ID", "common/../evil"), ("MS365_SYNC_INTERVAL", 0), ("MS365_EMAIL_SYNC", "maybe")],
)
def test_a_default_that_the_page_would_refuse_stops_the_app_at_its_start(
    make_host: HostFactory, key: str, value: object
) -> None:
    with pytest.raises(ConfigurationError, match=f"{key} in app.config"):
        make_host(**{key: value})


def test_one_refused_setting_keeps_the_others_out_too(host: Host) -> None:
    with pytest.raises(InvalidSettings):
        save(host, {"sync_interval": "15", "tenant_id": ".."})
    assert stored(host) == set()


def test_every_refused_setting_is_named(host: Host) -> None:
    with pytest.raises(InvalidSettings) as refused:
        save(host, {"client_id": "x", "tenant_id": "..", "email_sync": "1"})
    assert set(refused.value.problems) == {"client_id", "tenant_id", "email_sync"}


def test_the_toggle_needs_all_three_credentials(host: Host) -> None:
    with pytest.raises(InvalidSettings) as refused:
        save(host, {"email_sync": "1", "client_id": CLIENT_ID})
    assert refused.value.problems == {"email_sync": "Emails sync needs Client Secret, Directory (Tenant) ID first"}


def test_the_toggle_goes_on_in_the_save_that_brings_the_credentials(host: Host) -> None:
    save(host, {**CREDENTIALS, "email_sync": "1"})
    assert effective(host, "email_sync") == Effective(True, "stored")


def test_credentials_of_the_deployment_are_enough_for_the_toggle(make_host: HostFactory) -> None:
    host = make_host(**{f"MS365_{key.upper()}": value for key, value in CREDENTIALS.items()})
    assert save(host, {"email_sync": "1"}) == ["email_sync"]


@pytest.mark.parametrize("key", CREDENTIALS)
def test_credentials_of_a_sync_that_is_on_cannot_be_given_up(host: Host, key: str) -> None:
    save(host, {**CREDENTIALS, "email_sync": "1"})
    with pytest.raises(InvalidSettings) as refused:
        save(host, {key: USE_DEFAULT})
    assert "Switch it off first" in refused.value.problems[key]


def test_credentials_may_be_given_up_in_the_save_that_switches_off(host: Host) -> None:
    save(host, {**CREDENTIALS, "email_sync": "1"})
    save(host, {"client_secret": USE_DEFAULT, "email_sync": "0"})
    assert effective(host, "client_secret").value is None


def test_a_deployment_that_is_on_from_the_start_can_be_filled_in_step_by_step(make_host: HostFactory) -> None:
    host = make_host(MS365_EMAIL_SYNC=True)
    assert save(host, {"client_id": CLIENT_ID}) == ["client_id"]


def test_a_secret_is_sealed_where_it_is_stored(host: Host) -> None:
    save(host, {"client_secret": SECRET})
    with host.app.app_context():
        row = host.app.extensions["sqlalchemy"].session.get_one(Setting, "client_secret")
        assert (row.value, row.sealed.startswith("ms1."), SECRET in row.sealed) == (None, True, False)


def test_without_an_encryption_key_no_secret_is_stored(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    with pytest.raises(NoEncryptionKey, match="flask ms365 keys generate"):
        save(host, {"client_id": CLIENT_ID, "client_secret": SECRET})
    assert stored(host) == set()


def test_without_an_encryption_key_all_else_can_be_stored(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    save(host, {"client_id": CLIENT_ID})
    assert stored(host) == {"client_id"}


def test_a_secret_sealed_with_another_key_is_not_opened(tmp_path: Path) -> None:
    save(bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key()), {"client_secret": SECRET})
    with pytest.raises(KeyMissing):
        effective(bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key()), "client_secret")


def test_a_save_from_an_old_page_is_refused(host: Host) -> None:
    save(host, {"sync_interval": "10"}, version=0)
    with pytest.raises(SettingsChanged):
        save(host, {"sync_interval": "20"}, version=0)
    assert effective(host, "sync_interval").value == 10


def test_a_save_that_changes_nothing_disturbs_nobody(host: Host) -> None:
    save(host, {"sync_interval": "10"})
    assert save(host, {"sync_interval": "10"}, version=1) == []
    assert save(host, {"sync_interval": "20"}, version=1) == ["sync_interval"]


def test_a_locked_setting_takes_the_deployments_value_over_a_stored_one(make_host: HostFactory) -> None:
    save(make_host(), {"tenant_id": "fabrikam.com"})
    host = make_host(MS365_TENANT_ID="contoso.com", MS365_LOCKED_SETTINGS=["tenant_id"])
    assert effective(host, "tenant_id") == Effective("contoso.com", "config")


def test_a_locked_setting_cannot_be_saved(make_host: HostFactory) -> None:
    host = make_host(MS365_LOCKED_SETTINGS=("tenant_id",))
    with pytest.raises(InvalidSettings, match="fixed by MS365_LOCKED_SETTINGS"):
        save(host, {"tenant_id": "fabrikam.com"})


def test_a_lock_on_a_setting_that_does_not_exist_is_refused(make_host: HostFactory) -> None:
    with pytest.raises(ConfigurationError, match=r"no setting 'tenant'.*tenant_id"):
        make_host(MS365_LOCKED_SETTINGS=["tenant"])


def test_locks_may_be_named_in_one_text(make_host: HostFactory) -> None:
    host = make_host(MS365_LOCKED_SETTINGS="client_id, tenant_id")
    with host.app.app_context():
        locked = [spec.key for spec in CATALOG if host.ms365.settings.deployment.is_locked(spec.key)]
    assert locked == ["client_id", "tenant_id"]


def test_the_audit_names_who_changed_what(host: Host) -> None:
    save(host, {"tenant_id": "contoso.com", "client_secret": SECRET})
    with host.app.app_context():
        events = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent)).all()
    assert [(event.actor, event.target, event.detail) for event in events] == [
        ("ana", "tenant_id", {"old": None, "new": "contoso.com", "default": None, "version": 1}),
        ("ana", "client_secret", {"old": None, "new": {"starts_with": "can"}, "default": None, "version": 1}),
    ]


@pytest.mark.parametrize("show", [repr, str, "{!r}".format])
def test_an_effective_value_does_not_show_a_secret(show: Callable[[object], str]) -> None:
    assert SECRET not in show(Effective(SECRET, "stored"))


def test_a_save_is_announced_after_it_is_stored(host: Host) -> None:
    heard = []
    with signals.settings_saved.connected_to(lambda app, **what: heard.append((app, what, stored(host)))):
        save(host, {"tenant_id": "contoso.com"})
    assert heard == [(host.app, {"changed": ["tenant_id"], "actor": "ana"}, {"tenant_id"})]


def test_the_toggle_is_announced_once(host: Host) -> None:
    heard = []
    with signals.email_sync_enabled.connected_to(lambda app, actor: heard.append(actor)):
        save(host, {**CREDENTIALS, "email_sync": "1"})
        save(host, {"email_sync": "1", "sync_interval": "10"})
    assert heard == ["ana"]


def test_an_unknown_setting_is_answered_with_those_that_exist(host: Host) -> None:
    with pytest.raises(KeyError, match=r"no setting 'colour'.*client_id"):
        effective(host, "colour")
