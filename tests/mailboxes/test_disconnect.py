"""Disconnecting a mailbox: what ends at once, what is kept, and what is deleted for good."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from flask_ms365 import signals
from flask_ms365.models import (
    Attachment,
    AuditEvent,
    Connection,
    Folder,
    Mailbox,
    Message,
    OAuthFlow,
    SyncRun,
    write_transaction,
)
from flask_ms365.models.base import Base
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import CALLBACK, Clock, Host
from tests.identity.conftest import session_of
from tests.sync.conftest import Synced
from tests.test_cli import as_json, ms365
from tests.visitor import path_of, sign_in_at_microsoft

MAIL = (Attachment, Message, Folder, SyncRun, Mailbox)
SECRETS = ("access_token", "refresh_token", "claims")


def ids(host: Host) -> list[int]:
    with host.app.app_context():
        return list(session_of(host).scalars(select(Mailbox.id).order_by(Mailbox.id)))


def disconnect(host: Host, *, keep_mail: bool, mailbox_id: int | None = None) -> None:
    """Disconnect the only mailbox, or the one that is named."""
    of_host = mailbox_id or ids(host)[0]
    with host.app.app_context():
        host.app.extensions["ms365.state"].disconnect.disconnect(of_host, keep_mail=keep_mail, actor="ana")


def go_on(host: Host, *, seconds: float = 0) -> None:
    """Delete one more batch, or more in ``seconds``."""
    mailbox_id = ids(host)[0]
    with host.app.app_context():
        host.app.extensions["ms365.state"].disconnect.deletion.go_on(mailbox_id, seconds=seconds)


def rows(host: Host, *models: type[Base]) -> list[int]:
    """Return how many rows each table has."""
    with host.app.app_context():
        session = session_of(host)
        return [session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def state(host: Host) -> Mailbox:
    with host.app.app_context():
        return session_of(host).scalars(select(Mailbox)).one()  # type: ignore[no-any-return]


def connection(host: Host) -> Connection:
    with host.app.app_context():
        return session_of(host).scalars(select(Connection)).one()  # type: ignore[no-any-return]


def change(host: Host, model: type[Base], **values: Any) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(model).values(**values))


def tick(host: Host) -> None:
    with host.app.app_context():
        host.ms365.tick()


def chore(host: Host) -> None:
    """Do what a tick does for mail that is being deleted."""
    with host.app.app_context():
        host.app.extensions["ms365.state"].disconnect.deletion.chore()


def deliver(synced: Synced, count: int = 3) -> None:
    for number in range(count):
        synced.mailbox.deliver(subject=f"Message {number}", attachments=[("a.txt", "text/plain", b"text")])
    synced.sync()


# what ends


def test_the_tokens_are_destroyed_and_the_row_stays_for_the_same_account(synced: Synced) -> None:
    before = connection(synced.host)
    change(synced.host, Connection, claims='{"access_token":{}}')
    disconnect(synced.host, keep_mail=True)
    after = connection(synced.host)
    assert {name: getattr(after, name) for name in SECRETS} == dict.fromkeys(SECRETS)
    assert (after.is_dead, after.version, after.oid) == (True, before.version + 1, before.oid)


def test_a_sign_in_that_other_mailboxes_need_stays(synced: Synced) -> None:
    mine = state(synced.host)
    with synced.host.app.app_context():
        times = {"created_at": mine.created_at, "next_due_at": mine.next_due_at}
        synced.session.add(Mailbox(kind="system", address="team@c.example", connection_id=mine.connection_id, **times))
        synced.session.commit()
    first, second = ids(synced.host)
    disconnect(synced.host, keep_mail=True, mailbox_id=first)
    assert connection(synced.host).refresh_token is not None
    disconnect(synced.host, keep_mail=True, mailbox_id=second)
    assert connection(synced.host).refresh_token is None


def test_a_mailbox_without_a_sign_in_of_its_own_is_disconnected_all_the_same(connected: Host) -> None:
    change(connected, Mailbox, connection_id=None, access="application")
    disconnect(connected, keep_mail=True)
    assert (state(connected).state, connection(connected).is_dead) == ("disconnected", False)


def test_sign_ins_under_way_are_forgotten_and_what_ended_is_not(connected: Host) -> None:
    with connected.app.app_context():
        connect = connected.app.extensions["ms365.state"].connect
        for user_id in ("ana", "bob"):
            connect.begin(user_id=user_id, redirect_uri=CALLBACK)
    disconnect(connected, keep_mail=True)
    with connected.app.app_context():
        left = session_of(connected).execute(select(OAuthFlow.user_id, OAuthFlow.problem)).all()
    assert sorted((row.user_id, row.problem) for row in left) == [("ana", {}), ("bob", None)]


def test_a_sign_in_that_has_just_come_back_connects_nothing(connected: Host, ana: User) -> None:
    visitor = connected.visitor()
    back = path_of(sign_in_at_microsoft(visitor.start_connect(), ana))
    with ThreadPoolExecutor(1) as pool:
        with ana.mailbox.hold() as traffic:
            answer = pool.submit(visitor.get, back)
            assert traffic.wait_for(1)
            disconnect(connected, keep_mail=True)
        assert answer.result(timeout=30).headers["Location"] == "/ms365/my-email?outcome=state"
    assert (state(connected).state, connection(connected).refresh_token) == ("disconnected", None)


@contextmanager
def while_it_waits(synced: Synced) -> Any:
    """Let a sync stand inside Microsoft Graph for the time of the block; yield its coming report."""
    with ThreadPoolExecutor(1) as pool:
        with synced.mailbox.hold() as traffic:
            running = pool.submit(synced.run)
            assert traffic.wait_for(1)
            yield running
        running.result(timeout=30)


@pytest.mark.parametrize("keep_mail", [True, False])
def test_a_sync_under_way_writes_nothing_more(synced: Synced, keep_mail: bool) -> None:
    synced.mailbox.deliver(subject="Too late")
    with while_it_waits(synced) as running:
        disconnect(synced.host, keep_mail=keep_mail)
    report: RunReport = running.result()
    assert (report.result, report.changes) == (Result.TAKEN, {})
    assert rows(synced.host, Message, Folder) == [0, 0]


def test_a_refresh_under_way_stores_nothing(
    connected: Host, simulator: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(hours=2)
    issue = simulator.grants.issue_refresh_token

    def answer_late(*args: Any, **values: Any) -> Any:
        in_between = threading.Thread(target=disconnect, args=(connected,), kwargs={"keep_mail": True})
        in_between.start()
        in_between.join()
        return issue(*args, **values)

    monkeypatch.setattr(simulator.grants, "issue_refresh_token", answer_late)
    tick(connected)
    assert (connection(connected).refresh_token, connection(connected).access_token) == (None, None)
    assert state(connected).state == "disconnected"


def test_nobody_is_asked_to_sign_in_again_and_nothing_is_read(connected: Host, simulator: Simulator) -> None:
    told: list[int] = []

    def remember(_app: object, mailbox_id: int, **_: object) -> None:
        told.append(mailbox_id)

    disconnect(connected, keep_mail=True)
    simulator.requests.clear()
    with signals.reconnect_needed.connected_to(remember):
        tick(connected)
    assert (told, len(simulator.requests)) == ([], 0)


def test_the_command_line_says_what_it_is_and_leaves_it_alone(connected: Host) -> None:
    disconnect(connected, keep_mail=True)
    assert as_json(connected, "status")["mailboxes"][0]["state"] == "disconnected"
    assert ms365(connected, "status").exit_code == 0
    assert as_json(connected, "sync")["mailboxes"] == []
    named = ms365(connected, "sync", "--mailbox", "ana@contoso.example", "--json")
    assert (named.exit_code, json.loads(named.stdout)["mailboxes"][0]["state"]) == (0, "disconnected")


def test_the_host_is_told_once(connected: Host) -> None:
    told: list[dict[str, Any]] = []

    def remember(_app: object, **values: Any) -> None:
        told.append(values)

    with signals.mailbox_disconnected.connected_to(remember):
        for _ in range(2):
            disconnect(connected, keep_mail=True)
    assert told == [{"mailbox_id": 1, "keep_mail": True}]


def test_disconnecting_twice_is_written_down_once(connected: Host) -> None:
    for keep_mail in (True, True, False):
        disconnect(connected, keep_mail=keep_mail)
    with connected.app.app_context():
        actions = session_of(connected).scalars(select(AuditEvent.action).where(AuditEvent.action.like("mailbox.%")))
        assert list(actions) == ["mailbox.connected", "mailbox.disconnected", "mailbox.mail_deleted"]


# mail that is kept


def test_the_same_account_goes_on_without_doubles(synced: Synced, ana: User) -> None:
    deliver(synced)
    before = ids(synced.host)
    disconnect(synced.host, keep_mail=True)
    synced.mailbox.deliver(subject="Meanwhile")
    synced.host.visitor().connect(ana)
    synced.sync()
    assert (ids(synced.host), synced.differences()) == (before, [])
    assert rows(synced.host, Mailbox, Connection, Message) == [1, 1, 4]


# mail that is deleted


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
    monkeypatch.setattr("flask_ms365.mailboxes.deletion._A_WHILE", 0.0)


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
