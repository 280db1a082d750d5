"""What mailboxes of one organisation share: so many runs at a time, and a circuit for when Microsoft has enough."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select, update

from flask_ms365.models import Mailbox, Tenant, write_transaction
from flask_ms365.simulator import App, Simulator
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock, HostFactory, configure
from tests.services import own_database
from tests.sync.claiming_worker import claim_all
from tests.sync.conftest import empty
from tests.sync.killed_worker import Place
from tests.sync.many import Many, deltas

LIVE, LONG = 10, 5
HOUR = "3600"

_processes = multiprocessing.get_context("forkserver")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ]
)
def many(
    request: pytest.FixtureRequest, make_host: HostFactory, registration: App, simulator: Simulator, clock: Clock
) -> Iterator[Many]:
    if request.param == "sqlite":
        host, db = make_host(), None
    else:
        db = SQLAlchemy()
        host = make_host(db=db, SQLALCHEMY_DATABASE_URI=own_database(request.param))
    configure(host, simulator, registration)
    yield Many(host=host, simulator=simulator, clock=clock)
    if db is not None:
        with host.app.app_context():
            empty(db)


def write(many: Many, *ids: int, **values: object) -> None:
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).where(Mailbox.id.in_(ids)).values(**values))


def run_by_others(many: Many, count: int, until: datetime) -> None:
    """Let other processes run the first mailboxes."""
    held = {"lease_owner": "another", "lease_expires_at": until, "running_for": many.simulator.tenant_id}
    write(many, *range(1, count + 1), **held)


def later(seconds: float = 60.0) -> datetime:
    """Return a moment of the database's own clock, too."""
    return Clock()() + timedelta(seconds=seconds)


def ran(many: Many) -> list[RunReport]:
    return [report for report in many.tick().runs if report.pages or report.error]


def deliver_all(many: Many, count: int, *, first: int = 1) -> None:
    for box in many.add(count, first=first):
        box.deliver(subject="New", text="x")


def make_long(many: Many, *ids: int) -> None:
    write(many, *ids, last_result="under_way", last_success_at=later(-60))


def test_an_organisation_has_so_many_runs_at_a_time(many: Many) -> None:
    deliver_all(many, LIVE + 1)
    run_by_others(many, LIVE, later())
    assert ran(many) == []

    write(many, 1, lease_owner=None, lease_expires_at=None, running_for=None)
    make_due(many)
    assert len(ran(many)) == 2


def test_whoever_finds_no_room_comes_back_soon_and_is_not_looked_at_meanwhile(many: Many) -> None:
    deliver_all(many, LIVE + 1)
    run_by_others(many, LIVE, later())
    many.tick()
    before = len(deltas(many.simulator))
    many.tick()

    assert len(deltas(many.simulator)) == before
    with many.host.app.app_context():
        due = many.session.scalar(select(Mailbox.next_due_at).where(Mailbox.id == LIVE + 1))
    assert later(0) < due < later(60)


def test_runs_of_workers_that_are_gone_do_not_count(many: Many) -> None:
    deliver_all(many, LIVE + 1)
    run_by_others(many, LIVE, later(-1))
    assert len(ran(many)) == LIVE + 1


def test_looks_do_not_count(many: Many) -> None:
    deliver_all(many, LIVE + 1)
    write(many, *range(1, LIVE + 1), lease_owner="a look", lease_expires_at=later())
    assert len(ran(many)) == 1


@pytest.mark.slow
def test_several_processes_together_do_not_exceed_it(many: Many) -> None:
    many.add(30)
    place = Place(
        instance=many.host.app.instance_path,
        database=many.host.app.config["SQLALCHEMY_DATABASE_URI"],
        url=many.simulator.url,
        key=many.host.app.config["MS365_ENCRYPTION_KEYS"],
    )
    pipes = [_start(place, many.simulator.tenant_id, 30) for _ in range(3)]
    assert [pipe.recv() for pipe in pipes] == ["ready"] * 3
    for pipe in pipes:
        pipe.send("go")
    assert sum(pipe.recv() for pipe in pipes) == LIVE


def _start(place: Place, tenant: str, count: int) -> Any:
    ours, theirs = _processes.Pipe()
    _processes.Process(target=claim_all, args=(place, theirs, tenant, count)).start()
    theirs.close()
    return ours


def test_long_readings_leave_room_for_new_mail(many: Many) -> None:
    deliver_all(many, LONG + 2)
    make_long(many, LONG + 1)
    run_by_others(many, LONG, later())

    assert [report.mailbox_id for report in ran(many)] == [LONG + 2]


def test_a_run_by_hand_counts_too(many: Many) -> None:
    many.add(LIVE + 1)
    run_by_others(many, LIVE, later())
    with many.host.app.app_context():
        assert many.host.ms365.sync_mailbox(LIVE + 1).result is Result.RESTING


def throttle(many: Many, **headers: str) -> None:
    many.simulator.fail_next("/v1.0/", 429, headers=headers, times=None)


def held_until(many: Many) -> datetime | None:
    with many.host.app.app_context():
        until: datetime | None = many.session.scalar(select(Tenant.held_until))
        return until


def make_due(many: Many) -> None:
    """Let the time come for all mailboxes: a database has a clock of its own, which no test moves."""
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).values(next_due_at=later(-1)))


def let_the_hour_pass(many: Many) -> None:
    make_due(many)
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Tenant).values(held_until=later(-1)))


@pytest.fixture
def held(many: Many) -> Many:
    """Return mailboxes of an organisation that Microsoft throttles for an hour."""
    deliver_all(many, 8)
    throttle(many, **{"Retry-After": HOUR})
    many.tick()
    many.simulator.stop_failing()
    return many


def test_where_one_after_the_other_is_throttled_the_rest_is_not_even_asked(many: Many) -> None:
    deliver_all(many, 12)
    many.simulator.fail_next("/v1.0/", 429, headers={"Retry-After": HOUR}, times=None)
    results = [report.result for report in many.tick().runs]

    assert results == [Result.THROTTLED] * 5
    until = held_until(many)
    assert until is not None
    assert later(3500) < until < later(3600 * 1.11)


def test_while_it_is_held_nobody_asks(held: Many) -> None:
    make_due(held)
    before = len(held.simulator.requests)
    assert held.tick().runs == []
    with held.host.app.app_context():
        assert held.host.ms365.sync_mailbox(1).result is Result.RESTING
    assert len(held.simulator.requests) == before


def test_afterwards_one_tries_and_the_others_follow(held: Many) -> None:
    let_the_hour_pass(held)
    reports = ran(held)

    assert {report.result for report in reports} == {Result.DONE}
    assert len(reports) == 8
    assert held_until(held) is None


def test_one_that_tries_in_vain_holds_them_for_longer(held: Many) -> None:
    throttle(held)
    let_the_hour_pass(held)
    results = [report.result for report in held.tick().runs]

    assert results == [Result.THROTTLED]
    assert held_until(held) is not None


def test_a_mailbox_that_is_in_trouble_again_and_again_holds_nobody(many: Many) -> None:
    (box, *_) = many.add(2)
    box.deliver(subject="New", text="x")
    many.simulator.fail_next(f"/users/{box.address}/", 429, headers={"Retry-After": HOUR}, times=None)
    for _ in range(7):
        many.tick()
        make_due(many)
    assert held_until(many) is None


def test_where_most_goes_well_nobody_is_held(many: Many) -> None:
    boxes = many.add(8)
    for unlucky in range(0, 8, 2):
        for box in boxes:
            box.deliver(subject="New", text="x")
        for box in boxes[unlucky : unlucky + 2]:
            many.simulator.fail_next(f"/users/{box.address}/", 429, headers={"Retry-After": HOUR}, times=None)
        make_due(many)
        assert Result.THROTTLED in {report.result for report in many.tick().runs}
        many.simulator.stop_failing()
    assert held_until(many) is None
