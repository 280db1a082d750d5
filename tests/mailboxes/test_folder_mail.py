"""Deleting what is stored of a folder that is read no more: that of this folder, and nothing that anybody refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import false, select, text

from flask_ms365 import Change
from flask_ms365.models import Attachment, AuditEvent, Folder, Mailbox, Message
from tests.mailboxes.choosing import choose, folder_id, mailbox_id, stored
from tests.mailboxes.conftest import chore, rows, tick
from tests.mailboxes.test_deletion import Killed, killed_at
from tests.sync.conftest import Synced


@pytest.fixture
def unticked(synced: Synced) -> Synced:
    """Return a mailbox whose archive was read, and is read no more: three messages, and one in the inbox."""
    synced.mailbox.deliver(subject="In", attachments=[("a.txt", "text/plain", b"text")])
    for number in range(3):
        file = ("a.txt", "text/plain", b"text")
        synced.mailbox.deliver(subject=f"Kept {number}", folder="archive", attachments=[file])
    synced.sync()
    choose(synced, {"Inbox"}, reads_new=False)
    return synced


@pytest.fixture
def one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches of a single row, and no time for a second one."""
    monkeypatch.setattr("flask_ms365.mailboxes.folder_mail._AT_ONCE", 1)
    monkeypatch.setattr("flask_ms365.mailboxes.folder_mail._A_MOMENT", 0.0)
    monkeypatch.setattr("flask_ms365.mailboxes.leaving._A_WHILE", 0.0)


def delete(synced: Synced, folder: str = "Archive") -> bool:
    with synced.host.app.app_context():
        state = synced.host.app.extensions["ms365.state"]
        return bool(state.folder_mail.delete(mailbox_id(synced.host), folder_id(synced.host, folder), actor="ana"))


def is_under_way(synced: Synced) -> bool:
    with synced.host.app.app_context():
        return synced.session.scalar(select(Folder.id).where(Folder.deleted_to.is_not(None))) is not None


def test_all_of_it_is_gone_and_nothing_else(unticked: Synced) -> None:
    assert delete(unticked)
    assert (stored(unticked), rows(unticked.host, Attachment), is_under_way(unticked)) == (["In"], [1], False)


def test_nothing_is_deleted_by_unticking_alone(unticked: Synced) -> None:
    tick(unticked.host)
    assert len(stored(unticked)) == 4


@pytest.mark.parametrize("folder", ["Inbox", "Archive"])
def test_a_folder_that_is_read_cannot_be_emptied(unticked: Synced, folder: str) -> None:
    choose(unticked, {"Inbox", "Archive"}, reads_new=False)
    assert not delete(unticked, folder)
    assert len(stored(unticked)) == 4


def test_another_mailbox_with_the_same_mail_loses_nothing(unticked: Synced) -> None:
    """In the reference unticking a folder deletes the mail that mailboxes share, for everybody."""
    with unticked.host.app.app_context():
        session = unticked.session
        mine = session.scalars(select(Mailbox)).one()
        times = {"created_at": mine.created_at, "next_due_at": mine.next_due_at}
        other = Mailbox(kind="system", address="team@c.example", state="paused", **times)
        session.add(other)
        session.flush()
        same = Folder(mailbox_id=other.id, graph_id="archive", name="Archive", selected=True)
        session.add(same)
        session.flush()
        shared = session.scalars(select(Message.internet_message_id).where(Message.subject == "Kept 0")).one()
        copy = {"graph_id": "copy", "internet_message_id": shared, "recipients": [], "categories": []}
        session.add(Message(mailbox_id=other.id, folder_id=same.id, subject="Kept 0", **copy))
        session.commit()
    delete(unticked)
    assert stored(unticked) == ["In", "Kept 0"]


def test_each_tick_goes_on_with_it_also_while_the_sync_is_off(unticked: Synced, one_at_once: None) -> None:
    delete(unticked)
    with unticked.host.app.app_context():
        unticked.host.ms365.settings.save({"email_sync": "0"})
    left = []
    for _ in range(3):
        left.append((len(stored(unticked)), is_under_way(unticked)))
        tick(unticked.host)
    assert left == [(3, True), (2, True), (1, True)]
    assert not is_under_way(unticked)


def test_a_kill_at_any_statement_is_made_up_for(unticked: Synced, one_at_once: None) -> None:
    delete(unticked)
    kills = 0
    while is_under_way(unticked):
        with suppress(Killed), killed_at(unticked.host, statement=kills + 1):
            kills += 1
            chore(unticked.host)
    assert (kills > 5, stored(unticked)) == (True, ["In"])


def test_ticked_again_meanwhile_what_is_left_stays_and_the_rest_is_read_anew(
    unticked: Synced, one_at_once: None
) -> None:
    delete(unticked)
    choose(unticked, {"Inbox", "Archive"}, reads_new=False)
    chore(unticked.host)
    assert len(stored(unticked)) == 3
    unticked.sync()
    assert (len(stored(unticked)), is_under_way(unticked)) == (4, False)
    assert unticked.told.count(("Kept 2", Change.CREATED)) == 1  # it was never away


def test_ticked_again_later_its_mail_is_read_anew(unticked: Synced) -> None:
    delete(unticked)
    choose(unticked, {"Inbox", "Archive"}, reads_new=False)
    unticked.sync()
    assert len(stored(unticked)) == 4


def test_a_message_that_was_moved_meanwhile_is_not_lost(unticked: Synced, one_at_once: None) -> None:
    moved = next(each for each in unticked.mailbox.messages() if each.subject == "Kept 2")
    delete(unticked)
    unticked.mailbox.move(moved.id, "inbox")
    unticked.sync()
    for _ in range(4):
        chore(unticked.host)
    assert stored(unticked) == ["In", "Kept 2"]


def test_the_audit_log_says_it_without_the_folder_s_name(unticked: Synced) -> None:
    delete(unticked)
    with unticked.host.app.app_context():
        found = select(AuditEvent).where(AuditEvent.action == "mailbox.folder_mail_deleted")
        event = unticked.session.scalars(found).one()
        assert (event.actor, "Archive" in str(event.detail)) == ("ana", False)


# what a host's records refer to


REFUSING = ""


@pytest.fixture(params=[REFUSING, "ON DELETE CASCADE", "ON DELETE SET NULL"])
def tickets(request: pytest.FixtureRequest, unticked: Synced) -> Iterator[Callable[[str], Any]]:
    """Yield a function that runs SQL on a table of the host, which refers to two messages of the archive."""

    def run(statement: str) -> Any:
        with unticked.host.app.app_context():
            answer = unticked.session.execute(text(statement))
            found = answer.scalars().all() if answer.returns_rows else None
            unticked.session.commit()
            return found

    refers = f"FOREIGN KEY (message_id) REFERENCES ms365_message (id) {request.param}"
    run(f"CREATE TABLE ticket (message_id INTEGER, {refers})")
    run("INSERT INTO ticket SELECT id FROM ms365_message WHERE subject IN ('Kept 0', 'Kept 2')")
    yield run
    run("DROP TABLE ticket")


def test_mail_that_records_refer_to_is_kept_and_counted(unticked: Synced, tickets: Callable[[str], Any]) -> None:
    with unticked.host.app.app_context():
        folder_mail = unticked.host.app.extensions["ms365.state"].folder_mail
        there = folder_mail.look_at(mailbox_id(unticked.host), folder_id(unticked.host, "Archive"))
    assert (there.message_count, there.kept_count) == (3, 2)
    delete(unticked)
    assert (stored(unticked), is_under_way(unticked)) == (["In", "Kept 0", "Kept 2"], False)
    assert None not in tickets("SELECT message_id FROM ticket")


@pytest.mark.parametrize("tickets", [REFUSING], indirect=True)
def test_what_the_database_refuses_is_kept_although_nobody_saw_why(
    unticked: Synced, tickets: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was written a moment ago, or in a schema that we do not know of."""
    monkeypatch.setattr("flask_ms365.mailboxes.folder_mail.is_referred_to", lambda session: false())
    delete(unticked)
    assert (stored(unticked), is_under_way(unticked)) == (["In", "Kept 0", "Kept 2"], False)
