"""A year goes by, on every clock: what is connected stays connected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import select, update

from flask_ms365 import signals
from flask_ms365.models import Connection, Mailbox
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of
from tests.visitor import Visitor

DAYS = range(0, 366, 3)


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    """Return a Microsoft 365 whose clock is ours."""
    with Simulator(clock=clock) as simulator:
        yield simulator


@pytest.fixture
def two(connected: Host, simulator: Simulator) -> Host:
    """Return a host with Ana's mailbox, and with Kim's, which is paused."""
    kim = simulator.add_user("kim@contoso.example", name="Kim", password="kim")
    connected.user_id = "kim"
    assert Visitor(connected.app).connect(kim).status_code == 200
    connected.user_id = "ana"
    with connected.app.app_context():
        session_of(connected).execute(update(Mailbox).where(Mailbox.owner_id == "kim").values(state="paused"))
        session_of(connected).commit()
    return connected


def renewals(host: Host) -> dict[str, tuple[datetime, bool]]:
    """Return when each user's pair was renewed last, and whether it is dead."""
    with host.app.app_context():
        rows = session_of(host).scalars(select(Connection)).all()
        return {row.user_id: (row.renewed_at, row.is_dead) for row in rows}


@pytest.mark.slow
def test_a_year_of_an_idle_and_of_a_busy_mailbox_with_three_new_secrets(
    two: Host, simulator: Simulator, registration: App, ana: User, clock: Clock
) -> None:
    results: set[Result] = set()
    simulator.requests.clear()
    for day in DAYS:
        clock.advance(days=DAYS.step)
        ana.mailbox.deliver(subject=f"Day {day}")
        if day in (90, 180, 270):
            with two.app.app_context():
                old = registration.client_secret
                two.ms365.settings.save({"client_secret": registration.add_secret()}, actor="ana")
        if day in (99, 189, 279):
            registration.remove_secret(old)
        with two.app.app_context():
            results |= {run.result for run in two.ms365.tick().runs}
    assert results == {Result.DONE}
    refused = [each.path for each in simulator.requests if each.path.endswith("/token") and each.status != 200]
    assert refused == []
    assert [is_dead for _, is_dead in renewals(two).values()] == [False, False]
    assert len(ana.mailbox.messages()) == len(DAYS)


def test_an_idle_connection_is_renewed_weekly_and_no_oftener(two: Host, simulator: Simulator, clock: Clock) -> None:
    simulator.requests.clear()
    for _ in range(28):
        clock.advance(days=1)
        with two.app.app_context():
            two.app.extensions["ms365.state"].runner.beat()
    assert simulator.count("POST", "/oauth2/v2.0/token") == 2 * 4


def test_also_while_the_sync_is_off(two: Host, simulator: Simulator, clock: Clock) -> None:
    with two.app.app_context():
        two.ms365.settings.save({"email_sync": "0"}, actor="ana")
        before = renewals(two)["kim"][0]
        clock.advance(days=8)
        assert two.ms365.tick().is_on is False
    assert renewals(two)["kim"][0] > before


def test_a_sign_in_that_ended_meanwhile_is_told_on_a_paused_mailbox_too(
    two: Host, simulator: Simulator, clock: Clock
) -> None:
    told: list[int] = []

    def hear(sender: object, mailbox_id: int, code: str) -> None:
        told.append(mailbox_id)

    simulator.revoke(next(user for user in simulator.users.values() if user.name == "Kim"))
    clock.advance(days=8)
    with two.app.app_context(), signals.reconnect_needed.connected_to(hear):
        two.app.extensions["ms365.state"].runner.beat()
        kim = session_of(two).scalars(select(Mailbox).where(Mailbox.owner_id == "kim")).one()
        assert (kim.state, told) == ("sign_in_needed", [kim.id])


def test_without_it_a_paused_mailbox_would_be_lost(two: Host, simulator: Simulator, clock: Clock) -> None:
    """What the weekly renewal is for: the simulator ends a refresh token that nobody used for 90 days."""
    clock.advance(days=91)
    with two.app.app_context():
        two.app.extensions["ms365.state"].runner.beat()
    assert renewals(two)["kim"][1] is True


def test_one_that_cannot_be_renewed_stands_in_nobodys_way(two: Host, simulator: Simulator, clock: Clock) -> None:
    """A damaged token is told, and is not this chore's to mend."""
    with two.app.app_context():
        session_of(two).execute(update(Connection).where(Connection.user_id == "ana").values(refresh_token="ms1.x.y"))
        session_of(two).commit()
        before = renewals(two)["kim"][0]
    for _ in range(4):
        clock.advance(days=4)
        with two.app.app_context():
            two.app.extensions["ms365.state"].runner.beat()
    assert renewals(two)["kim"][0] > before


def test_a_service_that_is_away_is_asked_again_later_and_costs_nothing(
    two: Host, simulator: Simulator, clock: Clock
) -> None:
    clock.advance(days=8)
    simulator.drop_connection(r"/oauth2/v2\.0/token$", times=None)
    simulator.requests.clear()
    with two.app.app_context():
        beat = two.app.extensions["ms365.state"].runner.beat
        for _ in range(5):
            beat()
        assert simulator.count("POST", "/oauth2/v2.0/token") == 1
        simulator.stop_failing()
        clock.advance(hours=2)
        beat()
    assert [is_dead for _, is_dead in renewals(two).values()] == [False, False]
