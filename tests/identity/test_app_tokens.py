"""Tokens of the app itself: one request serves all mailboxes of a process, and the next comes before the last ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from flask_ms365.errors import AppRefused
from flask_ms365.identity.credentials import ClientSecret
from flask_ms365.simulator import App, Simulator
from tests.conftest import Clock, Host

Ask = Callable[..., str]


@pytest.fixture
def ask(configured: Host, simulator: Simulator) -> Ask:
    """Return what asks for a token as a worker does, with changes to the registration; nobody has asked yet."""

    def ask(*given: str, **changes: Any) -> str:
        with configured.app.app_context():
            state = configured.app.extensions["ms365.state"]
            registration = replace(state.registration(), **changes)
            token: str = state.connect.clients.app_tokens.token(registration, *given)
            return token

    simulator.requests.clear()
    return ask


def asked(simulator: Simulator) -> int:
    return simulator.count("POST", "/oauth2/v2.0/token")


def test_it_is_the_apps_own_and_nobodys(ask: Ask, simulator: Simulator, registration: App) -> None:
    token = simulator.grants.access_tokens[ask()]
    assert (token.app, token.user) == (registration, None)


def test_one_request_serves_until_shortly_before_its_end(ask: Ask, simulator: Simulator, clock: Clock) -> None:
    first = ask()
    clock.advance(minutes=50)
    assert (ask(), asked(simulator)) == (first, 1)
    clock.advance(minutes=6)
    assert ask() != first
    assert asked(simulator) == 2


def test_threads_that_ask_together_make_one_request(ask: Ask, simulator: Simulator) -> None:
    together = threading.Barrier(6)

    def together_with_others(_: int) -> str:
        together.wait()
        return ask()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(together_with_others, range(6)))) == 1
    assert asked(simulator) == 1


def test_one_that_graph_refused_is_replaced(ask: Ask, simulator: Simulator) -> None:
    first = ask()
    second = ask(first, '{"access_token":{"nbf":{"essential":true,"value":"1"}}}')
    assert second != first
    assert ask(first) == second  # who held the refused one too gets the new one, and nobody asks again
    assert asked(simulator) == 2


def test_other_settings_have_a_token_of_their_own(ask: Ask, registration: App, simulator: Simulator) -> None:
    first = ask()
    assert ask(credential=ClientSecret(registration.add_secret())) != first
    assert asked(simulator) == 2


def test_a_refusal_is_held_for_all(ask: Ask, registration: App, simulator: Simulator) -> None:
    registration.expire_secret()
    for _ in range(5):
        with pytest.raises(AppRefused):
            ask()
    assert asked(simulator) == 1


def test_a_short_lived_one_is_used_all_the_same(ask: Ask, simulator: Simulator) -> None:
    simulator.access_token_seconds = 60
    assert ask() == ask()


def test_no_token_shows_in_what_is_kept(ask: Ask, configured: Host) -> None:
    token = ask()
    app_tokens = configured.app.extensions["ms365.state"].connect.clients.app_tokens
    assert token not in repr(vars(app_tokens))
