"""A sign-in is finished once: answers that come twice, are kept and played back, or never come."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from flask_ms365.models import OAuthFlow
from flask_ms365.simulator import User
from tests.conftest import Clock, Host
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back, counts, session_of
from tests.sync.conftest import Synced
from tests.visitor import sign_in_at_microsoft

TOKEN = "/oauth2/v2.0/token"


def test_the_same_answer_again_leads_to_what_came_of_the_first(begun: SignInBegun) -> None:
    """fault 4"""
    query = begun.sign_in()
    come_back(begun.visitor, query)
    assert CONNECTED in come_back(begun.visitor, query)
    assert (begun.simulator.count("POST", TOKEN), counts(begun.host)) == (1, (1, 1))


def test_a_replay_from_a_cookie_jar_that_was_restored_changes_nothing(begun: SignInBegun) -> None:
    """fault 5"""
    query, cookie = begun.sign_in(), begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    come_back(begun.visitor, query)
    begun.visitor.set_cookie("ms365-flow", cookie.value)
    come_back(begun.visitor, query)
    assert (begun.simulator.count("POST", TOKEN), counts(begun.host)) == (1, (1, 1))


def test_a_replay_does_not_end_a_newer_sign_in(begun: SignInBegun) -> None:
    """fault 5"""
    query = begun.sign_in()
    come_back(begun.visitor, query)
    newer = begun.visitor.start_connect()
    come_back(begun.visitor, query)
    assert CONNECTED in come_back(begun.visitor, urlsplit(sign_in_at_microsoft(newer, begun.user)).query)


def test_a_replay_by_another_user_tells_nothing(begun: SignInBegun) -> None:
    """fault 5"""
    query = begun.sign_in()
    come_back(begun.visitor, query)
    begun.host.user_id = "bob"
    assert "was finished already" in come_back(begun.visitor, query)


def test_two_callbacks_at_the_same_instant_are_one_sign_in(begun: SignInBegun, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 4"""
    query, cookie = begun.sign_in(), begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    _let_threads_meet_at_the_clock(monkeypatch, 4)

    def arrive(_: int) -> str:
        visitor = begun.host.visitor()
        visitor.set_cookie("ms365-flow", cookie.value)
        return str(visitor.get(f"{CALLBACK_PATH}?{query}").headers["Location"])

    with ThreadPoolExecutor(4) as pool:
        ways = list(pool.map(arrive, range(4)))
    (way,) = set(ways)
    assert begun.simulator.count("POST", TOKEN) == 1
    assert CONNECTED in begun.visitor.get(way).text


def test_at_the_same_instant_on_each_database(synced: Synced, ana: User) -> None:
    """fault 4"""
    visitor = synced.host.visitor()
    query = urlsplit(sign_in_at_microsoft(visitor.start_connect(), ana)).query
    cookie, before = visitor.get_cookie("ms365-flow"), synced.simulator.count("POST", TOKEN)
    assert cookie is not None

    def arrive(_: int) -> str:
        other = synced.host.visitor()
        other.set_cookie("ms365-flow", cookie.value)
        return str(other.get(f"{CALLBACK_PATH}?{query}").headers["Location"])

    with ThreadPoolExecutor(4) as pool:
        (way,) = set(pool.map(arrive, range(4)))
    assert synced.simulator.count("POST", TOKEN) == before + 1
    assert CONNECTED in visitor.get(way).text


def test_who_comes_second_while_the_first_is_still_asking_is_told_to_look_again(
    begun: SignInBegun, clock: Clock
) -> None:
    """fault 4"""
    query = begun.sign_in()
    with begun.host.app.app_context():
        session = session_of(begun.host)
        session.scalars(select(OAuthFlow)).one().consumed_at = clock()
        session.commit()
    assert "The sign-in is being finished" in come_back(begun.visitor, query)


def test_thirty_abandoned_starts_and_then_a_good_one(configured: Host, ana: User) -> None:
    """fault 10"""
    visitor = configured.visitor()
    for _ in range(30):
        visitor.start_connect()
    assert CONNECTED in visitor.connect(ana).text
    cookies = visitor.get("/ms365/my-email").request.headers.get("Cookie", "")
    assert len(cookies) < 4093


@pytest.mark.parametrize(("minutes", "left"), [(11, 31), (71, 1)])
def test_abandoned_starts_are_swept_an_hour_after_their_end(
    configured: Host, clock: Clock, minutes: int, left: int
) -> None:
    """fault 10"""
    visitor = configured.visitor()
    for _ in range(30):
        visitor.start_connect()
    clock.advance(minutes=minutes)
    visitor.start_connect()
    assert len(_flows(configured)) == left


@pytest.mark.parametrize(("days", "left"), [(0.9, 2), (1.1, 1)])
def test_what_came_of_a_sign_in_is_known_for_a_day(
    configured: Host, ana: User, clock: Clock, days: float, left: int
) -> None:
    visitor = configured.visitor()
    visitor.connect(ana)
    clock.advance(days=days)
    visitor.start_connect()
    assert len(_flows(configured)) == left


def test_a_refusal_uses_the_sign_in_up(begun: SignInBegun) -> None:
    query = begun.sign_in()
    begun.return_with(error="access_denied")
    come_back(begun.visitor, query)
    assert (begun.simulator.count("POST", TOKEN), counts(begun.host)) == (0, (0, 0))


def test_neither_code_nor_error_uses_the_sign_in_up(begun: SignInBegun) -> None:
    query = begun.sign_in()
    assert "could not be read" in begun.return_with()
    assert "could not be read" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0


def _let_threads_meet_at_the_clock(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Let each new thread wait for the others when it first asks for the time: all have read the sign-in by then."""
    together, met, now = threading.Barrier(threads), threading.local(), Clock.__call__
    met.others = None  # this thread waits for nobody

    def look(clock: Clock) -> datetime:
        if not hasattr(met, "others"):
            met.others = together.wait(10)
        return now(clock)

    monkeypatch.setattr(Clock, "__call__", look)


def _flows(host: Host) -> Sequence[OAuthFlow]:
    with host.app.app_context():
        found: Sequence[OAuthFlow] = session_of(host).scalars(select(OAuthFlow)).all()
        return found
