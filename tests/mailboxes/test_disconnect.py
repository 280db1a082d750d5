"""Disconnecting a mailbox: what ends at once, and what is kept."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import signals
from flask_ms365.models import (
    AuditEvent,
    Connection,
    Folder,
    Mailbox,
    Message,
    OAuthFlow,
)
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import CALLBACK, Clock, Host
from tests.identity.conftest import session_of
from tests.mailboxes.conftest import (
    change,
    connection,
    deliver,
    disconnect,
    ids,
    rows,
    state,
    tick,
    while_it_waits,
)
from tests.sync.conftest import Synced
from tests.test_cli import as_json, ms365
from tests.visitor import path_of, sign_in_at_microsoft

SECRETS = ("access_token", "refresh_token", "claims")


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
        assert answer.result(timeout=30).headers["Location"] == "/ms365/my-email?outcome=gone"
    assert (state(connected).state, connection(connected).refresh_token) == ("disconnected", None)


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
