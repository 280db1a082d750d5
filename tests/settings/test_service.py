"""Which value holds, where it comes from, and how it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import signals
from flask_ms365.crypto import generate_key
from flask_ms365.errors import ConfigurationError, InvalidSettings, KeyMissing, NoEncryptionKey, SettingsChanged
from flask_ms365.models import AuditEvent, Setting
from flask_ms365.settings import CATALOG, USE_DEFAULT, Effective, UseDefault
from tests.certificates import certificate
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
SECRET = "canary8Q~never.shown_anywhere-at.all"
OTHER_SECRET = "Canary9Q~never.shown_anywhere-at.all"
DAY = date(2027, 11, 25)
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
    given |= {"client_secret_expires_on": "2027-11-25", "sync_since": "30", "store_attachments": "10"}
    given |= {"store_bodies": "0", "keep_removed": "30"}
    given |= {"credential": "certificate", "client_certificate": certificate("Given")}
    given |= {"sign_in": "1", "sign_in_tenants": CLIENT_ID, "sign_in_domains": "contoso.com, fabrikam.com"}
    other = {**CREDENTIALS, "tenant_id": "fabrikam.com", "cloud": "china", "email_sync": "0", "sync_interval": "30"}
    other |= {"client_secret_expires_on": "2028-11-25", "sync_since": "60", "store_attachments": "0"}
    other |= {"store_bodies": "1", "keep_removed": "0"}
    other |= {"credential": "secret", "client_certificate": certificate("Other")}
    other |= {"sign_in": "0", "sign_in_tenants": "", "sign_in_domains": "contoso.com"}
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


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("client_id", "Enter the Application (Client) ID"),
        ("tenant_id", "Enter the Directory (Tenant) ID"),
        ("cloud", "Enter the Microsoft cloud, or tick Use default"),
        ("sync_interval", "Enter the Sync interval, or tick Use default"),
        ("sync_since", "Enter the Mail history, or tick Use default"),
        ("store_attachments", "Enter the Stored attachments, or tick Use default"),
        ("keep_removed", "Enter the Removed mail, or tick Use default"),
    ],
)
def test_a_required_setting_cannot_be_emptied(host: Host, key: str, problem: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        save(host, {key: "  "})
    assert refused.value.problems == {key: problem}


def test_use_default_is_offered_where_the_deployment_gives_one(make_host: HostFactory) -> None:
    with pytest.raises(InvalidSettings, match="or tick Use default"):
        save(make_host(MS365_TENANT_ID="contoso.com"), {"tenant_id": ""})


def test_values_are_typed(make_host: HostFactory) -> None:
    host = make_host(
        MS365_EMAIL_SYNC=True, MS365_SYNC_INTERVAL="15", MS365_SYNC_SINCE=30, MS365_CLIENT_SECRET_EXPIRES_ON=DAY
    )
    keys = ("email_sync", "sync_interval", "sync_since", "client_secret_expires_on")
    assert [effective(host, key).value for key in keys] == [True, 15, 30, DAY]


def test_a_day_that_nobody_named_is_absent(host: Host) -> None:
    assert effective(host, "client_secret_expires_on") == Effective(None, "default")


def test_an_empty_day_of_ones_own_hides_that_of_the_deployment(make_host: HostFactory) -> None:
    host = make_host(MS365_CLIENT_SECRET_EXPIRES_ON="2027-11-25")
    save(host, {"client_secret_expires_on": ""})
    assert effective(host, "client_secret_expires_on") == Effective(None, "stored")


def test_all_mail_is_read_from_the_start(host: Host) -> None:
    assert effective(host, "sync_since") == Effective(0, "default")


def test_a_replaced_secret_takes_its_day_along(host: Host) -> None:
    save(host, {"client_secret": SECRET, "client_secret_expires_on": "2027-11-25"})
    changed = save(host, {"client_secret": OTHER_SECRET, "client_secret_expires_on": "2027-11-25"})
    assert sorted(changed) == ["client_secret", "client_secret_expires_on"]
    assert effective(host, "client_secret_expires_on").value is None


@pytest.mark.parametrize("day", ["2028-11-25", "", USE_DEFAULT])
def test_a_replaced_secret_leaves_a_day_that_was_changed_with_it(host: Host, day: str | UseDefault) -> None:
    save(host, {"client_secret": SECRET, "client_secret_expires_on": "2027-11-25"})
    save(host, {"client_secret": OTHER_SECRET, "client_secret_expires_on": day})
    assert str(effective(host, "client_secret_expires_on").value) == ("2028-11-25" if day == "2028-11-25" else "None")


def test_a_day_may_be_corrected_without_the_secret(host: Host) -> None:
    save(host, {"client_secret": SECRET, "client_secret_expires_on": "2027-11-25"})
    assert save(host, {"client_secret_expires_on": "2028-11-25"}) == ["client_secret_expires_on"]
    assert effective(host, "client_secret").value == SECRET


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
    [
        ("MS365_TENANT_ID", "common/../evil"),
        ("MS365_SYNC_INTERVAL", 0),
        ("MS365_EMAIL_SYNC", "maybe"),
        ("MS365_SYNC_SINCE", -1),
        ("MS365_CLIENT_SECRET_EXPIRES_ON", "next year"),
    ],
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


def test_the_audit_tells_old_and_new(host: Host) -> None:
    save(host, {"sync_since": "30", "client_secret": SECRET})
    save(host, {"sync_since": USE_DEFAULT, "client_secret": OTHER_SECRET})
    with host.app.app_context():
        wanted = select(AuditEvent).where(AuditEvent.action == "setting.saved").order_by(AuditEvent.id)
        told = [event.detail for event in host.app.extensions["sqlalchemy"].session.scalars(wanted)]
    assert told[2:] == [
        {"old": "30", "new": None, "default": "0", "version": 2},
        {"old": {"starts_with": "can"}, "new": {"starts_with": "Can"}, "default": None, "version": 2},
    ]


@pytest.mark.parametrize(("secret", "shown"), [(SECRET, "can"), ("too-short", ""), ("", "")])
def test_the_audit_tells_no_more_of_a_secret_than_pages_show(host: Host, secret: str, shown: str) -> None:
    save(host, {"client_secret": secret})
    with host.app.app_context():
        event = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent)).one()
    assert event.detail["new"] == {"starts_with": shown}


def test_what_others_saved_since_is_told_from_before_the_first_save_to_after_the_last(host: Host) -> None:
    save(host, {"sync_interval": "10", "tenant_id": "contoso.com"})
    save(host, {"sync_interval": "20"})
    with host.app.app_context():
        host.ms365.settings.save({"sync_interval": "30", "sync_since": "7"}, actor="bob")
        theirs = host.ms365.settings.changes_since(1)
    told = {key: (change.old, change.new, change.by) for key, change in theirs.items()}
    assert told == {"sync_interval": ("10", "30", "bob"), "sync_since": (None, "7", "bob")}


def test_nothing_was_saved_since_the_last_version(host: Host) -> None:
    save(host, {"sync_interval": "10"})
    with host.app.app_context():
        assert host.ms365.settings.changes_since(1) == {}


def test_a_candidate_shows_a_save_without_storing_it(host: Host) -> None:
    save(host, CREDENTIALS)
    with host.app.app_context():
        after = host.ms365.settings.candidate({"client_secret": f" {OTHER_SECRET} ", "tenant_id": "fabrikam.com"})
        values = [after.effective(key).value for key in CREDENTIALS]
    assert values == [CLIENT_ID, OTHER_SECRET, "fabrikam.com"]
    assert effective(host, "tenant_id").value == "contoso.com"


def test_a_candidate_is_refused_as_a_save_would_be(host: Host) -> None:
    with host.app.app_context(), pytest.raises(InvalidSettings) as refused:
        host.ms365.settings.candidate({"tenant_id": "..", "email_sync": "1"})
    assert set(refused.value.problems) == {"tenant_id", "email_sync"}


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
