"""The audit log: who did what and by which door, only ever added to, and told to hosts after the commit."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import audit, signals
from flask_ms365.errors import AppendOnly, InvalidSettings
from flask_ms365.models import AuditEvent, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.settings import USE_DEFAULT, UseDefault
from tests.conftest import Clock, Host, HostFactory
from tests.visitor import controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS

FROM = {"REMOTE_ADDR": "2001:db8::7"}


def save(host: Host, **changes: str | UseDefault) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def events(host: Host) -> list[AuditEvent]:
    with host.app.app_context():
        return list(host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent).order_by(AuditEvent.id)))


def details(host: Host) -> list[tuple[Any, Any]]:
    return [(event.detail["old"], event.detail["new"]) for event in events(host)]


# by whom, and from where


def test_what_is_saved_on_a_page_names_the_page_and_the_address(host: Host) -> None:
    visitor = host.visitor()
    visitor.post(SETTINGS, data={**controls(visitor.get(SETTINGS).text), **FILLED_IN}, environ_base=FROM)
    assert {(event.actor, event.door, event.ip) for event in events(host)} == {("ana", "page", "2001:db8::7")}


def test_what_is_saved_at_the_command_line_names_the_user_of_the_system(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "operator")
    host.app.test_cli_runner().invoke(args=["ms365", "settings", "set", "tenant_id", "contoso.com"])
    assert [(event.actor, event.door, event.ip) for event in events(host)] == [("operator", "cli", None)]


def test_a_process_without_a_name_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert audit.command_line_user() is None


def test_what_the_hosts_code_saves_is_told_as_such(host: Host) -> None:
    save(host, tenant_id="contoso.com")
    assert [(event.actor, event.door) for event in events(host)] == [("ana", "code")]


# old and new


def test_old_and_new_are_kept(host: Host) -> None:
    save(host, tenant_id="contoso.com")
    save(host, tenant_id="fabrikam.com")
    save(host, tenant_id=USE_DEFAULT)
    assert details(host) == [(None, "contoso.com"), ("contoso.com", "fabrikam.com"), ("fabrikam.com", None)]


def test_the_default_of_that_day_is_kept(make_host: HostFactory) -> None:
    save(make_host(MS365_TENANT_ID="old.example"), tenant_id="contoso.com")
    save(make_host(MS365_TENANT_ID="new.example"), tenant_id=USE_DEFAULT)
    assert [event.detail["default"] for event in events(make_host())] == ["old.example", "new.example"]


def test_of_a_secret_three_characters_are_kept(host: Host) -> None:
    save(host, client_secret=SECRET)
    save(host, client_secret=USE_DEFAULT)
    assert details(host) == [(None, {"starts_with": "can"}), ({"starts_with": "can"}, None)]


def test_what_is_refused_is_no_change(host: Host) -> None:
    with pytest.raises(InvalidSettings):
        save(host, tenant_id="a b")
    assert events(host) == []


# only added to


@pytest.mark.parametrize("act", ["change", "delete"])
def test_an_entry_cannot_be_changed_or_deleted(host: Host, act: str) -> None:
    save(host, tenant_id="contoso.com")
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        event = session.scalars(select(AuditEvent)).one()
        if act == "change":
            event.actor = "nobody"
        else:
            session.delete(event)
        with pytest.raises(AppendOnly, match="neither changed nor deleted"):
            session.commit()
        session.rollback()
    assert [event.actor for event in events(host)] == ["ana"]


# told to hosts


def test_hosts_hear_of_each_entry_after_it_is_stored(host: Host) -> None:
    heard: list[tuple[Any, Any, int]] = []

    def hear(app: Any, **event: Any) -> None:
        heard.append((app, {name: event[name] for name in ("actor", "door", "action", "target")}, len(events(host))))

    with signals.audit_event.connected_to(hear):
        save(host, tenant_id="contoso.com")
    assert heard == [
        (host.app, {"actor": "ana", "door": "code", "action": "setting.saved", "target": "tenant_id"}, 1),
    ]


def record_and_fail(session: AnySession, at: datetime) -> None:
    with write_transaction(session):
        audit.record(session, "mailbox.paused", at=at, actor="ana")
        raise RuntimeError("the host's own code")


def test_hosts_do_not_hear_of_what_was_rolled_back(host: Host, clock: Clock) -> None:
    heard: list[Any] = []
    with signals.audit_event.connected_to(lambda app, **event: heard.append(event)), host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        with pytest.raises(RuntimeError):
            record_and_fail(session, clock())
        with write_transaction(session):
            pass
    assert heard == []
