"""Fault 39: rows that a run stands on are deleted while it holds the mailbox. Nothing more is stored or broken."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session

from flask_ms365.models import Connection, Folder, Mailbox, Message, Setting, SettingsVersion, SyncRun
from flask_ms365.sync.report import Result
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import between_pages, deliver, on_servers, on_sqlite


def _elsewhere(synced: Synced, *statements: Any) -> Callable[[], None]:
    """Return what another process does: these statements in a transaction of its own."""

    def run() -> None:
        with synced.host.app.app_context():
            engine = synced.session.get_bind()
        with Session(engine) as session:
            for statement in statements:
                session.execute(statement)
            session.commit()

    return run


def _count(synced: Synced, kind: type[Any]) -> int:
    with synced.host.app.app_context():
        return int(synced.session.scalar(select(func.count()).select_from(kind)))


def _in_mid_request(synced: Synced, act: Callable[[], None]) -> Result:
    """Sync, and let something happen while Microsoft is asked for the folders."""
    with ThreadPoolExecutor(1) as pool:
        with synced.mailbox.hold() as traffic:
            run = pool.submit(synced.run)
            assert traffic.wait_for(1)
            act()
        return run.result(timeout=30).result


_MAILBOX = (update(Folder).values(parent_id=None), delete(Message), delete(Folder), delete(SyncRun), delete(Mailbox))


@on_sqlite
def test_a_mailbox_that_is_deleted_between_two_pages(synced: Synced) -> None:
    deliver(synced, 8)
    between_pages(synced, _elsewhere(synced, *_MAILBOX))

    assert synced.run().result is Result.TAKEN
    assert (_count(synced, Mailbox), _count(synced, Message), _count(synced, SyncRun)) == (0, 0, 0)


@on_sqlite
def test_a_mailbox_that_is_deleted_while_microsoft_is_asked(synced: Synced) -> None:
    deliver(synced, 8)

    assert _in_mid_request(synced, _elsewhere(synced, *_MAILBOX)) is Result.TAKEN
    assert (_count(synced, Mailbox), _count(synced, Folder)) == (0, 0)


@on_sqlite
def test_a_mailbox_that_is_disconnected_with_its_mail_in_mid_sync(synced: Synced) -> None:
    deliver(synced, 8)
    disconnect = synced.host.app.extensions["ms365.state"].disconnect

    def end() -> None:
        with synced.host.app.app_context():
            mailbox_id = synced.session.scalar(select(Mailbox.id))
            disconnect.disconnect(mailbox_id, keep_mail=False, actor="ana")

    between_pages(synced, end)
    assert synced.run().result is Result.TAKEN
    assert (_count(synced, Mailbox), _count(synced, Message)) == (0, 0)


@on_sqlite
def test_settings_that_are_deleted_switch_the_sync_off(synced: Synced) -> None:
    deliver(synced, 8)
    between_pages(synced, _elsewhere(synced, delete(Setting), delete(SettingsVersion)))

    assert synced.run().result is Result.SWITCHED_OFF
    assert _count(synced, Message) == 2


@on_sqlite
def test_without_its_connection_a_run_ends_with_the_token_it_has_and_no_other_begins(synced: Synced) -> None:
    deliver(synced, 8)
    gone = (update(Mailbox).values(connection_id=None), delete(Connection))
    between_pages(synced, _elsewhere(synced, *gone))

    assert synced.run().result is Result.DONE
    assert synced.run().result is Result.SIGN_IN_NEEDED


@on_sqlite
def test_the_owner_who_is_no_user_of_the_host_any_more_breaks_nothing(synced: Synced) -> None:
    deliver(synced, 8)
    between_pages(synced, _elsewhere(synced, update(Mailbox).values(owner_id="nobody")))

    assert synced.run().result is Result.DONE
    assert synced.differences() == []


@on_servers
def test_a_mailbox_that_is_deleted_just_as_its_run_is_written_down(synced: Synced) -> None:
    """The account of the run must not refer to what is gone by then: that would end the tick for all."""
    with synced.host.app.app_context():
        engine = synced.session.get_bind()
    delete_mailbox = _elsewhere(synced, *_MAILBOX)
    with ThreadPoolExecutor(1) as pool:
        deleting = []

        def meanwhile(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("UPDATE ms365_mailbox SET") and "last_success_at" in statement:
                deleting.append(pool.submit(delete_mailbox))
                wait(deleting, timeout=0.5)

        event.listen(engine, "before_cursor_execute", meanwhile)
        synced.run()
        event.remove(engine, "before_cursor_execute", meanwhile)
        deleting[0].result(timeout=30)
    assert _count(synced, Mailbox) == 0
