"""Where Microsoft refuses the app itself, one request finds out for all mailboxes, and all of them rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from flask_ms365 import signals
from flask_ms365.errors import AppRefused
from flask_ms365.models import Circuit, Connection, Mailbox, SyncRun
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of

TOKEN = "/oauth2/v2.0/token"
MAILBOXES = 12


@pytest.fixture
def many(connected: Host, simulator: Simulator) -> Host:
    """Return a host with many mailboxes of one connection each, all of whose tokens have to be renewed."""
    with connected.app.app_context():
        session = session_of(connected)
        table: Any = Connection.__table__
        first = session.execute(select(table)).mappings().one()
        _copy_mailboxes(session, connected, dict(first))
    simulator.expire_access_tokens()
    simulator.requests.clear()
    return connected


def _copy_mailboxes(session: Any, host: Host, first: dict[str, Any]) -> None:
    state = host.app.extensions["ms365.state"]
    mailbox: dict[str, Any] = dict(session.execute(select(Mailbox.__table__)).mappings().one())
    opened = {
        name: state.keyring.open(first[name], f"ms365_connection:ana/{first['tid']}/{first['oid']}:{name}")
        for name in ("access_token", "refresh_token")
    }
    for number in range(2, MAILBOXES + 1):
        user = f"user{number}"
        sealed = {
            name: state.keyring.seal(value, f"ms365_connection:{user}/{first['tid']}/{first['oid']}:{name}")
            for name, value in opened.items()
        }
        session.execute(insert(Connection).values(**{**first, **sealed, "id": number, "user_id": user}))
        changed = {"id": number, "connection_id": number, "owner_id": user, "address": f"{user}@contoso.example"}
        session.execute(insert(Mailbox).values(**{**mailbox, **changed}))
    session.commit()


@pytest.fixture
def held(many: Host) -> Iterator[list[Any]]:
    """Return what the signal told."""
    told: list[Any] = []

    def hear(sender: object, error: Any) -> None:
        told.append(error)

    with signals.tokens_held.connected_to(hear):
        yield told


def tick(host: Host) -> list[Result]:
    with host.app.app_context():
        return [run.result for run in host.ms365.tick().runs]


def asked(simulator: Simulator) -> int:
    return simulator.count("POST", TOKEN)


def test_a_refused_secret_is_found_out_once_and_not_once_a_mailbox(
    many: Host, held: list[Any], simulator: Simulator, registration: App
) -> None:
    """Fault 24: the circuit opens once, not a thousand times."""
    registration.expire_secret()
    assert set(tick(many)) == {Result.APP_REFUSED}
    assert (asked(simulator), len(held)) == (1, 1)
    assert held[0].code == "7000222"


def test_while_it_is_open_the_mailboxes_rest_and_nothing_is_held_against_them(
    many: Host, simulator: Simulator, registration: App
) -> None:
    registration.expire_secret()
    tick(many)
    with many.app.app_context():
        session = session_of(many)
        failed = session.scalar(select(func.count()).where(Mailbox.fail_count > 0))
        runs, circuits = (session.scalar(select(func.count()).select_from(each)) for each in (SyncRun, Circuit))
        states = set(session.scalars(select(Mailbox.state)))
    assert (failed, runs, circuits, states) == (1, 1, 1, {"connected"})
    assert tick(many) == []  # all wait until it is tried again


def test_after_a_while_one_request_tries_again(
    many: Host, held: list[Any], simulator: Simulator, registration: App, clock: Clock
) -> None:
    registration.expire_secret()
    tick(many)
    clock.advance(minutes=3)
    tick(many)
    assert (asked(simulator), len(held)) == (2, 1)


def test_once_it_works_again_all_go_on(many: Host, simulator: Simulator, registration: App, clock: Clock) -> None:
    registration.is_enabled = False
    tick(many)
    registration.is_enabled = True
    clock.advance(minutes=3)
    assert tick(many) == [Result.DONE] * MAILBOXES
    assert circuits(many) == 0


def test_another_secret_begins_with_a_closed_circuit(many: Host, simulator: Simulator, registration: App) -> None:
    registration.expire_secret()
    tick(many)
    with many.app.app_context():
        many.ms365.settings.save({"client_secret": registration.add_secret()}, actor="ana")
        # the one that found it out rests by itself
        others = select(Mailbox.id).where(Mailbox.fail_count == 0)
        assert many.ms365.sync_mailbox(session_of(many).scalars(others).first()).result is Result.DONE


def test_tokens_that_are_still_good_go_on_serving(
    many: Host, registration: App, simulator: Simulator, clock: Clock
) -> None:
    """What is renewed early is not lost while the app is refused: it serves until it ends."""
    with many.app.app_context():
        many.ms365.sync_mailbox(2)
    registration.expire_secret()
    tick(many)
    clock.advance(minutes=56)
    with many.app.app_context():
        assert many.ms365.sync_mailbox(2).result is Result.DONE


def test_a_busy_service_is_left_alone_for_as_long_as_it_says(many: Host, simulator: Simulator, clock: Clock) -> None:
    simulator.fail_next(r"/oauth2/v2\.0/token$", 429, {"error": "temporarily_unavailable"}, {"Retry-After": "600"})
    assert set(tick(many)) == {Result.UNAVAILABLE}
    assert asked(simulator) == 1
    clock.advance(minutes=9)
    tick(many)
    assert asked(simulator) == 1
    clock.advance(minutes=2)
    assert tick(many) == [Result.DONE] * MAILBOXES


def test_trouble_without_a_time_to_wait_is_each_mailboxs_own(many: Host, simulator: Simulator) -> None:
    simulator.fail_next(r"/oauth2/v2\.0/token$", 503, {"error": "temporarily_unavailable"})
    results = tick(many)
    assert (results.count(Result.UNAVAILABLE), results.count(Result.DONE)) == (1, MAILBOXES - 1)


def test_being_slowed_down_without_a_time_holds_all_for_a_while(
    many: Host, held: list[Any], simulator: Simulator, clock: Clock
) -> None:
    """Fault 24: a 429 is about the app, and waits grow while it goes on."""
    simulator.fail_next(r"/oauth2/v2\.0/token$", 429, {"error": "temporarily_unavailable"}, times=None)
    for minutes in (0, 1, 2, 4):
        clock.advance(minutes=minutes)
        tick(many)
    assert (asked(simulator), len(held)) == (4, 1)


def test_a_grant_that_is_dead_shows_that_the_app_is_heard_again(
    many: Host, simulator: Simulator, registration: App, ana: User, clock: Clock
) -> None:
    registration.is_enabled = False
    tick(many)
    registration.is_enabled = True
    simulator.revoke(ana)
    clock.advance(minutes=3)
    assert set(tick(many)) == {Result.SIGN_IN_NEEDED}
    assert circuits(many) == 0


def test_many_who_are_refused_at_once_count_as_one(many: Host, held: list[Any]) -> None:
    with many.app.app_context():
        state = many.app.extensions["ms365.state"]

        def refused_after_another() -> str:
            with pytest.raises(AppRefused):
                state.circuits.ask(state.registration(), refused)
            return refused()

        with pytest.raises(AppRefused):
            state.circuits.ask(state.registration(), refused_after_another)
        assert session_of(many).scalar(select(Circuit.fail_count)) == 1
    assert len(held) == 1


def test_a_tenant_that_threw_the_app_out_stops_no_other(many: Host, simulator: Simulator, clock: Clock) -> None:
    """In an app for several tenants, what one of them refuses is not the others' business."""
    with many.app.app_context():
        state = many.app.extensions["ms365.state"]
        elsewhere = replace(state.registration(), tenant="22222222-3333-4444-8555-666666666666")
        with pytest.raises(AppRefused):
            state.circuits.ask(elsewhere, refused)
        assert many.ms365.sync_mailbox(2).result is Result.DONE


def test_what_was_refused_long_ago_is_forgotten(many: Host, registration: App, clock: Clock) -> None:
    registration.expire_secret()
    tick(many)
    with many.app.app_context():
        many.ms365.settings.save({"client_secret": registration.add_secret(expired=True)}, actor="ana")
    clock.advance(days=8)
    tick(many)
    assert circuits(many) == 1


def test_corrected_settings_are_noticed_at_the_next_interval(
    many: Host, simulator: Simulator, registration: App, clock: Clock
) -> None:
    """However long it went on, and for those too that found it out."""
    registration.expire_secret()
    for _ in range(30):
        clock.advance(minutes=6)
        tick(many)
    with many.app.app_context():
        many.ms365.settings.save({"client_secret": registration.add_secret()}, actor="ana")
    clock.advance(minutes=6)
    assert tick(many) == [Result.DONE] * MAILBOXES


def refused() -> str:
    raise AppRefused(error="unauthorized_client")


def circuits(host: Host) -> int:
    with host.app.app_context():
        return int(session_of(host).scalar(select(func.count()).select_from(Circuit)))
