"""A database restored beside another key, and nodes with different keys: locked, and nothing is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from flask_ms365.crypto import generate_key, key_id
from flask_ms365.errors import Locked, MS365Error
from flask_ms365.models import (
    Base,
    Connection,
    Mailbox,
    OAuthFlow,
    Setting,
    SettingsDraft,
    SettingsVersion,
    write_transaction,
)
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host, HostFactory
from tests.team import NEW
from tests.visitor import sign_in_at_microsoft

SETTINGS, MY_EMAIL = "/ms365/settings", "/ms365/my-email"
SECRET = "canary9Q~never.shown_anywhere-at.all"
# a wrong key must leave these as they are; the heartbeat, the audit log and the check may go on
KEPT = (Setting, SettingsVersion, SettingsDraft, Connection, OAuthFlow, Mailbox)
PAGES = ("", "/settings", "/setup", "/check", "/my-email", "/mailboxes", "/mailboxes/new", "/messages", "/audit")


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def rows(host: Host, *models: type[Base]) -> dict[str, list[Any]]:
    """Return what lies in the tables, byte for byte."""
    with host.app.app_context():
        session = session_of(host)
        return {each.__name__: list(session.execute(select(each.__table__)).all()) for each in models or KEPT}


def key_of(host: Host) -> str:
    """Return the public name of a host's key."""
    return key_id(host.app.config["MS365_ENCRYPTION_KEYS"])


def draft(host: Host) -> str:
    """Leave a draft as somebody does whose new secret Microsoft refused."""
    with host.app.app_context():
        drafts = host.app.extensions["ms365.state"].drafts
        return str(drafts.keep({"client_secret": SECRET}, version=1, user_id="ana"))


@pytest.fixture
def original(connected: Host) -> Host:
    """Return the host that filled the database: with settings, a connected mailbox, a draft, a sign-in under way."""
    draft(connected)
    connected.visitor().start_connect()
    return connected


@pytest.fixture
def restored(original: Host, make_host: HostFactory) -> Host:
    """Return the app over the same database with another key."""
    return make_host(MS365_ENCRYPTION_KEYS=generate_key())


def tick(host: Host) -> None:
    with host.app.app_context():
        host.ms365.tick()


def let_it_be_due(host: Host) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        mailbox = session_of(host).scalars(select(Mailbox)).one()
        mailbox.next_due_at = mailbox.created_at


def sync(host: Host) -> None:
    with host.app.app_context():
        host.ms365.sync_mailbox(session_of(host).scalars(select(Mailbox.id)).one())


def refresh(host: Host) -> None:
    state = host.app.extensions["ms365.state"]
    with host.app.app_context():
        (connection_id,) = state.session.scalars(select(Connection.id))
        with pytest.raises(MS365Error):
            state.connect.clients.tokens.renew(connection_id, state.registration, before=state.clock())


def connect(host: Host) -> None:
    host.visitor().submit(MY_EMAIL, {}, to=f"{MY_EMAIL}/connect")


def add_a_mailbox(host: Host, access: str = "application") -> None:
    host.visitor().submit(NEW, {"access": access, "address": "team@contoso.example", "label": ""})


def save(host: Host, **changes: str) -> None:
    host.visitor().submit(SETTINGS, {"client_secret-value": SECRET, **changes})


def remove_the_secret(host: Host) -> None:
    host.visitor().submit(f"{SETTINGS}/remove-secret", {})


def reset(host: Host) -> None:
    host.visitor().submit(f"{SETTINGS}/reset", {})


def make_a_certificate(host: Host) -> None:
    host.visitor().submit(f"{SETTINGS}/certificate", {})


def save_a_draft(host: Host) -> None:
    (kept,) = rows(host, SettingsDraft)["SettingsDraft"]
    host.visitor().submit(SETTINGS, {"then": "anyway", "draft": kept.id})


def confirm_the_address(host: Host) -> None:
    with host.app.app_context(), suppress(Locked):
        host.ms365.settings.confirm_base_url("https://app.example.com")


def command(*arguments: str) -> Callable[[Host], None]:
    def run(host: Host) -> None:
        host.app.test_cli_runner().invoke(args=["ms365", *arguments], input=f"{SECRET}\n")

    return run


ATTEMPTS = {
    "tick": tick,
    "sync": sync,
    "refresh": refresh,
    "connect": connect,
    "sign in for a mailbox of the team": lambda host: add_a_mailbox(host, "shared"),
    "read a mailbox with the app's permission": add_a_mailbox,
    "save": save,
    "save and check": lambda host: save(host, then="check"),
    "save a draft": save_a_draft,
    "remove the secret": remove_the_secret,
    "back to the defaults": reset,
    "make a certificate": make_a_certificate,
    "confirm the address": confirm_the_address,
    "run the check": lambda host: host.visitor().submit("/ms365/check", {}) and None,
    "flask ms365 sync": command("sync"),
    "flask ms365 check": command("check"),
    "flask ms365 settings set": command("settings", "set", "client_secret"),
    "flask ms365 settings unset": command("settings", "unset", "client_secret"),
    "flask ms365 keys check": command("keys", "check"),
    "flask ms365 keys rotate": command("keys", "rotate"),
    "flask ms365 keys rotate --dry-run": command("keys", "rotate", "--dry-run"),
}


# fault 28
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_under_another_key_nothing_is_overwritten(restored: Host, clock: Clock, attempt: str) -> None:
    before = rows(restored)
    ATTEMPTS[attempt](restored)
    assert rows(restored) == before


# fault 28
def test_under_another_key_no_page_breaks(restored: Host) -> None:
    visitor = restored.visitor()
    assert {page: visitor.get(f"/ms365{page}", follow_redirects=True).status_code for page in PAGES} == dict.fromkeys(
        PAGES, 200
    )


# fault 28
@pytest.mark.parametrize("page", ["", "/settings", "/my-email", "/mailboxes/new"])
def test_a_page_says_that_it_is_locked_and_which_key_is_missing(original: Host, restored: Host, page: str) -> None:
    text = restored.visitor().get(f"/ms365{page}", follow_redirects=True).text
    assert f"Locked: this database was used with the encryption key {key_of(original)}" in text


# fault 28
def test_under_another_key_the_host_serves_on(restored: Host) -> None:
    restored.app.add_url_rule("/orders", view_func=lambda: "orders")
    tick(restored)
    answer = restored.visitor().get("/orders")
    assert (answer.status_code, answer.text) == (200, "orders")


# fault 28
def test_a_sign_in_that_comes_back_under_another_key_connects_nobody(
    original: Host, ana: User, make_host: HostFactory
) -> None:
    visitor = original.visitor()
    back = urlsplit(sign_in_at_microsoft(visitor.start_connect(), ana)).query
    restored = make_host(MS365_ENCRYPTION_KEYS=generate_key())
    before = rows(restored, Setting, SettingsVersion, Connection, Mailbox)
    visitor.application = restored.app
    answer = visitor.get(f"/ms365/oauth/callback?{back}", follow_redirects=True)
    assert (answer.status_code, "Locked: this database" in answer.text) == (200, True)
    assert rows(restored, Setting, SettingsVersion, Connection, Mailbox) == before


# fault 28
def test_monitoring_hears_of_it(restored: Host) -> None:
    tick(restored)
    answer = restored.visitor().get("/ms365/health/ready")
    assert (answer.status_code, (answer.json or {})["steps"]["keyring"]) == (503, "failed")


# fault 28
def test_monitoring_hears_of_it_while_emails_sync_is_off(original: Host, make_host: HostFactory) -> None:
    with original.app.app_context():
        original.ms365.settings.save({"email_sync": ""})
    answer = make_host(MS365_ENCRYPTION_KEYS=generate_key()).visitor().get("/ms365/health/ready")
    assert (answer.status_code, (answer.json or {})["steps"]["keyring"]) == (503, "failed")


# fault 28
def test_a_run_says_locked_and_the_mailbox_is_not_disconnected(restored: Host) -> None:
    with restored.app.app_context():
        report = restored.ms365.sync_mailbox(session_of(restored).scalars(select(Mailbox.id)).one())
        states = session_of(restored).scalars(select(Mailbox.state)).all()
    assert (report.result, states) == (Result.LOCKED, ["connected"])


# fault 28
def test_nobody_asks_microsoft_anything(restored: Host, simulator: Simulator) -> None:
    simulator.requests.clear()
    for attempt in (tick, sync, refresh, connect, add_a_mailbox):
        attempt(restored)
    assert [str(each) for each in simulator.requests] == []


# fault 28
def test_with_the_key_back_everything_goes_on(original: Host, restored: Host, make_host: HostFactory) -> None:
    for attempt in ATTEMPTS.values():
        attempt(restored)
    again = make_host(MS365_ENCRYPTION_KEYS=original.app.config["MS365_ENCRYPTION_KEYS"])
    with again.app.app_context():
        report = again.ms365.sync_mailbox(session_of(again).scalars(select(Mailbox.id)).one())
    assert (report.result, report.error) == (Result.DONE, "")


# fault 28
def test_a_process_that_runs_notices_at_its_next_tick(original: Host, simulator: Simulator) -> None:
    """Another key's canary appears, as when a backup is loaded beside a process that lives on."""
    tick(original)
    with original.app.app_context(), write_transaction(session_of(original)):
        version = session_of(original).scalars(select(SettingsVersion)).one()
        version.key_canaries = {"0badcafe": "ms1.0badcafe.sealed"}
    simulator.requests.clear()
    let_it_be_due(original)
    tick(original)
    assert [str(each) for each in simulator.requests] == []


# fault 29
def test_of_two_nodes_with_different_keys_the_first_writes_and_the_second_is_locked(
    host: Host, make_host: HostFactory, registration: App
) -> None:
    second = make_host(MS365_ENCRYPTION_KEYS=generate_key())
    with host.app.app_context():
        host.ms365.settings.save({"client_id": registration.client_id, "client_secret": SECRET})
    before = rows(second)
    with second.app.app_context(), pytest.raises(Locked, match=key_of(host)):
        second.ms365.settings.save({"client_secret": registration.client_secret})
    assert rows(second) == before


# fault 29
def test_two_nodes_with_the_same_keys_in_another_order_both_write(make_host: HostFactory) -> None:
    keys = [generate_key(), generate_key()]
    nodes = [make_host(MS365_ENCRYPTION_KEYS=ring) for ring in (keys, keys[::-1])]
    for node, tenant in zip(nodes, ("contoso.com", "fabrikam.com"), strict=True):
        with node.app.app_context():
            node.ms365.settings.save({"client_secret": SECRET, "tenant_id": tenant})
    for node in nodes:
        with node.app.app_context():
            assert node.ms365.settings.effective("client_secret").value == SECRET


# fault 29
def test_a_node_that_was_not_given_the_new_key_is_locked_once_another_seals_with_it(make_host: HostFactory) -> None:
    old, new = generate_key(), generate_key()
    first, late = make_host(MS365_ENCRYPTION_KEYS=[new, old]), make_host(MS365_ENCRYPTION_KEYS=old)
    with late.app.app_context():
        late.ms365.settings.save({"client_secret": SECRET})
    with first.app.app_context():
        first.ms365.tick()
    with late.app.app_context(), pytest.raises(Locked, match=key_id(new)):
        late.ms365.settings.save({"tenant_id": "contoso.com"})


# fault 29
def test_a_node_without_keys_is_locked_too(original: Host, make_host: HostFactory) -> None:
    none = make_host(MS365_ENCRYPTION_KEYS="")
    before = rows(none)
    save(none)
    tick(none)
    assert rows(none) == before
