"""``flask ms365 mailboxes list | pause | resume | restart``."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.models import AuditEvent, Folder, Mailbox
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.test_cli import as_json, ms365


@pytest.fixture
def waiting(configured: Host, clock: Clock) -> Waiting:
    return waiting_mailbox(configured, clock, label="Support", access="application")


def run(waiting: Waiting, *arguments: str) -> str:
    """Run the command, which must be content; return what it prints."""
    result = ms365(waiting.host, "mailboxes", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def state(waiting: Waiting) -> str:
    return str(waiting.row().state)


def test_the_list_tells_whose_each_is_and_how(waiting: Waiting, clock: Clock) -> None:
    waiting.folder("Inbox", stored=2)
    waiting_mailbox(waiting.host, clock, kind="user", owner_id="ana", address="ana@contoso.example")
    assert run(waiting, "list").splitlines() == [
        "ana@contoso.example: of ana, sign_in, Up to date, 0 messages",
        f"{ADDRESS} (Support): of the team, application, Up to date, 2 messages",
    ]


def test_the_list_as_json(waiting: Waiting) -> None:
    run(waiting, "pause", ADDRESS)
    (mailbox,) = as_json(waiting.host, "mailboxes", "list")["mailboxes"]
    expected: dict[str, Any] = {"address": ADDRESS, "label": "Support", "kind": "system", "access": "application"}
    expected |= {"state": "paused", "paused": True, "owner": None, "messages": 0, "error": None}
    assert expected.items() <= mailbox.items()


def test_an_empty_list_says_so(configured: Host) -> None:
    assert ms365(configured, "mailboxes", "list").stdout == "There is no mailbox.\n"
    assert as_json(configured, "mailboxes", "list") == {"mailboxes": []}


def test_a_name_cannot_command_the_terminal(waiting: Waiting) -> None:
    waiting.change(label="\x1b[2J")
    assert "\x1b" not in run(waiting, "list")


def test_pause_and_resume(waiting: Waiting) -> None:
    said = [run(waiting, name, ADDRESS) for name in ("pause", "pause", "resume", "resume")]
    assert said == [
        f"{ADDRESS} (of the team): {words}." for words in ("paused", "was paused already", "resumed", "was not paused")
    ]
    assert (state(waiting), waiting.is_due) == ("connected", True)


def test_an_address_is_the_same_however_it_is_written(waiting: Waiting) -> None:
    run(waiting, "pause", ADDRESS.upper())
    assert state(waiting) == "paused"


def test_all_mailboxes_with_the_address_are_meant(waiting: Waiting, clock: Clock) -> None:
    waiting_mailbox(waiting.host, clock, kind="user", owner_id="ana")
    assert len(run(waiting, "pause", ADDRESS).splitlines()) == 2
    assert waiting.all(Mailbox.state) == ["paused", "paused"]


def test_restart(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=2)
    assert "to be read again from the start" in run(waiting, "restart", ADDRESS)
    assert (waiting.all(Folder.delta_link), waiting.all(Folder.round), waiting.is_due) == ([None], [2], True)


def test_the_audit_log_names_the_command(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    for name in ("pause", "resume", "restart"):
        run(waiting, name, ADDRESS)
    with waiting.host.app.app_context():
        events = select(AuditEvent.actor, AuditEvent.door).where(AuditEvent.action.startswith("mailbox."))
        assert set(waiting.session.execute(events).all()) == {("root", "cli")}
    audit = waiting.host.visitor().get("/ms365/audit").text
    assert f"{ADDRESS} paused by flask ms365 mailboxes pause" in audit
    assert f"{ADDRESS} resumed by flask ms365 mailboxes resume" in audit


@pytest.mark.parametrize("name", ["pause", "resume", "restart"])
def test_an_unknown_mailbox_is_a_mistake_in_the_command(waiting: Waiting, name: str) -> None:
    waiting.change(state="disconnected")
    result = ms365(waiting.host, "mailboxes", name, ADDRESS)
    assert (result.exit_code, f"There is no mailbox {ADDRESS}." in result.output) == (2, True)
