"""Fault 41: an organisation that is throttled for an hour must not make another one wait."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from flask_ms365 import simulator
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.identity.tokens import seal_pair
from flask_ms365.models import Connection, Mailbox, Tenant, write_transaction
from flask_ms365.signals import run_finished
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock, Host
from tests.sync.many import Many

OTHER = "00000000-0000-4000-8000-00000000000b"
THEIRS = "/v1.0/users/"  # Ana's mail is at /me


@pytest.fixture
def many(connected: Host, simulator: simulator.Simulator, clock: Clock) -> Many:
    """Return twenty mailboxes of one organisation with new mail, and Ana's, which is another organisation's."""
    many = Many(host=connected, simulator=simulator, clock=clock)
    many.tick()
    with connected.app.app_context():
        join_other(connected, clock)
    for box in many.add(20, first=2):
        box.deliver(subject="New", text="x")
    return many


def join_other(host: Host, clock: Clock) -> None:
    """Let Ana's account be one of the other organisation; a stored token is bound to its account."""
    state = host.app.extensions["ms365.state"]
    token = state.runner.clients.tokens.access_token(1, state.registration)
    (user_id, oid) = state.session.execute(select(Connection.user_id, Connection.oid)).one()
    pair = TokenPair(access_token=token, refresh_token="unused", expires_in=7200, scopes=(), id_token=None)
    sealed = seal_pair(state.keyring, pair, grant=(user_id, OTHER, oid), now=clock())
    with write_transaction(state.session):
        state.session.execute(update(Connection).values(tid=OTHER, **sealed))


def make_due(many: Many) -> None:
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).values(next_due_at=many.clock()))


def tick(many: Many) -> list[RunReport]:
    """Return the runs in the order in which they ended."""
    ended: list[RunReport] = []

    def keep(_: object, report: RunReport) -> None:
        ended.append(report)

    with run_finished.connected_to(keep):
        many.tick()
    return ended


def test_another_organisation_is_on_time_all_the_hour(many: Many, mailbox: simulator.Mailbox, clock: Clock) -> None:
    many.simulator.fail_next(THEIRS, 429, headers={"Retry-After": "3600"}, times=None)
    tick(many)
    asked = many.simulator.count("GET", THEIRS)
    for minutes in range(5, 60, 10):
        mailbox.deliver(subject=f"{minutes}", text="x")
        make_due(many)
        (report,) = tick(many)
        assert (report.address, report.result, report.pages > 0) == (mailbox.address, Result.DONE, True)
        clock.advance(minutes=9)
    assert many.simulator.count("GET", THEIRS) == asked


def test_all_processes_know_that_it_is_held(many: Many) -> None:
    many.simulator.fail_next(THEIRS, 429, headers={"Retry-After": "3600"}, times=None)
    tick(many)
    with many.host.app.app_context():
        held = many.session.execute(select(Tenant.id, Tenant.held_until).where(Tenant.held_until.is_not(None))).all()
    assert [row.id for row in held] == [many.simulator.tenant_id]
    assert 3600 <= (held[0].held_until - many.clock()).total_seconds() + 30 <= 3600 * 1.1 + 30
