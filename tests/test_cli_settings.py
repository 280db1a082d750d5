"""``flask ms365 settings ...``: the settings page for scripts, with the same checks and without its secrets."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import Result

from flask_ms365.crypto import generate_key
from tests.conftest import Clock, Host, HostFactory
from tests.web.conftest import SECRET, stored

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"


def settings(host: Host, *arguments: str, typed: str | None = None) -> Result:
    """Run ``flask ms365 settings ...``; ``typed`` comes on standard input."""
    return host.app.test_cli_runner().invoke(args=["ms365", "settings", *arguments], input=typed)


# list and get


def test_the_list_names_value_and_source(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com", MS365_CLOUD="usgov", MS365_LOCKED_SETTINGS=["cloud"])
    settings(host, "set", "client_id", CLIENT_ID)
    settings(host, "set", "client_secret", "-", typed=SECRET)
    assert settings(host, "list").stdout.splitlines() == [
        f"client_id: {CLIENT_ID} (stored)",
        "credential: secret (default)",
        "client_secret: stored, starts with can (stored)",
        "client_secret_expires_on: not set (default)",
        "client_certificate: not set (default)",
        "tenant_id: contoso.com (config)",
        "cloud: usgov (locked)",
        "email_sync: off (default)",
        "sync_interval: 5 (default)",
        "sync_since: 0 (default)",
        "store_bodies: on (default)",
        "store_attachments: 0 (default)",
        "keep_removed: 0 (default)",
        "sign_in: off (default)",
        "sign_in_tenants: not set (default)",
        "sign_in_domains: not set (default)",
    ]


def test_the_list_in_json_is_one_object_with_typed_values(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com", MS365_LOCKED_SETTINGS=["tenant_id"])
    settings(host, "set", "client_secret", "-", typed=SECRET)
    settings(host, "set", "client_secret_expires_on", "2026-12-05")
    answer = json.loads(settings(host, "list", "--json").stdout)
    assert answer["tenant_id"] == {"value": "contoso.com", "source": "config", "is_locked": True}
    assert answer["client_secret"] == {"value": "stored, starts with can", "source": "stored", "is_locked": False}
    assert [answer[key]["value"] for key in ("email_sync", "sync_interval", "client_secret_expires_on")] == [
        False,
        5,
        "2026-12-05",
    ]


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["get", "client_secret"]])
def test_no_command_prints_a_secret(host: Host, command: list[str]) -> None:
    settings(host, "set", "client_secret", "-", typed=SECRET)
    result = settings(host, *command)
    assert (result.exit_code, SECRET[:4] in result.output, "starts with can" in result.output) == (0, False, True)


def test_a_secret_that_cannot_be_opened_is_told(make_host: HostFactory) -> None:
    settings(make_host(), "set", "client_secret", "-", typed=SECRET)
    result = settings(make_host(MS365_ENCRYPTION_KEYS=generate_key()), "get", "client_secret")
    assert (result.exit_code, "needs the encryption key" in result.stdout) == (0, True)


def test_get_prints_the_value_alone(make_host: HostFactory) -> None:
    assert settings(make_host(MS365_TENANT_ID="contoso.com"), "get", "tenant_id").stdout == "contoso.com\n"


# set


def test_set_says_what_holds_now(host: Host) -> None:
    result = settings(host, "set", "tenant_id", " Contoso.com ")
    assert (result.exit_code, result.stdout) == (0, "tenant_id: contoso.com (stored)\n")
    assert stored(host) == {"tenant_id": "contoso.com"}


def test_set_of_the_same_value_changes_nothing(host: Host) -> None:
    settings(host, "set", "tenant_id", "contoso.com")
    assert settings(host, "set", "tenant_id", "contoso.com").stdout == "Nothing to change.\n"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("tenant_id", "common/../evil", "Directory (Tenant) ID"),
        ("client_id", "", "Enter the Application (Client) ID"),
        ("email_sync", "1", "Emails sync needs"),
        ("cloud", "usgov", "fixed by MS365_LOCKED_SETTINGS"),
    ],
)
def test_what_the_page_refuses_is_refused(make_host: HostFactory, key: str, value: str, problem: str) -> None:
    host = make_host(MS365_LOCKED_SETTINGS=["cloud"])
    result = settings(host, "set", key, value)
    assert (result.exit_code, problem in result.stderr, stored(host)) == (1, True, {})


def test_a_secret_is_asked_for_and_not_echoed(host: Host) -> None:
    result = settings(host, "set", "client_secret", typed=f"{SECRET}\n")
    assert (result.exit_code, SECRET in result.output, set(stored(host))) == (0, False, {"client_secret"})


def test_a_secret_may_come_on_standard_input(host: Host) -> None:
    settings(host, "set", "client_secret", "-", typed=f"{SECRET}\n")
    with host.app.app_context():
        assert host.ms365.settings.effective("client_secret").value == SECRET


def test_a_secret_on_the_command_line_is_refused_and_not_repeated(host: Host) -> None:
    result = settings(host, "set", "client_secret", SECRET)
    assert (result.exit_code, SECRET in result.output, stored(host)) == (2, False, {})


def test_an_empty_pipe_does_not_empty_the_secret(host: Host) -> None:
    settings(host, "set", "client_secret", "-", typed=SECRET)
    result = settings(host, "set", "client_secret", "-", typed="\n")
    assert (result.exit_code, bool(stored(host)["client_secret"])) == (1, True)


def test_without_an_encryption_key_a_secret_is_refused(make_host: HostFactory) -> None:
    result = settings(make_host(MS365_ENCRYPTION_KEYS=None), "set", "client_secret", "-", typed=SECRET)
    assert (result.exit_code, "keys generate" in result.stderr) == (1, True)


def test_switching_on_starts_no_engine_in_a_process_that_ends(make_host: HostFactory) -> None:
    credentials = {"MS365_CLIENT_ID": CLIENT_ID, "MS365_CLIENT_SECRET": SECRET, "MS365_TENANT_ID": "contoso.com"}
    host = make_host(MS365_JOB_HOOK="apscheduler", **credentials)
    before = threading.enumerate()
    result = settings(host, "set", "email_sync", "on")
    assert threading.enumerate() == before
    assert result.stdout.splitlines() == [
        "email_sync: on (stored)",
        "The web app and flask ms365 worker begin with their next tick.",
    ]


# unset


def test_unset_brings_the_default_back(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com")
    settings(host, "set", "tenant_id", "fabrikam.com")
    result = settings(host, "unset", "tenant_id")
    assert (result.exit_code, result.stdout, stored(host)) == (0, "tenant_id: contoso.com (config)\n", {})


def test_a_secret_goes_with_its_expiry_date(host: Host, clock: Clock) -> None:
    settings(host, "set", "client_secret", "-", typed=SECRET)
    settings(host, "set", "client_secret_expires_on", clock().date().isoformat())
    settings(host, "unset", "client_secret")
    assert stored(host) == {}


# usage


@pytest.mark.parametrize("command", [["get"], ["set"], ["set", "sync_interval"], ["unset"]])
def test_what_is_missing_is_a_usage_error(host: Host, command: list[str]) -> None:
    assert settings(host, *command).exit_code == 2


@pytest.mark.parametrize("command", ["get", "set", "unset"])
def test_an_unknown_setting_is_a_usage_error_that_names_those_there_are(host: Host, command: str) -> None:
    result = settings(host, command, "tenant", *(["x"] if command == "set" else []))
    assert (result.exit_code, "There is no setting 'tenant'" in result.stderr, "tenant_id" in result.stderr) == (
        2,
        True,
        True,
    )
