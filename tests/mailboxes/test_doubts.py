"""A folder whose mail is all gone, says Microsoft: only a person's word lets the sync believe it."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import update

from flask_ms365.mailboxes.doubts import Doubt, believe
from flask_ms365.mailboxes.status import MailboxStatus, status_of
from flask_ms365.models import Folder, Mailbox, write_transaction
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of
from tests.mailboxes.conftest import ids, tick
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.sync.conftest import Synced


@pytest.fixture
def waiting(host: Host, clock: Clock) -> Waiting:
    return waiting_mailbox(host, clock)


def answer(waiting: Waiting, folder_id: int | None = None) -> int:
    """Say that the mail of a folder is gone, or of all that are in doubt."""
    with waiting.host.app.app_context():
        mailbox = session_of(waiting.host).get_one(Mailbox, waiting.mailbox_id)
        now = waiting.clock()
        return believe(session_of(waiting.host), mailbox, folder_id=folder_id, now=now, actor="ana")


def status(waiting: Waiting) -> MailboxStatus:
    waiting.host.app.config["MS365_EMAIL_SYNC"] = True
    with waiting.host.app.app_context():
        mailbox = session_of(waiting.host).get_one(Mailbox, waiting.mailbox_id)
        settings = waiting.host.ms365.settings.read()
        return status_of(session_of(waiting.host), mailbox, settings=settings, now=waiting.clock())


def test_a_doubt_tells_what_is_at_stake(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", stored=12, doubt="asked")
    (doubt,) = status(waiting).doubts
    assert doubt == Doubt(folder_id=folder_id, name="Inbox", stored=12)
    assert doubt.words == (
        "Microsoft says that Inbox is empty. 12 messages of it are stored here. Nothing was removed."
    )


def test_a_mailbox_with_a_doubt_needs_a_person(waiting: Waiting) -> None:
    waiting.folder("Inbox", doubt="asked")
    assert (status(waiting).state, status(waiting).needs_a_person) == ("up_to_date", True)


@pytest.mark.parametrize("doubt", [None, "believed"])
def test_a_folder_that_nobody_is_asked_about_needs_nobody(waiting: Waiting, doubt: str | None) -> None:
    waiting.folder("Inbox", doubt=doubt)
    assert (status(waiting).doubts, status(waiting).needs_a_person) == ([], False)


@pytest.mark.parametrize("columns", [{"selected": False}, {"well_known_name": "junkemail"}])
def test_nobody_is_asked_about_a_folder_that_is_not_read(waiting: Waiting, columns: dict[str, Any]) -> None:
    waiting.folder("Inbox", doubt="asked", **columns)
    assert status(waiting).doubts == []


def test_an_answer_is_kept_for_the_next_sync_which_comes_soon(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", stored=2, doubt="asked")
    assert (answer(waiting, folder_id), waiting.doubts, waiting.is_due) == (1, ["believed"], True)


def test_an_answer_removes_nothing_by_itself(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", stored=2, doubt="asked")
    answer(waiting, folder_id)
    assert status(waiting).message_count == 2


def test_an_answer_is_in_the_audit_log(waiting: Waiting) -> None:
    answer(waiting, waiting.folder("Inbox", doubt="asked"))
    assert waiting.actions == [("mailbox.removal_believed", "ana", ADDRESS)]


def test_an_answer_is_for_one_folder_alone(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", doubt="asked")
    waiting.folder("Sent", doubt="asked")
    answer(waiting, folder_id)
    assert waiting.doubts == ["believed", "asked"]


def test_one_answer_may_be_for_all_folders_in_doubt(waiting: Waiting) -> None:
    for name, doubt in [("Inbox", "asked"), ("Sent", "asked"), ("Archive", None)]:
        waiting.folder(name, doubt=doubt)
    assert (answer(waiting), waiting.doubts) == (2, ["believed", "believed", None])


def test_the_second_of_two_who_answer_changes_nothing(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", doubt="asked")
    assert [answer(waiting, folder_id), answer(waiting, folder_id)] == [1, 0]
    assert len(waiting.actions) == 1


def test_a_folder_whose_mail_came_back_is_not_doubted_again(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", stored=2)
    assert (answer(waiting, folder_id), waiting.doubts, waiting.actions) == (0, [None], [])


def test_a_folder_of_another_mailbox_is_not_answered_for(waiting: Waiting, clock: Clock) -> None:
    other = waiting_mailbox(waiting.host, clock, address="other@contoso.example")
    folder_id = other.folder("Inbox", doubt="asked")
    assert (answer(waiting, folder_id), waiting.doubts) == (0, ["asked"])


def test_a_mailbox_that_waits_after_a_failure_is_not_hurried(waiting: Waiting) -> None:
    waiting.change(fail_count=2)
    assert (answer(waiting, waiting.folder("Inbox", doubt="asked")), waiting.is_due) == (1, False)


# at the command line


def ms365(waiting: Waiting, *arguments: str) -> Result:
    return waiting.host.app.test_cli_runner().invoke(args=["ms365", *arguments])


def test_status_is_exit_code_1_while_somebody_is_asked(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=12, doubt="asked")
    result = ms365(waiting, "status")
    assert (result.exit_code, result.stdout.splitlines()[2]) == (
        1,
        "  Microsoft says that Inbox is empty. 12 messages of it are stored here. Nothing was removed. "
        f"Gone? flask ms365 mailboxes believe {ADDRESS}",
    )


def test_a_folder_s_name_cannot_tell_a_terminal_what_to_do(waiting: Waiting) -> None:
    waiting.folder("In\x1b[2Jbox", doubt="asked", error_code="ErrorAccessDenied")
    assert ms365(waiting, "status").stdout.count("In\\u001b[2Jbox") == 2


def test_believe_answers_for_all_folders(waiting: Waiting) -> None:
    waiting.folder("Inbox", doubt="asked")
    waiting.folder("Sent", doubt="asked")
    result = ms365(waiting, "mailboxes", "believe", ADDRESS.upper())
    assert (result.exit_code, waiting.doubts) == (0, ["believed", "believed"])
    assert "2 folder(s) believed to be empty." in result.stdout
    assert ms365(waiting, "status").exit_code == 0


def test_believe_of_a_mailbox_without_doubts_is_fine(waiting: Waiting) -> None:
    result = ms365(waiting, "mailboxes", "believe", ADDRESS)
    assert (result.exit_code, result.stdout) == (0, f"{ADDRESS}: no folder is in doubt.\n")


@pytest.mark.parametrize("command", ["believe", "retry"])
def test_an_unknown_mailbox_is_a_usage_error(waiting: Waiting, command: str) -> None:
    waiting.change(state="disconnected")
    for address in (ADDRESS, "nobody@contoso.example"):
        result = ms365(waiting, "mailboxes", command, address)
        assert (result.exit_code, f"There is no mailbox {address}." in result.stderr) == (2, True)


def test_who_answers_at_the_command_line_is_in_the_audit_log(waiting: Waiting) -> None:
    waiting.folder("Inbox", doubt="asked")
    ms365(waiting, "mailboxes", "believe", ADDRESS)
    ((action, actor, _),) = waiting.actions
    assert (action, bool(actor)) == ("mailbox.removal_believed", True)


# as the sync asks


def test_a_mailbox_that_seems_empty_keeps_its_mail_until_somebody_says_that_it_is(synced: Synced) -> None:
    """Fault 50, empty after full."""
    synced.mailbox.deliver_many(12)
    synced.sync()
    for message in synced.mailbox.messages():
        synced.mailbox.delete(message.id)
    synced.mailbox.expire_cursors()
    synced.sync()
    waiting = Waiting(host=synced.host, clock=Clock(), mailbox_id=ids(synced.host)[0])
    assert (len(synced.subjects()), [doubt.stored for doubt in status(waiting).doubts]) == (12, [12])

    assert answer(waiting) == 1
    tick(synced.host)
    assert (synced.subjects(), status(waiting).doubts) == ({}, [])


def test_mail_that_is_there_after_all_stays_whatever_was_answered(synced: Synced) -> None:
    synced.mailbox.deliver_many(12)
    synced.sync()
    waiting = Waiting(host=synced.host, clock=Clock(), mailbox_id=ids(synced.host)[0])
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Folder).where(Folder.total_count > 0).values(doubt="asked"))
    assert answer(waiting) == 1
    tick(synced.host)
    assert (len(synced.subjects()), status(waiting).doubts) == (12, [])


def test_nobody_is_asked_any_more_once_the_mail_is_seen_again(synced: Synced, clock: Clock) -> None:
    synced.mailbox.deliver_many(12)
    synced.sync()
    waiting = Waiting(host=synced.host, clock=clock, mailbox_id=ids(synced.host)[0])
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Folder).where(Folder.total_count > 0).values(doubt="asked"))
    assert len(status(waiting).doubts) == 1
    clock.advance(days=1, minutes=1)
    synced.sync()
    assert (len(synced.subjects()), status(waiting).doubts) == (12, [])
