"""Many processes, one token: each expiry is one refresh, and whoever is killed or frozen does no harm."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from flask_ms365.errors import SignInNeeded
from flask_ms365.models import Connection, Mailbox, write_transaction
from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of
from tests.identity.token_worker import HOLD, Place, Worker, access_token, worker, workers
from tests.sync.conftest import Synced

pytestmark = pytest.mark.slow

PLACES = ("before the statement", "before the commit")
LEASE = timedelta(seconds=91)


@pytest.fixture
def host(synced: Synced) -> Host:
    """Return a host with Ana's mailbox connected, on each database."""
    synced.simulator.requests.clear()
    return synced.host


def let_it_expire(host: Host) -> None:
    """Write that the stored access token has expired."""
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(Connection).values(expires_at=Connection.created_at))


def state_of_the_mailbox(host: Host) -> str:
    """Sync once and return the mailbox's state after it."""
    with host.app.app_context():
        host.ms365.sync_mailbox(session_of(host).scalars(select(Mailbox.id)).one())
    with host.app.app_context():  # a new one reads what was written meanwhile
        return str(session_of(host).scalars(select(Mailbox.state)).one())


def refreshes(simulator: Simulator) -> int:
    return simulator.count("POST", "/oauth2/v2.0/token")


# fault 21
@pytest.mark.parametrize(("processes", "rounds"), [(4, 100), (8, 25)])
def test_processes_that_find_one_token_expired_refresh_it_once(
    host: Host, simulator: Simulator, processes: int, rounds: int
) -> None:
    simulator.strict_refresh_rotation = True  # where a second use would end the sign-in
    asked, answers = [], []
    with workers(processes, Place.of(host)) as started:
        for _ in range(rounds):
            let_it_expire(host)
            before = refreshes(simulator)
            for each in started:
                each.ask()
            answers.append({each.answer() for each in started})
            asked.append(refreshes(simulator) - before)
    assert asked == [1] * rounds
    assert answers == [{token} for token in list(simulator.grants.access_tokens)[-rounds:]]


def killed_with_an_answer_in_hand(host: Host, place: str) -> None:
    """Let a process refresh, and kill it when it is about to store what Microsoft answered."""
    let_it_expire(host)
    with worker(Place.of(host), hold_at=place) as victim:
        victim.ask()
        assert victim.answer() == HOLD


# fault 22
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_between_answer_and_commit_loses_nothing_with_microsoft(
    host: Host, simulator: Simulator, clock: Clock, place: str
) -> None:
    killed_with_an_answer_in_hand(host, place)
    clock.advance(seconds=LEASE.total_seconds())
    assert access_token(host.app) == list(simulator.grants.access_tokens)[-1]
    assert refreshes(simulator) == 2
    assert state_of_the_mailbox(host) == "connected"


# fault 22
@pytest.mark.parametrize("place", PLACES)
def test_a_kill_between_answer_and_commit_ends_cleanly_with_a_strict_server(
    host: Host, simulator: Simulator, clock: Clock, place: str
) -> None:
    simulator.strict_refresh_rotation = True
    killed_with_an_answer_in_hand(host, place)
    clock.advance(seconds=LEASE.total_seconds())
    for _ in range(2):
        with pytest.raises(SignInNeeded):
            access_token(host.app)
    assert refreshes(simulator) == 2  # that the sign-in has ended is asked once
    assert state_of_the_mailbox(host) == "sign_in_needed"


def test_who_was_frozen_past_its_lease_overwrites_nothing(
    host: Host, simulator: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_it_expire(host)
    with worker(Place.of(host)) as frozen:
        stopped = _stop_while_microsoft_answers(simulator, monkeypatch, frozen)
        frozen.ask()
        assert stopped.wait(10)
        clock.advance(seconds=LEASE.total_seconds())
        newer = access_token(host.app)
        os.kill(frozen.pid, signal.SIGCONT)
        late = frozen.answer()
    assert refreshes(simulator) == 2
    assert late != newer
    assert late in simulator.grants.access_tokens  # it serves who got it
    assert access_token(host.app) == newer


def _stop_while_microsoft_answers(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, process: Worker
) -> threading.Event:
    """Freeze a process in the middle of its request: Microsoft looks at its clock for every answer."""
    now, stopped = simulator.clock, threading.Event()

    def look() -> datetime:
        if not stopped.is_set():
            os.kill(process.pid, signal.SIGSTOP)
            stopped.set()
        return now()

    monkeypatch.setattr(simulator, "clock", look)
    return stopped
