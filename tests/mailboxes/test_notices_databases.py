"""Notices on the databases of those who have several processes: each of them ticks, and one tells."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_ms365 import Trouble
from flask_ms365.models import Folder
from flask_ms365.simulator import App, Simulator
from tests.conftest import Clock, Host, HostFactory, configure
from tests.mailboxes.failing import Heard, causes, change, fail, heal, tick_for, up_to_date
from tests.services import own_database
from tests.sync.conftest import empty
from tests.sync.many import Many

PROCESSES = 3


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.service) for name in ("postgresql", "mariadb")])
def processes(request: pytest.FixtureRequest, make_host: HostFactory) -> Iterator[list[Host]]:
    """Yield several processes' apps on one database."""
    databases = [SQLAlchemy() for _ in range(PROCESSES)]
    shared = {"SQLALCHEMY_DATABASE_URI": own_database(request.param)}
    first = make_host(db=databases[0], **shared)
    shared["MS365_ENCRYPTION_KEYS"] = first.app.config["MS365_ENCRYPTION_KEYS"]
    others = [make_host(f"host{number}", db=db, **shared) for number, db in enumerate(databases[1:])]
    yield [first, *others]
    for host, db in zip([first, *others], databases, strict=True):
        with host.app.app_context():
            empty(db)


@pytest.fixture
def many(processes: list[Host], simulator: Simulator, registration: App, clock: Clock) -> Many:
    configure(processes[0], simulator, registration)
    return up_to_date(Many(host=processes[0], simulator=simulator, clock=clock))


@pytest.fixture
def told(processes: list[Host]) -> Heard:
    heard: Heard = []
    for host in processes:
        host.ms365.on_trouble(heard.append)
    return heard


def tick(host: Host) -> None:
    with host.app.app_context():
        host.ms365.tick()


def tick_together(processes: list[Host], times: int = 1) -> None:
    with ThreadPoolExecutor(PROCESSES) as pool:
        for _ in range(times):
            list(pool.map(tick, processes))


def test_each_cause_is_told_and_is_over(many: Many, told: Heard) -> None:
    change(many, 1, state="sign_in_needed")
    fail(many, 2)
    change(many, 3, model=Folder, doubt="asked")
    tick_for(many, 20)
    assert sorted(causes(told)) == [(1, "sign_in_needed", False), (2, "failed", False), (3, "doubt", False)]
    told.clear()
    heal(many)
    change(many, 3, model=Folder, doubt=None)
    tick_for(many, 5)
    assert sorted(causes(told)) == [(1, "sign_in_needed", True), (2, "failed", True), (3, "doubt", True)]


def test_of_processes_that_tick_at_the_same_moment_one_tells(many: Many, told: Heard, processes: list[Host]) -> None:
    change(many, state="sign_in_needed")
    tick_together(processes, times=2)
    assert sorted(causes(told)) == [(number, "sign_in_needed", False) for number in (1, 2, 3, 4)]


def test_what_befell_the_app_is_told_by_one_too(
    many: Many, told: Heard, processes: list[Host], registration: App
) -> None:
    change(many, next_due_at=many.clock())
    registration.expire_secret()
    tick_together(processes, times=3)
    assert causes(told) == [(None, "app_refused", False)]


def test_a_handler_that_fails_is_called_again(many: Many, told: Heard) -> None:
    attempts = []

    @many.host.ms365.on_trouble
    def mail_it(trouble: Trouble) -> None:
        attempts.append(trouble.mailbox_id)
        if len(attempts) < 3:
            raise ValueError

    change(many, 1, state="sign_in_needed")
    tick_for(many, 30)
    assert (causes(told), attempts) == ([(1, "sign_in_needed", False)], [1, 1, 1])
