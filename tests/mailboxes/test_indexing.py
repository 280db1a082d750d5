"""What search looks in follows the mail: after it was stored, whoever is at it, and whatever happens on the way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, text, true, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from flask_ms365.mailboxes.deletion import delete_messages
from flask_ms365.mailboxes.indexing import Indexing
from flask_ms365.mailboxes.search import search
from flask_ms365.models import Message, SearchDue, SearchMark, SearchText
from tests.conftest import Clock
from tests.mailboxes.conftest import disconnect, tick
from tests.mailboxes.searchable import Searchable, mail
from tests.sync.conftest import Synced

__all__ = ["mail"]


def found(synced: Synced, text: str) -> list[str | None]:
    with synced.host.app.app_context():
        return [message.subject for message in search(synced.session, text, readable=true()).messages]


def test_a_sync_stores_mail_and_a_tick_lets_it_be_found(synced: Synced) -> None:
    synced.mailbox.deliver(subject="The bell rings", html="<p>Ring</p><p>twice</p>")
    synced.sync()
    assert found(synced, "bell") == []
    tick(synced.host)
    assert found(synced, "ring twice") == ["The bell rings"]


def test_what_a_tick_stores_can_be_found_when_it_ends(synced: Synced) -> None:
    synced.mailbox.deliver(subject="The bell rings")
    tick(synced.host)
    assert found(synced, "bell") == ["The bell rings"]


def test_what_a_pass_from_the_command_line_stores_can_be_found_when_it_ends(synced: Synced) -> None:
    synced.mailbox.deliver(subject="The bell rings")
    assert synced.host.app.test_cli_runner().invoke(args=["ms365", "sync"]).exit_code == 0
    assert found(synced, "bell") == ["The bell rings"]


def test_a_tick_without_new_mail_looks_for_words_once(synced: Synced, clock: Clock) -> None:
    tick(synced.host)
    clock.advance(minutes=6)
    said: list[str] = []
    with synced.host.app.app_context():
        engine = synced.session.get_bind()
        event.listen(engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        runs = synced.host.ms365.tick().runs
    assert [run for run in runs if run.changes] == []
    assert sum("FROM ms365_search_mark" in statement for statement in said) == 1


def test_a_message_that_changed_is_found_by_its_new_words(synced: Synced) -> None:
    message_id = synced.mailbox.deliver(subject="Draft")
    synced.sync()
    tick(synced.host)
    synced.mailbox.update(message_id, subject="Final")
    synced.sync()
    tick(synced.host)
    assert (found(synced, "draft"), found(synced, "final")) == ([], ["Final"])


def test_a_message_that_was_removed_leaves_no_words_behind(synced: Synced) -> None:
    message_id = synced.mailbox.deliver(subject="Hello")
    synced.sync()
    tick(synced.host)
    synced.mailbox.delete(message_id)
    synced.sync()
    tick(synced.host)
    with synced.host.app.app_context():
        left = [synced.session.scalar(select(func.count()).select_from(model)) for model in (SearchText, SearchDue)]
    assert (left, found(synced, "hello")) == ([0, 0], [])


def test_a_message_that_came_back_is_found_again(synced: Synced) -> None:
    message_id = synced.mailbox.deliver(subject="Hello")
    synced.sync()
    message_id = synced.mailbox.move(message_id, "deleteditems")
    synced.sync()
    tick(synced.host)
    assert found(synced, "hello") == []
    synced.mailbox.move(message_id, "inbox")
    synced.sync()
    tick(synced.host)
    assert found(synced, "hello") == ["Hello"]


def test_words_go_with_the_mail_of_a_mailbox(synced: Synced) -> None:
    synced.mailbox.deliver(subject="Hello")
    synced.sync()
    tick(synced.host)
    disconnect(synced.host, keep_mail=False)
    with synced.host.app.app_context():
        assert synced.session.scalar(select(func.count()).select_from(SearchText)) == 0
    assert found(synced, "hello") == []


def test_a_message_that_is_stored_late_is_not_missed(mail: Searchable) -> None:
    mail.message("Early", id=1000)
    mail.index()
    mail.message("Late", id=500)
    mail.index()
    assert mail.indexed() == [500, 1000]


def test_nobody_looks_back_once_what_is_late_must_have_come(mail: Searchable) -> None:
    mail.message("One", id=1000)
    mail.index()
    for _ in range(2):
        mail.clock.advance(minutes=11)
        mail.index()
    assert mail.session.execute(select(SearchMark.settled, SearchMark.upto)).one() == (1000, 1000)


def test_removed_mail_is_not_indexed_and_stops_nothing(mail: Searchable) -> None:
    for number in range(3):
        mail.message(f"Removed {number}", removed_at=mail.clock())
    message_id = mail.message("Here")
    mail.message("Removed, too", removed_at=mail.clock())
    mail.index()
    assert (mail.indexed(), mail.search("here").is_behind) == ([message_id], False)


def test_mail_of_a_mailbox_on_its_way_out_is_not_indexed(mail: Searchable) -> None:
    leaving = mail.mailbox(state="deleting")
    mail.message("Leaving", mailbox_id=leaving)
    mail.index()
    assert mail.indexed() == []


def test_more_than_a_batch_is_indexed_at_once(mail: Searchable) -> None:
    for number in range(450):
        mail.message(f"Message {number}")
    mail.index()
    assert len(mail.indexed()) == 450


def test_nothing_to_do_costs_one_statement(mail: Searchable) -> None:
    mail.message("One")
    mail.index()
    for _ in range(2):
        mail.clock.advance(minutes=11)
        mail.index()
    with statements(mail) as said:
        mail.index()
    (only,) = said
    assert only.startswith("SELECT")


@contextmanager
def statements(mail: Searchable) -> Iterator[list[str]]:
    said: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    mail.session.commit()
    engine = mail.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield said
    event.remove(engine, "before_cursor_execute", note)


def test_a_batch_that_broke_off_is_taken_up_again(mail: Searchable) -> None:
    message_id = mail.message("Hello")

    def break_off(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO ms365_search_text"):
            raise OperationalError(statement, {}, Exception("the server is gone"))

    engine = mail.session.get_bind()
    event.listen(engine, "before_cursor_execute", break_off)
    mail.index()
    event.remove(engine, "before_cursor_execute", break_off)
    assert (mail.indexed(), mail.search("hello").is_behind) == ([], True)
    mail.index()
    assert mail.indexed() == [message_id]


def test_of_two_that_take_up_the_same_messages_one_writes(mail: Searchable) -> None:
    ids = [mail.message(f"Message {number}") for number in range(300)]

    def index() -> None:
        with mail.host.app.app_context():
            Indexing(session=mail.session, clock=mail.clock).chore()

    mail.session.commit()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(index) for _ in range(4)]:
            done.result(timeout=60)
    mail.index()
    assert mail.indexed() == ids


def test_what_changes_while_it_is_read_is_read_again(mail: Searchable) -> None:
    message_id, engine = mail.message("Before"), mail.session.get_bind()
    read: list[str] = []

    def change(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "substr" in statement and not read:
            read.append(statement)
            with Session(engine) as session, session.begin():
                session.execute(update(Message).values(subject="After"))
                session.add(SearchDue(message_id=message_id))

    event.listen(engine, "after_cursor_execute", change)
    mail.index()
    assert mail.found("before") == ["After"]  # by what it was, for the time being
    mail.index()
    assert (mail.found("before"), mail.found("after")) == ([], ["After"])


def test_what_is_due_of_a_message_that_is_gone_is_forgotten(mail: Searchable) -> None:
    mail.session.add(SearchDue(message_id=99))
    mail.session.commit()
    mail.index()
    assert mail.session.scalar(select(func.count()).select_from(SearchDue)) == 0


def test_an_id_that_sqlite_gives_again_is_indexed_again(mail: Searchable) -> None:
    mail.message("Stays")
    message_id = mail.message("Goes")
    mail.index()
    delete_messages(mail.session, [message_id])
    mail.message("Comes", id=message_id)
    mail.index()
    assert (mail.found("goes"), mail.found("comes")) == ([], ["Comes"])


def test_what_the_host_deleted_itself_is_noticed(mail: Searchable) -> None:
    mail.message("Stays")
    message_id = mail.message("Goes")
    for _ in range(3):
        mail.index()
        mail.clock.advance(minutes=11)
    mail.session.delete(mail.session.get_one(Message, message_id))
    mail.session.commit()
    mail.index()
    mail.message("Comes", id=message_id)
    mail.message("Follows", id=message_id + 1)
    mail.index()
    assert (mail.found("goes"), mail.found("comes"), mail.found("follows")) == ([], ["Comes"], ["Follows"])


def test_words_that_were_left_behind_are_not_those_of_another_message(mail: Searchable) -> None:
    if mail.session.get_bind().dialect.name != "sqlite":
        pytest.skip("there, words go with their message whoever deletes it")
    message_id = mail.message("Goes")
    mail.index()
    mail.session.commit()
    mail.session.execute(text("PRAGMA foreign_keys=OFF"))  # as a host's own SQLite has it
    mail.session.execute(delete(Message))
    mail.session.commit()
    mail.index()
    mail.message("Comes", id=message_id)
    mail.index()
    assert (mail.found("goes"), mail.found("comes")) == ([], ["Comes"])
