"""Where Microsoft refuses the app itself, one request finds out for all mailboxes, and all of them rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from flask_ms365 import signals
from flask_ms365.models import Circuit, Connection, Mailbox, SyncRun
from flask_ms365.simulator import App, Simulator
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of

TOKEN = "/oauth2/v2.0/token"
MAILBOXES = 40


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
    with many.app.app_context():
        assert session_of(many).scalar(select(func.count()).select_from(Circuit)) == 0


def test_another_secret_begins_with_a_closed_circuit(many: Host, simulator: Simulator, registration: App) -> None:
    registration.expire_secret()
    tick(many)
    with many.app.app_context():
        many.ms365.settings.save({"client_secret": registration.add_secret()}, actor="ana")
        assert many.ms365.sync_mailbox(2).result is Result.DONE


def test_tokens_that_are_still_good_go_on_serving(connected: Host, registration: App, simulator: Simulator) -> None:
    registration.expire_secret()
    with connected.app.app_context():
        state = connected.app.extensions["ms365.state"]
        state.connect.clients.tokens._circuits._open(circuit_id(state), refusal())
        assert connected.ms365.sync_mailbox(1).result is Result.DONE


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


def circuit_id(state: Any) -> str:
    from flask_ms365.identity.circuit import _id

    return _id(state.registration())


def refusal() -> Any:
    from flask_ms365.errors import AppRefused

    return AppRefused(error="invalid_client")
