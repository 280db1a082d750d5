"""The pages on which a mailbox is disconnected: what they say, what they do, and who may."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, update

from flask_ms365.models import AuditEvent, Connection, Mailbox, Message, write_transaction
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from flask_ms365.simulator import User
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, words

MY_EMAIL = "/ms365/my-email"
DISCONNECT = f"{MY_EMAIL}/disconnect"


@pytest.fixture
def read(connected: Host, mailbox: MailboxAtMicrosoft) -> Host:
    """Return a host that has read Ana's two messages."""
    for subject in ("One", "Two"):
        mailbox.deliver(subject=subject)
    with connected.app.app_context():
        connected.ms365.tick()
    return connected


@pytest.fixture
def visitor(read: Host) -> Visitor:
    return read.visitor()


def count(host: Host, model: type[Message | Mailbox | Connection]) -> int:
    with host.app.app_context():
        return int(session_of(host).scalar(select(func.count()).select_from(model)))


def mailbox_id(host: Host) -> int:
    with host.app.app_context():
        return int(session_of(host).scalars(select(Mailbox.id)).one())


def change(host: Host, **values: object) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(Mailbox).values(**values))


def main(page: str) -> str:
    return words(page, r"<h1(.*)")


def test_my_email_leads_to_the_question(visitor: Visitor) -> None:
    assert f'href="{DISCONNECT}"' in visitor.get(MY_EMAIL).text


def test_the_question_says_what_is_there_to_lose_and_keeps_the_mail_unless_told(visitor: Visitor) -> None:
    page = visitor.get(DISCONNECT).text
    assert "ana@contoso.example" in main(page)
    assert "Messages stored here: 2" in main(page)
    assert 'value="keep" checked' in page


def test_the_question_names_what_only_people_can_end_at_microsoft(visitor: Visitor) -> None:
    page = visitor.get(DISCONNECT).text
    assert "No app can take that back for you" in page
    assert 'href="https://myapps.microsoft.com"' in page
    assert 'href="https://entra.microsoft.com/#view/Microsoft_AAD_IAM/' in page


@pytest.mark.parametrize("authority", ["https://login.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"])
def test_it_is_ended_in_the_cloud_where_it_was_begun(read: Host, visitor: Visitor, authority: str) -> None:
    with read.app.app_context(), write_transaction(session_of(read)):
        session_of(read).execute(update(Connection).values(authority=authority))
    page = visitor.get(DISCONNECT).text
    assert "https://account.activedirectory.windowsazure.cn/r#/applications" in page
    assert 'href="https://portal.azure.cn/#view/Microsoft_AAD_IAM/' in page
    assert "myapps.microsoft.com" not in page


def test_asking_changes_nothing(read: Host, visitor: Visitor) -> None:
    visitor.get(DISCONNECT)
    assert "Up to date" in visitor.get(MY_EMAIL).text


def test_kept_mail_stays_readable_and_the_mailbox_is_not_connected(read: Host, visitor: Visitor) -> None:
    answer = visitor.submit(DISCONNECT, {"mail": "keep"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{MY_EMAIL}?disconnected=1")
    page = main(visitor.get(answer.headers["Location"]).text)
    assert "Disconnected" in page
    assert "Not connected" in page
    assert "Messages kept: 2" in page
    assert "Connect your Microsoft 365 mailbox" in page
    assert "Sign-in needed" not in page
    assert "Two" in visitor.get(f"/ms365/messages?mailbox={mailbox_id(read)}").text


def test_the_same_account_goes_on_in_the_same_mailbox(
    read: Host, visitor: Visitor, ana: User, mailbox: MailboxAtMicrosoft
) -> None:
    before = mailbox_id(read)
    visitor.submit(DISCONNECT, {"mail": "keep"})
    mailbox.deliver(subject="Meanwhile")
    visitor.connect(ana)
    with read.app.app_context():
        read.ms365.tick()
    assert (mailbox_id(read), count(read, Connection), count(read, Message)) == (before, 1, 3)
    assert "Mail of disconnected mailboxes" not in visitor.get(MY_EMAIL).text


def test_deleted_mail_is_gone_with_mailbox_and_sign_in(read: Host, visitor: Visitor) -> None:
    visitor.submit(DISCONNECT, {"mail": "delete"})
    assert [count(read, each) for each in (Message, Mailbox, Connection)] == [0, 0, 0]
    page = main(visitor.get(MY_EMAIL).text)
    assert "Not connected" in page
    assert "Mail of disconnected mailboxes" not in page


def test_mail_that_was_kept_can_be_deleted_later(read: Host, visitor: Visitor) -> None:
    visitor.submit(DISCONNECT, {"mail": "keep"})
    later = f"{DISCONNECT}?mailbox={mailbox_id(read)}"
    assert f'href="{later}"' in visitor.get(MY_EMAIL).text
    assert "Delete the mail?" in main(visitor.get(later).text)
    visitor.submit(later, {})
    assert (count(read, Message), count(read, Mailbox)) == (0, 0)


def test_what_is_being_deleted_says_so_and_is_not_read_any_more(read: Host, visitor: Visitor) -> None:
    change(read, state="deleting")
    page = main(visitor.get(MY_EMAIL).text)
    assert ("Being deleted" in page, "Messages left: 2" in page) == (True, True)
    assert "Two" not in visitor.get("/ms365/messages").text
    assert "in the background" in visitor.get(f"{DISCONNECT}?mailbox={mailbox_id(read)}").text


def test_mail_that_cannot_be_deleted_says_why(read: Host, visitor: Visitor) -> None:
    change(read, state="deleting", fail_count=1, last_error="Records of this app still refer to this mail.")
    for path in (MY_EMAIL, f"{DISCONNECT}?mailbox={mailbox_id(read)}"):
        page = main(visitor.get(path).text)
        assert ("Could not be deleted" in page, "still refer to this mail" in page) == (True, True)


def test_the_audit_log_says_who_disconnected_what(read: Host, visitor: Visitor) -> None:
    visitor.submit(DISCONNECT, {"mail": "keep"})
    with read.app.app_context():
        event = session_of(read).scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
        assert (event.action, event.actor, event.target) == ("mailbox.disconnected", "ana", "ana@contoso.example")
    assert "ana@contoso.example disconnected" in words(visitor.get("/ms365/audit").text, r"<table(.*)</table>")


def test_without_a_choice_nothing_happens(read: Host, visitor: Visitor) -> None:
    for mail in (None, "", "Delete"):
        assert "Nothing happened" in visitor.submit(DISCONNECT, {"mail": mail}).text
    assert "Up to date" in visitor.get(MY_EMAIL).text


def test_a_mailbox_that_the_app_reads_by_itself_has_no_sign_in_to_end(
    read: Host, visitor: Visitor, add_message: AddMessage
) -> None:
    add_message(owner_id=None, kind="system")
    with read.app.app_context():
        session = session_of(read)
        mailbox = session.scalars(select(Mailbox).where(Mailbox.kind == "system")).one()
        mailbox.access, team = "application", mailbox.id
        session.commit()
    page = visitor.get(f"/ms365/mailboxes/{team}/disconnect").text
    assert "no sign-in to end" in page
    assert "My Apps" not in page


def test_a_sign_in_that_others_need_stays(read: Host, visitor: Visitor) -> None:
    with read.app.app_context():
        session = session_of(read)
        mine = session.scalars(select(Mailbox)).one()
        times = {"created_at": mine.created_at, "next_due_at": mine.next_due_at}
        session.add(Mailbox(kind="system", address="team@c.example", connection_id=mine.connection_id, **times))
        session.commit()
    assert "The sign-in stays" in visitor.get(DISCONNECT).text


# who may


def test_somebody_elses_mailbox_does_not_exist(read: Host, visitor: Visitor) -> None:
    read.user_id = "bob"
    for path in (f"{DISCONNECT}?mailbox={mailbox_id(read)}", f"/ms365/mailboxes/{mailbox_id(read)}/disconnect"):
        assert (visitor.get(path).status_code, visitor.post(path).status_code) == (404, 404)


def test_a_user_without_a_name_is_not_the_team(read: Host) -> None:
    change(read, kind="system", owner_id=None)
    read.user_id = ""
    assert read.visitor().get(f"{DISCONNECT}?mailbox={mailbox_id(read)}").status_code == 404


def test_without_a_mailbox_there_is_nothing_to_disconnect(configured: Host) -> None:
    answer = configured.visitor().get(DISCONNECT)
    assert (answer.status_code, answer.headers["Location"]) == (303, MY_EMAIL)


@pytest.mark.parametrize("missing", ["own_mailbox", "manage_mailboxes"])
def test_each_page_wants_its_permission(read: Host, missing: str) -> None:
    paths = {"own_mailbox": DISCONNECT, "manage_mailboxes": f"/ms365/mailboxes/{mailbox_id(read)}/disconnect"}
    read.permissions = read.permissions - {missing}
    assert read.visitor().get(paths[missing]).status_code == 403


def test_who_is_nobody_has_no_mailbox(read: Host) -> None:
    read.user_id = None
    assert read.visitor().get(DISCONNECT).status_code == 404
