"""Ticks may come late, twice, in parallel and from anywhere: the lease sorts it out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select

from flask_ms365.models import Mailbox, Message
from flask_ms365.simulator import App, Simulator
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from flask_ms365.sync.lease import claim
from flask_ms365.sync.report import RunReport, TickReport
from tests.conftest import Clock, Host, HostFactory, configure


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def tick(host: Host) -> TickReport:
    with host.app.app_context():
        return host.ms365.tick()


def sync(host: Host) -> RunReport:
    with host.app.app_context():
        return host.ms365.sync_mailbox(1)


def count(host: Host, kind: type[Any]) -> int:
    with host.app.app_context():
        return int(session_of(host).scalar(select(func.count()).select_from(kind)))


@pytest.fixture
def three_mailboxes(configured: Host, simulator: Simulator) -> Host:
    """Return a host with the mailboxes of three users, one message in each; nothing was synced yet."""
    for name in ("ana", "bob", "eve"):
        user = simulator.add_user(f"{name}@contoso.example", password=name)
        user.mailbox.deliver(subject=f"To {name}")
        configured.user_id = name
        configured.visitor().connect(user)
    simulator.requests.clear()
    return configured


def test_ticks_in_parallel_sync_no_mailbox_twice(three_mailboxes: Host, simulator: Simulator) -> None:
    together = threading.Barrier(6)

    def work(_: int) -> TickReport:
        together.wait()
        return tick(three_mailboxes)

    with ThreadPoolExecutor(6) as pool:
        runs = [run for report in pool.map(work, range(6)) for run in report.runs]
    assert sorted(run.address for run in runs if str(run.result) == "done") == [
        "ana@contoso.example",
        "bob@contoso.example",
        "eve@contoso.example",
    ]
    # each run lists the folders once
    assert simulator.count("GET", "/mailFolders/delta") == 3
    assert count(three_mailboxes, Message) == 3


def test_a_tick_leaves_alone_what_is_not_due(three_mailboxes: Host, simulator: Simulator) -> None:
    assert len(tick(three_mailboxes).runs) == 3
    simulator.requests.clear()
    assert tick(three_mailboxes).runs == []
    assert len(simulator.requests) == 0


def test_a_late_tick_is_a_tick(three_mailboxes: Host, clock: Clock) -> None:
    tick(three_mailboxes)
    clock.advance(days=3)
    assert [str(run.result) for run in tick(three_mailboxes).runs] == ["done"] * 3


def test_with_the_toggle_off_a_tick_asks_nobody(three_mailboxes: Host, simulator: Simulator) -> None:
    with three_mailboxes.app.app_context():
        three_mailboxes.ms365.settings.save({"email_sync": "0"})
    assert tick(three_mailboxes) == TickReport(is_on=False)
    assert len(simulator.requests) == 0


def test_a_mailbox_in_work_is_nobody_elses(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    with ThreadPoolExecutor(1) as pool, mailbox.hold() as traffic:
        first = pool.submit(sync, connected)
        assert traffic.wait_for(1)
        assert str(sync(connected).result) == "taken"
        assert tick(connected).runs == []
        traffic_ends = first
    assert str(traffic_ends.result(timeout=10).result) == "done"


def test_after_its_lease_ran_out_a_mailbox_is_taken_over(connected: Host, clock: Clock) -> None:
    assert _taken_over(connected, clock)
    assert tick(connected).runs == []
    clock.advance(seconds=91)
    assert [str(run.result) for run in tick(connected).runs] == ["done"]


def test_who_slept_through_the_lease_stores_nothing(connected: Host, mailbox: MailboxAtMicrosoft, clock: Clock) -> None:
    mailbox.deliver(subject="Too late")
    with ThreadPoolExecutor(1) as pool:
        with mailbox.hold() as traffic:
            sleeper = pool.submit(sync, connected)
            assert traffic.wait_for(1)
            clock.advance(seconds=91)
            assert _taken_over(connected, clock)
        assert str(sleeper.result(timeout=10).result) == "taken"
    assert count(connected, Message) == 0
    with connected.app.app_context():
        assert session_of(connected).get(Mailbox, 1).lease_owner == "another worker"


def test_a_tick_works_in_a_request(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="During a request")
    with connected.app.test_request_context("/tickets"):
        assert len(connected.ms365.tick().runs) == 1
    assert count(connected, Message) == 1


def test_a_tick_leaves_the_callers_transaction_open(
    make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Any
) -> None:
    db = SQLAlchemy()
    note = db.Table("note", db.metadata, db.Column("text", db.String))
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/host.sqlite3")
    configure(host, simulator, registration)
    host.visitor().connect(simulator.add_user("ana@contoso.example", password="ana"))
    with host.app.app_context():
        connection = db.session.connection()
        assert db.session.execute(select(note)).all() == []
        assert [str(run.result) for run in host.ms365.tick().runs] == ["done"]
        assert db.session.connection() is connection
        db.session.execute(note.insert().values(text="mine"))
        db.session.rollback()
        assert db.session.execute(select(note)).all() == []


def test_a_mailbox_that_is_gone_rests(configured: Host) -> None:
    assert str(sync(configured).result) == "resting"


def test_two_apps_in_one_process_keep_to_themselves(connected: Host, make_host: HostFactory) -> None:
    other = make_host("other")
    assert tick(other) == TickReport(is_on=False)
    assert len(tick(connected).runs) == 1


def test_without_the_extension_a_tick_says_what_to_do(connected: Host) -> None:
    from flask_ms365.errors import ConfigurationError

    with Flask("bare").app_context(), pytest.raises(ConfigurationError, match=r"Call MS365\(\).init_app"):
        connected.ms365.tick()


def _taken_over(host: Host, clock: Clock) -> bool:
    """Claim the mailbox as another worker would; return whether it was free."""
    with host.app.app_context():
        lease = claim(session_of(host), 1, owner="another worker", seconds=90, now=clock(), only_due=False)
        return lease is not None
