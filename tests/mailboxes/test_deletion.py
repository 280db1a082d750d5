"""Deleting the mail of a disconnected mailbox: all of it, nothing else, in any number of attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, text

from flask_ms365.models import (
    Attachment,
    Connection,
    Folder,
    Mailbox,
    Message,
    OAuthFlow,
    SyncRun,
)
from flask_ms365.simulator import User
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host
from tests.mailboxes.conftest import (
    MAIL,
    change,
    chore,
    connection,
    deliver,
    disconnect,
    go_on,
    ids,
    rows,
    state,
    tick,
    while_it_waits,
)
from tests.sync.conftest import Synced
from tests.test_cli import as_json, ms365


def test_nothing_of_it_is_left(synced: Synced) -> None:
    deliver(synced)
    disconnect(synced.host, keep_mail=False)
    assert rows(synced.host, Attachment, Message, Folder, SyncRun, Mailbox, Connection, OAuthFlow) == [0] * 7


def test_other_mailboxes_lose_nothing(synced: Synced) -> None:
    deliver(synced)
    mine = state(synced.host)
    with synced.host.app.app_context():
        times = {"created_at": mine.created_at, "next_due_at": mine.next_due_at}
        synced.session.add(Mailbox(kind="system", address="team@c.example", connection_id=mine.connection_id, **times))
        synced.session.commit()
    disconnect(synced.host, keep_mail=False, mailbox_id=ids(synced.host)[1])
    assert rows(synced.host, Message, Mailbox, Connection) == [3, 1, 1]
    assert connection(synced.host).refresh_token is not None


@pytest.fixture
def one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches of a single row, and no time for a second one."""
    monkeypatch.setattr("flask_ms365.mailboxes.deletion._AT_ONCE", 1)
    monkeypatch.setattr("flask_ms365.mailboxes.disconnect._A_MOMENT", 0.0)
    monkeypatch.setattr("flask_ms365.mailboxes.leaving._A_WHILE", 0.0)


@pytest.fixture
def in_the_middle(synced: Synced, one_at_once: None) -> Synced:
    """Return a host that was killed after one of three messages was deleted."""
    deliver(synced)
    disconnect(synced.host, keep_mail=False)
    assert rows(synced.host, Message) == [2]
    return synced


def test_each_tick_goes_on_with_it_until_nothing_is_left(in_the_middle: Synced) -> None:
    left = []
    for _ in range(4):
        tick(in_the_middle.host)
        left.append(sum(rows(in_the_middle.host, Message, SyncRun, Mailbox)))
    assert left == [3, 2, 1, 0]


def test_it_goes_on_while_the_sync_is_off(in_the_middle: Synced) -> None:
    with in_the_middle.host.app.app_context():
        in_the_middle.host.ms365.settings.save({"email_sync": "0"})
    tick(in_the_middle.host)
    assert rows(in_the_middle.host, Message) == [1]


def test_whoever_asks_again_helps_it_on(in_the_middle: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.disconnect._A_MOMENT", 10.0)
    disconnect(in_the_middle.host, keep_mail=False)
    assert rows(in_the_middle.host, Message, Mailbox) == [0, 0]


def test_it_cannot_be_taken_back(in_the_middle: Synced) -> None:
    disconnect(in_the_middle.host, keep_mail=True)
    assert state(in_the_middle.host).state == "deleting"


def test_two_processes_that_delete_the_same_do_not_meet(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.disconnect._A_MOMENT", 0.0)
    monkeypatch.setattr("flask_ms365.mailboxes.deletion._AT_ONCE", 1)
    deliver(synced, 12)
    disconnect(synced.host, keep_mail=False)
    with ThreadPoolExecutor(4) as pool:
        for running in [pool.submit(chore, synced.host) for _ in range(4)]:
            running.result()
    assert rows(synced.host, Message, Mailbox) == [0, 0]


def test_an_account_that_connects_meanwhile_begins_anew(in_the_middle: Synced, ana: User) -> None:
    old = ids(in_the_middle.host)
    in_the_middle.host.visitor().connect(ana)
    assert len(ids(in_the_middle.host)) == 2
    for _ in range(4):
        go_on(in_the_middle.host)
    assert old[0] not in ids(in_the_middle.host)
    in_the_middle.sync()
    assert rows(in_the_middle.host, Message, Mailbox, Connection) == [3, 1, 1]


# a host that refers to our messages


@pytest.fixture
def referring(synced: Synced) -> Callable[[str], None]:
    """Return a function that runs SQL on a table of the host, which refers to the second message."""
    deliver(synced)

    def run(statement: str) -> None:
        with synced.host.app.app_context():
            synced.session.execute(text(statement))
            synced.session.commit()

    run("CREATE TABLE ticket (message_id INTEGER, FOREIGN KEY (message_id) REFERENCES ms365_message (id))")
    run("INSERT INTO ticket SELECT MAX(id) FROM ms365_message")
    return run


@pytest.fixture
def tickets(synced: Synced, referring: Callable[[str], None]) -> Any:
    yield referring
    referring("DROP TABLE ticket")


def test_records_of_the_host_are_not_lost_and_the_mailbox_says_why(
    synced: Synced, tickets: Callable[[str], None]
) -> None:
    disconnect(synced.host, keep_mail=False)
    told = state(synced.host)
    assert (told.state, rows(synced.host, Message)) == ("deleting", [3])
    assert "Records of this app still refer to this mail" in (told.last_error or "")
    assert as_json(synced.host, "status")["mailboxes"][0]["state"] == "delete_failed"
    assert ms365(synced.host, "status").exit_code == 1


def test_the_overview_tells_of_mail_that_cannot_be_deleted(synced: Synced, tickets: Callable[[str], None]) -> None:
    disconnect(synced.host, keep_mail=False)
    assert "refuses to delete the mail of 1 mailbox" in synced.host.visitor().get("/ms365/").text


def test_it_is_tried_again_within_the_hour_and_not_at_each_tick(
    synced: Synced, tickets: Callable[[str], None], clock: Clock
) -> None:
    disconnect(synced.host, keep_mail=False)
    tickets("DELETE FROM ticket")
    tick(synced.host)
    assert rows(synced.host, Message) == [3]
    clock.advance(hours=1, seconds=1)
    tick(synced.host)
    assert rows(synced.host, Message, Mailbox) == [0, 0]


# fault 39: a mailbox that is deleted while it is leased


def test_a_run_outlives_its_mailbox(synced: Synced) -> None:
    with while_it_waits(synced) as running:
        disconnect(synced.host, keep_mail=False)
        assert ids(synced.host) == []
    assert running.result().result is Result.TAKEN
    assert rows(synced.host, SyncRun) == [0]


# a kill


class Killed(BaseException):
    """What ends a process here: nothing catches it."""


def test_a_kill_at_any_statement_is_made_up_for(synced: Synced, one_at_once: None) -> None:
    deliver(synced, 2)
    change(synced.host, Mailbox, state="deleting")
    kills = 0
    while ids(synced.host):
        before = rows(synced.host, *MAIL)
        with suppress(Killed), killed_at(synced.host, statement=kills + 1):
            kills += 1
            go_on(synced.host, seconds=60)
        assert all(now <= then for now, then in zip(rows(synced.host, *MAIL), before, strict=True))
    assert kills > 10
    assert rows(synced.host, *MAIL, Connection) == [0] * 6


@contextmanager
def killed_at(host: Host, *, statement: int) -> Iterator[None]:
    """Kill whoever sends that many statements."""
    left = [statement]
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def count(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", count)
