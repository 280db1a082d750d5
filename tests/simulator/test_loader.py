"""Directories of real mail."""

from __future__ import annotations

import mailbox
import sysconfig
from pathlib import Path

import pytest

from flask_ms365.simulator import Mailbox

CPYTHON_MAIL = Path(sysconfig.get_path("stdlib"), "test", "test_email", "data")


def mail(subject: str) -> bytes:
    return f"From: Ada <ada@fabrikam.example>\nSubject: {subject}\n\nHello\n".encode()


def folders_of(box: Mailbox) -> dict[str | None, str]:
    return {record.subject: record.folder_name for record in box.messages()}


def test_a_sub_directory_is_a_folder(box: Mailbox, tmp_path: Path) -> None:
    for name, subject in {"a.eml": "top", "Sent/b.eml": "sent", "Projects/2026/c.eml": "deep"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mail(subject))
    assert box.load(tmp_path).loaded == 3
    assert folders_of(box) == {"top": "Inbox", "sent": "Sent Items", "deep": "2026"}


def test_an_mbox_holds_many(box: Mailbox, tmp_path: Path) -> None:
    archive = mailbox.mbox(tmp_path / "old.mbox")
    for number in range(3):
        archive.add(mail(f"mail {number}"))
    archive.close()
    assert box.load(tmp_path).loaded == 3


def test_a_maildir_tells_what_was_read_and_flagged(box: Mailbox, tmp_path: Path) -> None:
    maildir = mailbox.Maildir(tmp_path / "INBOX")
    seen = mailbox.MaildirMessage(mail("seen"))
    seen.set_subdir("cur")
    seen.set_flags("FS")
    maildir.add(seen)
    maildir.add(mail("new"))
    box.load(tmp_path)
    assert {(m.subject, m.folder_name, m.is_read, m.flag_status) for m in box.messages()} == {
        ("seen", "Inbox", True, "flagged"),
        ("new", "Inbox", False, "notFlagged"),
    }


def test_what_is_no_mail_is_listed(box: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "good.eml").write_bytes(mail("good"))
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty.eml").write_bytes(b"")
    report = box.load(tmp_path)
    assert report.loaded == 1
    assert [name for name, _ in report.unreadable] == ["empty.eml", "logo.png"]


@pytest.mark.skipif(not CPYTHON_MAIL.is_dir(), reason="this Python comes without its own tests")
def test_the_mail_that_python_tests_itself_with_is_read(box: Mailbox) -> None:
    report = box.load(CPYTHON_MAIL)
    assert report.loaded > 40
    # msg_19 has no header at all
    assert [name for name, _ in report.unreadable if name.startswith("msg_")] == ["msg_19.txt"]
