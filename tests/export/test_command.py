"""``flask ms365 export``: what it writes where, and how it ends."""

from __future__ import annotations

import stat
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.export import mail as reading
from flask_ms365.models import AuditEvent, Mailbox, Message, write_transaction
from flask_ms365.simulator import Attachment as File
from tests.conftest import Host
from tests.export.conftest import ADDRESS, deliver, export, lines, read_mbox, subjects
from tests.mailboxes.conftest import change, disconnect
from tests.sync.conftest import Synced
from tests.visitor import Visitor

MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=timezone.utc)


def test_each_message_is_an_object_with_the_columns_of_its_row_and_its_folder(synced: Synced) -> None:
    deliver(synced, "One", received_at=MOMENT, to=[("Bob", "bob@contoso.example")])
    (line,) = lines(export(synced.host).stdout)
    columns = {column.key for column in Message.__table__.columns}
    assert line.keys() == columns | {"folder", "attachments"}
    assert (line["subject"], line["folder"], line["body"]) == ("One", "Inbox", "Text of One")
    assert line["recipients"] == [{"kind": "to", "name": "Bob", "address": "bob@contoso.example"}]


def test_moments_are_in_utc_and_say_so(synced: Synced) -> None:
    deliver(synced, "One", received_at=MOMENT)
    (line,) = lines(export(synced.host).stdout)
    assert line["received_at"] == "2026-03-01T09:30:00+00:00"
    assert datetime.fromisoformat(line["received_at"]) == MOMENT


def test_what_is_attached_is_told(synced: Synced) -> None:
    deliver(synced, "One", attachments=[File(name="a.pdf", content_type="application/pdf", content=b"%PDF")])
    (line,) = lines(export(synced.host).stdout)
    (attachment,) = line["attachments"]
    assert {key: attachment[key] for key in ("name", "content_type", "kind", "is_inline", "content_id")} == {
        "name": "a.pdf",
        "content_type": "application/pdf",
        "kind": "file",
        "is_inline": False,
        "content_id": None,
    }


def test_standard_output_has_mail_alone(synced: Synced) -> None:
    deliver(synced, "One", "Two")
    result = export(synced.host)
    assert [line["subject"] for line in lines(result.stdout)] == ["One", "Two"]
    assert result.stderr == f"{ADDRESS}: 2 message(s) exported.\n"


def test_an_empty_mailbox_is_exported_as_nothing(synced: Synced) -> None:
    result = export(synced.host)
    assert (result.exit_code, result.stdout) == (0, "")


def test_batches_are_put_together_without_doubles_and_gaps(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IDS", 3)
    monkeypatch.setattr(reading, "_AT_ONCE", 2)
    deliver(synced, *"abcdefgh")
    assert subjects(synced.host) == list("abcdefgh")


def test_no_transaction_is_open_while_it_is_written(synced: Synced) -> None:
    deliver(synced, *"ab")
    with synced.host.app.app_context():
        scope = reading.Scope(mailbox_id=synced.session.scalars(select(Mailbox.id)).one())
        for _ in reading.read_mail(synced.session, scope, after=0):
            assert not synced.session().in_transaction()


def test_mail_that_was_removed_is_left_out_unless_it_is_asked_for(synced: Synced) -> None:
    one, _ = deliver(synced, "One", "Two")
    synced.mailbox.delete(one)
    synced.sync()
    assert subjects(synced.host) == ["Two"]
    assert subjects(synced.host, "--include-removed") == ["One", "Two"]


@pytest.mark.parametrize("name", ["Archive", "archive", "ARCHIVE"])
def test_folders_are_named_as_people_or_microsoft_name_them(synced: Synced, name: str) -> None:
    deliver(synced, "In")
    deliver(synced, "Kept", folder="archive")
    assert subjects(synced.host, "--folder", name) == ["Kept"]
    assert subjects(synced.host, "--folder", name, "--folder", "inbox") == ["In", "Kept"]


def test_mail_of_a_mailbox_that_was_disconnected_is_exported(synced: Synced) -> None:
    deliver(synced, "One")
    disconnect(synced.host, keep_mail=True)
    assert subjects(synced.host) == ["One"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--mime"], "--mime needs --format mbox"),
        (["--resume"], "--resume needs --output"),
        (["--folder", "Nowhere"], "no folder Nowhere"),
        (["--kind", "system"], "no mailbox ana@contoso.example"),
        (["--format", "pst"], "jsonl"),
        (["--output", "/nowhere/at/all"], "No such file"),
    ],
)
def test_what_cannot_be_is_told_and_ends_with_2(connected: Host, options: list[str], told: str) -> None:
    result = export(connected, *options)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_a_mailbox_that_is_not_there_ends_with_2(connected: Host) -> None:
    assert export(connected, address="bob@contoso.example").exit_code == 2


def add_mailbox(synced: Synced, **values: Any) -> None:
    with synced.host.app.app_context(), write_transaction(synced.session):
        mailbox = synced.session.scalars(select(Mailbox).order_by(Mailbox.id)).first()
        times = {"created_at": mailbox.created_at, "next_due_at": mailbox.next_due_at}
        synced.session.add(Mailbox(address=ADDRESS.upper(), **times, **values))


def test_of_two_mailboxes_with_one_address_the_meant_one_must_be_named(synced: Synced) -> None:
    deliver(synced, "Mine")
    add_mailbox(synced, kind="system")
    result = export(synced.host)
    assert (result.exit_code, "user (owner ana), system" in result.stderr) == (2, True), result.stderr
    assert subjects(synced.host, "--kind", "user") == ["Mine"]
    assert subjects(synced.host, "--kind", "system") == []


def test_of_two_owners_the_meant_one_must_be_named(synced: Synced) -> None:
    deliver(synced, "Mine")
    add_mailbox(synced, kind="user", owner_id="bob")
    assert export(synced.host, "--kind", "user").exit_code == 2
    assert subjects(synced.host, "--owner", "ana") == ["Mine"]


def test_a_file_is_for_its_owner_alone(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "One")
    path = tmp_path / "mail.jsonl"
    assert export(synced.host, "--output", str(path)).exit_code == 0
    assert [line["subject"] for line in lines(path.read_bytes())] == ["One"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("mail*")] == ["mail.jsonl"]


def test_a_file_that_is_there_is_not_touched(synced: Synced, tmp_path: Path) -> None:
    path = tmp_path / "mail.jsonl"
    path.write_text("mine", encoding="utf-8")
    for options in ([], ["--resume"]):
        result = export(synced.host, "--output", str(path), *options)
        assert (result.exit_code, "exists already" in result.stderr) == (2, True)
    assert path.read_text(encoding="utf-8") == "mine"


def test_the_audit_log_says_who_took_mail_away_and_how_much(synced: Synced) -> None:
    deliver(synced, "One", "Two")
    export(synced.host, "--format", "mbox")
    with synced.host.app.app_context():
        exports = select(AuditEvent).where(AuditEvent.action.like("mailbox.export%")).order_by(AuditEvent.id)
        events = synced.session.scalars(exports).all()
        told = [(event.action, event.target, event.door, event.detail.get("messages")) for event in events]
        assert all(event.actor and event.detail["format"] == "mbox" for event in events)
    assert told == [("mailbox.export_begun", ADDRESS, "cli", None), ("mailbox.exported", ADDRESS, "cli", 2)]


def test_the_audit_page_has_words_for_it(synced: Synced) -> None:
    export(synced.host)
    page = Visitor(synced.host.app).get("/ms365/audit").text
    assert "exported, messages: 0" in page


def test_an_mbox_has_the_same_messages(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "One", "Two")
    path = tmp_path / "mail.mbox"
    assert export(synced.host, "--format", "mbox", "--output", str(path)).exit_code == 0
    assert [mime["Subject"] for mime in read_mbox(path)] == ["One", "Two"]


def test_a_text_that_is_not_stored_is_null_and_in_an_mbox_its_preview(synced: Synced, tmp_path: Path) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"store_bodies": "0"})
    deliver(synced, "One")
    (line,) = lines(export(synced.host).stdout)
    assert (line["body"], line["preview"]) == (None, "Text of One")
    path = tmp_path / "mail.mbox"
    export(synced.host, "--format", "mbox", "--output", str(path))
    (mime,) = read_mbox(path)
    assert "not stored" in str(mime["X-MS365-Body"])
    assert str(mime.get_payload()).strip() == "Text of One"


def test_mail_of_a_mailbox_that_is_being_deleted_is_out_of_reach(synced: Synced) -> None:
    change(synced.host, Mailbox, state="deleting")
    assert export(synced.host).exit_code == 2
