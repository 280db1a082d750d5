"""What happens at Microsoft happens in the database: over real HTTP, on each database."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from sqlalchemy import func, select

from flask_ms365 import Change
from flask_ms365.models import Attachment, Folder, Mailbox, Message
from flask_ms365.simulator import App
from flask_ms365.sync.report import Result
from tests.sync.conftest import Synced

CREATED, UPDATED, MOVED, REMOVED = Change.CREATED, Change.UPDATED, Change.MOVED, Change.REMOVED


def test_mail_of_several_folders_arrives_equal(synced: Synced) -> None:
    synced.mailbox.create_folder("Deep", parent=synced.mailbox.create_folder("Projects"))
    synced.mailbox.deliver(
        subject="One", html="<p>Hello</p>", sender=("Bob", "bob@x.example"), to=[("Ana", "a@x.example")]
    )
    synced.mailbox.deliver(subject="Two", text="Zwei", folder="Projects/Deep")
    synced.mailbox.deliver(subject="Three", text="Tres", folder="sentitems", is_read=True)

    assert synced.sync().changes == {CREATED: 3}
    assert synced.differences() == []


def test_a_second_run_changes_nothing(synced: Synced) -> None:
    synced.mailbox.deliver(subject="One", text="x")
    synced.sync()

    assert synced.sync().changes == {}
    assert synced.told == [("One", CREATED)]


def test_a_toggled_read_flag_is_an_update(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.mark_read(one, True)

    assert synced.sync().changes == {UPDATED: 1}
    assert synced.differences() == []


def test_an_update_in_part_that_says_more_is_read_in_full(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="the body stays")
    synced.sync()
    synced.mailbox.update(one, subject="One, corrected", importance="high")

    assert synced.sync().changes == {UPDATED: 1}
    assert synced.differences() == []


def test_a_move_between_folders_keeps_the_row(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.move(one, "archive")

    assert synced.sync().changes == {MOVED: 1}
    assert synced.subjects() == {"One": "Archive"}
    assert synced.told == [("One", CREATED), ("One", MOVED)]


def test_a_move_away_and_back_between_two_runs_loses_nothing(synced: Synced) -> None:
    synced.mailbox.lose_round_trips = True
    one = synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.move(one, "archive")
    synced.mailbox.move(one, "inbox")
    synced.sync()

    assert synced.subjects() == {"One": "Inbox"}
    assert synced.differences() == []


def test_a_deleted_message_is_marked_and_kept(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.delete(one)

    assert synced.sync().changes == {REMOVED: 1}
    with synced.host.app.app_context():
        row = synced.session.scalars(select(Message)).one()
    assert row.removed_at is not None
    assert row.subject == "One"


def test_a_message_in_the_waste_basket_is_removed_and_comes_back(synced: Synced) -> None:
    one = synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.delete(one, permanently=False)
    assert synced.sync().changes == {REMOVED: 1}

    synced.mailbox.move(one, "inbox")
    synced.sync()

    assert synced.told == [("One", CREATED), ("One", REMOVED), ("One", MOVED)]
    assert synced.differences() == []


def test_drafts_junk_and_waste_are_not_read_by_default(synced: Synced) -> None:
    for folder in ("drafts", "junkemail", "deleteditems", "outbox"):
        synced.mailbox.deliver(subject=folder, text="x", folder=folder)
    synced.mailbox.deliver(subject="hidden", text="x", folder=synced.mailbox.create_folder("Secret", hidden=True))

    assert synced.sync().changes == {}


def test_a_dead_cursor_reads_the_folder_again_and_tells_nobody_twice(synced: Synced) -> None:
    kept = synced.mailbox.deliver(subject="Kept", text="x")
    gone = synced.mailbox.deliver(subject="Gone", text="x")
    synced.sync()
    synced.mailbox.delete(gone)
    synced.mailbox.mark_read(kept, True)
    synced.mailbox.expire_cursors()

    assert synced.sync().changes == {UPDATED: 1, REMOVED: 1}
    assert synced.told[2:] == [("Kept", UPDATED), ("Gone", REMOVED)] or synced.told[2:] == [
        ("Gone", REMOVED),
        ("Kept", UPDATED),
    ]
    assert synced.differences() == []


@pytest.mark.parametrize(
    ("status", "code"), [(410, "SyncStateNotFound"), (400, "syncStateNotFound"), (404, "resyncRequired")]
)
def test_every_form_of_a_dead_cursor_is_known(synced: Synced, status: int, code: str) -> None:
    """Fault 44, on the delta link."""
    synced.mailbox.deliver(subject="One", text="x")
    synced.sync()
    synced.mailbox.expire_cursors(status=status, code=code)

    assert synced.sync().changes == {}
    assert synced.differences() == []


def test_a_deleted_folder_takes_only_its_own_mail(synced: Synced) -> None:
    """Fault 46, between two runs."""
    folder = synced.mailbox.create_folder("Projects")
    stays = synced.mailbox.deliver(subject="Stays", text="x", folder=folder)
    synced.mailbox.deliver(subject="Goes", text="x", folder=folder)
    synced.sync()
    synced.mailbox.move(stays, "inbox")
    synced.mailbox.delete_folder(folder)
    synced.sync()

    assert synced.subjects() == {"Stays": "Inbox"}
    assert synced.differences() == []


def test_a_renamed_folder_keeps_its_mail(synced: Synced) -> None:
    folder = synced.mailbox.create_folder("Old name")
    synced.mailbox.deliver(subject="One", text="x", folder=folder)
    synced.sync()
    synced.mailbox.rename_folder(folder, "Projects")
    synced.sync()

    assert synced.subjects() == {"One": "Projects"}


def test_empty_pages_and_repeated_messages_are_harmless(synced: Synced) -> None:
    """Fault 45."""
    synced.mailbox.empty_pages = 3
    synced.mailbox.duplicates = True
    for number in range(5):
        synced.mailbox.deliver(subject=f"Message {number}", text="x")

    assert synced.sync().changes == {CREATED: 5}
    assert synced.differences() == []


def test_attachments_are_listed_also_inline_ones(synced: Synced) -> None:
    raw = (
        b"From: bob@x.example\r\nSubject: Files\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; boundary="b"\r\n\r\n'
        b'--b\r\nContent-Type: text/html\r\n\r\n<img src="cid:bell">\r\n'
        b"--b\r\nContent-Type: image/gif\r\nContent-ID: <bell>\r\nContent-Disposition: inline; filename=bell.gif\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\nR0lGODlhAQABAAAAACw=\r\n--b--\r\n"
    )
    synced.mailbox.deliver(raw)
    synced.sync()

    with synced.host.app.app_context():
        file = synced.session.scalars(select(Attachment)).one()
    assert (file.name, file.is_inline, file.content_id, file.kind) == ("bell.gif", True, "bell", "file")
    assert synced.differences() == []


def test_nul_surrogates_and_astral_characters_are_stored(synced: Synced) -> None:
    synced.mailbox.deliver(subject="a\0b \ud83d c 🚲", text="🚲" * 3)
    synced.sync()

    assert synced.subjects() == {"a\ufffd".replace("\ufffd", "b")[:1] + "b \ufffd c 🚲": "Inbox"}


def test_ids_that_differ_in_letter_case_only_are_two_messages(synced: Synced) -> None:
    with synced.host.app.app_context():
        synced.sync()
        folder_id = synced.session.scalars(select(Folder.id).limit(1)).one()
        for graph_id in ("AAMkAbc", "AAMkABC"):
            synced.session.add(
                Message(
                    mailbox_id=synced.session.scalars(select(Mailbox.id)).one(),
                    folder_id=folder_id,
                    graph_id=graph_id,
                    recipients=[],
                    categories=[],
                    received_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
                )
            )
        synced.session.commit()
        assert synced.session.scalar(select(func.count()).select_from(Message)) == 2


def test_a_throttled_mailbox_is_released_until_microsoft_said(synced: Synced) -> None:
    """Fault 49."""
    synced.mailbox.throttle(times=1, retry_after=120)
    assert synced.run().result is Result.THROTTLED

    with synced.host.app.app_context():
        assert synced.host.ms365.tick().runs == []
    assert synced.run().result is Result.RESTING  # not hurried by hand either


def test_a_short_throttling_is_waited_out(synced: Synced) -> None:
    synced.mailbox.deliver(subject="One", text="x")
    synced.mailbox.throttle(times=2, retry_after="0.01")

    assert synced.sync().changes == {CREATED: 1}


def test_a_handler_that_fails_leaves_nothing_behind(synced: Synced) -> None:
    @synced.host.ms365.on_message
    def fail(message: Message, change: Change) -> None:
        raise LookupError(message.subject)

    synced.mailbox.deliver(subject="One", text="x")
    report = synced.run()

    assert report.result is Result.FAILED
    assert "LookupError" in report.error
    assert "One" not in report.error
    assert synced.subjects() == {}


def test_nothing_is_stored_once_the_toggle_is_off(synced: Synced) -> None:
    synced.mailbox.deliver(subject="One", text="x")
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"email_sync": "0"})

    assert synced.run().result is Result.SWITCHED_OFF
    assert synced.subjects() == {}


def test_a_toggle_that_goes_off_between_two_pages_stops_the_run(synced: Synced) -> None:
    for number in range(450):
        synced.mailbox.deliver(subject=f"Message {number}", text="x")

    @synced.host.ms365.on_message
    def switch_off(message: Message, change: Change) -> None:
        if message.subject == "Message 0":
            saver.start()

    import threading

    def save() -> None:
        with synced.host.app.app_context():
            synced.host.ms365.settings.save({"email_sync": "0"})

    saver = threading.Thread(target=save)
    report = synced.run()
    saver.join()

    stored = len(synced.subjects())
    assert report.result in (Result.SWITCHED_OFF, Result.DONE)
    assert stored % 200 == 0 or report.result is Result.DONE


def test_a_worker_that_shuts_down_leaves_the_rest_to_the_next_one(synced: Synced) -> None:
    for number in range(3):
        synced.mailbox.deliver(subject=f"Message {number}", text="x")
    runner = synced.host.app.extensions["ms365.state"].runner
    runner.is_stopping = lambda: True
    with synced.host.app.app_context():
        assert synced.host.ms365.tick().runs == []
    assert synced.run().result is Result.STOPPED

    runner.is_stopping = lambda: False
    with synced.host.app.app_context():
        (report,) = synced.host.ms365.tick().runs
    assert report.changes == {CREATED: 3}


def test_no_token_goes_to_another_cloud_than_the_grant_came_from(synced: Synced) -> None:
    synced.sync()
    synced.host.app.config["MS365_AUTHORITY_URL"] = "https://login.microsoftonline.us"
    synced.simulator.requests.clear()

    assert synced.run().result is Result.APP_REFUSED
    assert len(synced.simulator.requests) == 0


def test_an_expired_secret_is_a_failure_that_needs_a_person(synced: Synced, registration: App) -> None:
    registration.expire_secret()
    synced.simulator.expire_access_tokens()

    assert synced.run().result is Result.APP_REFUSED
    status = synced.host.app.test_cli_runner().invoke(args=["ms365", "status"])
    assert (status.exit_code, "Failed" in status.output, "expired" in status.output) == (1, True, True)


def test_no_delta_link_reaches_a_log(synced: Synced, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    synced.sync()
    synced.sync()

    assert "/messages/delta" in caplog.text
    assert "deltatoken" not in caplog.text
