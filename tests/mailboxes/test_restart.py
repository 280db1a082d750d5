"""Starting over: a mailbox is read again from the start, nothing that is stored is lost, and nobody is told twice."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from flask_ms365 import Change
from flask_ms365.mailboxes.restart import restart
from flask_ms365.models import AuditEvent, Folder, Mailbox, Message
from flask_ms365.sync.report import Result
from tests.mailboxes.choosing import choose, mailbox_id, read_names, row, stored
from tests.mailboxes.conftest import change, deliver, tick, while_it_waits
from tests.sync.conftest import Synced

CREATED = Change.CREATED


def start_over(synced: Synced) -> bool:
    with synced.host.app.app_context():
        state = synced.host.app.extensions["ms365.state"]
        return restart(synced.session, mailbox_id(synced.host), now=state.clock(), actor="ana")


def ids(synced: Synced) -> list[int]:
    with synced.host.app.app_context():
        return list(synced.session.scalars(select(Message.id).order_by(Message.id)))


def test_the_rows_stay_and_handlers_hear_of_nothing(synced: Synced) -> None:
    deliver(synced, 3)
    before, told = ids(synced), list(synced.told)
    assert start_over(synced)
    assert ids(synced) == before
    tick(synced.host)
    assert (ids(synced), synced.told, synced.differences()) == (before, told, [])


def test_it_mends_what_was_wrong_here(synced: Synced) -> None:
    deliver(synced, 3)
    with synced.host.app.app_context():
        synced.session.execute(update(Message).where(Message.subject == "Message 0").values(change_key="x", body="?"))
        synced.session.execute(delete(Message).where(Message.subject == "Message 1"))
        synced.session.commit()
    start_over(synced)
    tick(synced.host)
    assert synced.differences() == []
    assert synced.told.count(("Message 1", CREATED)) == 2  # its row was gone: for us it is another one


def test_what_is_gone_at_microsoft_is_marked_as_removed_and_kept(synced: Synced) -> None:
    deliver(synced, 3)
    with synced.mailbox.lagging():
        synced.mailbox.delete(synced.mailbox.messages()[0].id)
    start_over(synced)
    tick(synced.host)
    assert (len(ids(synced)), len(stored(synced))) == (3, 2)


def test_a_sync_under_way_stores_nothing_more_and_the_next_begins_anew(synced: Synced) -> None:
    deliver(synced, 3)
    with while_it_waits(synced) as running:
        start_over(synced)
    assert running.result().result is Result.TAKEN
    with synced.host.app.app_context():
        assert set(synced.session.scalars(select(Folder.delta_link))) == {None}


def test_what_people_chose_stays(synced: Synced) -> None:
    deliver(synced, 1)
    choose(synced, {"Inbox"}, reads_new=False)
    start_over(synced)
    tick(synced.host)
    assert read_names(synced) == {"Inbox"}


def test_one_that_is_paused_stays_so(synced: Synced) -> None:
    change(synced.host, Mailbox, state="paused")
    assert start_over(synced)
    assert row(synced.host).state == "paused"


def test_a_disconnected_one_is_not_begun_anew(synced: Synced) -> None:
    change(synced.host, Mailbox, state="disconnected")
    assert not start_over(synced)


def test_the_audit_log_says_who_did_it(synced: Synced) -> None:
    start_over(synced)
    with synced.host.app.app_context():
        found = select(AuditEvent.actor).where(AuditEvent.action == "mailbox.restarted")
        assert synced.session.scalars(found).all() == ["ana"]
