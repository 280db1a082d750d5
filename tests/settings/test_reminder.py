"""A host hears that its client secret expires: once for each threshold, whatever number of processes tick."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from flask_ms365 import signals
from flask_ms365.crypto import generate_key
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.settings import UseDefault
from tests.certificates import certificate
from tests.conftest import Clock, Host, HostFactory
from tests.provider import Provider
from tests.settings.test_service import CREDENTIALS


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Return the days left of each signal that was sent."""
    days: list[int] = []

    def hear(app: Flask, *, days_left: int, expires_on: date) -> None:
        days.append(days_left)

    with signals.secret_expiring.connected_to(hear):
        yield days


def expires_in(host: Host, clock: Clock, days: int, **more: str | UseDefault) -> None:
    on = (clock().date() + timedelta(days=days)).isoformat()
    with host.app.app_context():
        host.ms365.settings.save({**CREDENTIALS, "client_secret_expires_on": on, **more}, actor="ana")


def tick(host: Host) -> None:
    with host.app.app_context():
        host.ms365.tick()


def test_each_threshold_is_told_once(host: Host, clock: Clock, heard: list[int]) -> None:
    expires_in(host, clock, 32)
    for _ in range(36):
        tick(host)
        tick(host)
        clock.advance(days=1)
    assert heard == [30, 14, 7, 1, 0]


def test_thresholds_that_were_passed_long_ago_are_not_made_up_for(host: Host, clock: Clock, heard: list[int]) -> None:
    expires_in(host, clock, 5)
    tick(host)
    assert heard == [5]


def test_of_two_processes_one_tells(make_host: HostFactory, clock: Clock, heard: list[int]) -> None:
    processes = [make_host(), make_host()]
    expires_in(processes[0], clock, 10)
    for process in processes * 2:
        tick(process)
    assert heard == [10]


def test_a_new_date_is_told_anew(host: Host, clock: Clock, heard: list[int]) -> None:
    for days in (10, 9):
        expires_in(host, clock, days)
        tick(host)
    assert heard == [10, 9]


def test_a_timer_that_only_syncs_tells_too(host: Host, clock: Clock, heard: list[int]) -> None:
    expires_in(host, clock, 10)
    host.app.test_cli_runner().invoke(args=["ms365", "sync"])
    assert heard == [10]


def test_without_a_secret_nothing_expires(host: Host, clock: Clock, heard: list[int]) -> None:
    expires_in(host, clock, 10, client_secret="")
    tick(host)
    assert heard == []


@pytest.mark.parametrize("days", [100, 10])
def test_a_tick_with_nothing_to_tell_costs_one_statement(host: Host, clock: Clock, heard: list[int], days: int) -> None:
    expires_in(host, clock, days)
    tick(host)
    statements: list[str] = []
    with host.app.app_context():
        snapshot = host.ms365.settings.read()
        event.listen(
            host.app.extensions["sqlalchemy"].engine,
            "before_cursor_execute",
            lambda connection, cursor, sql, *rest: statements.append(sql),
        )
        host.app.extensions["ms365.state"].runner.chores[0](snapshot)
    assert statements == []


def certified(host: Host, **changes: str) -> None:
    """Let a certificate of a year be in use, and a secret beside it that ends tomorrow."""
    with host.app.app_context():
        day = (host.app.extensions["ms365.state"].clock().date() + timedelta(days=1)).isoformat()
        given = {"credential": "certificate", "client_certificate": certificate(), "client_secret_expires_on": day}
        host.ms365.settings.save({**CREDENTIALS, **given, **changes}, actor="ana")


def test_the_end_of_a_certificate_is_told_without_a_day_that_somebody_typed(
    host: Host, clock: Clock, heard: list[int]
) -> None:
    certified(host)
    tick(host)
    assert heard == []
    clock.advance(days=352)
    tick(host)
    assert heard == [read_certificate(certificate()).expires_on.toordinal() - clock().date().toordinal()]


def test_what_is_not_in_use_may_end(host: Host, clock: Clock, heard: list[int]) -> None:
    certified(host, credential="secret")
    clock.advance(days=400)
    tick(host)
    assert len(heard) == 1  # of the secret


def test_a_certificate_whose_encryption_key_is_gone_stops_no_tick(make_host: HostFactory, clock: Clock) -> None:
    certified(make_host())
    tick(make_host(MS365_ENCRYPTION_KEYS=generate_key()))


@pytest.mark.parametrize(("minutes", "told"), [(59, []), (61, [0])])
def test_a_federated_token_is_told_of_once_nobody_renews_it(
    make_host: HostFactory, tmp_path: Path, heard: list[int], minutes: int, told: list[int]
) -> None:
    noon = datetime.combine(date.today(), time(12), timezone.utc)
    (tmp_path / "token").write_text(Provider(is_first=True).token(noon))
    host = make_host(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "token"))
    with host.app.app_context():
        host.ms365.settings.save({**CREDENTIALS, "credential": "federated"}, actor="ana")
        reminder = host.app.extensions["ms365.state"].runner.chores[0].__self__
        reminder.clock = lambda: noon + timedelta(minutes=minutes)
        for _ in range(2):
            reminder.remind(host.ms365.settings.read())
    assert heard == told
