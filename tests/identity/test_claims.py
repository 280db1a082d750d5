"""Claims challenges (continuous access evaluation): a new token at once, or a sign-in that carries the claims."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from flask_ms365.graph.challenge import claims_in
from flask_ms365.identity.claims import checked_claims, with_claims
from flask_ms365.models import Connection
from flask_ms365.simulator import Simulator, User
from flask_ms365.sync.report import Result
from tests.conftest import CALLBACK, Clock, Host
from tests.identity.conftest import SignInBegun, session_of

WANTED = '{"access_token":{"nbf":{"essential":true,"value":"1726258122"}}}'
PACKED = base64.b64encode(WANTED.encode()).decode()
CAPABLE = {"values": ["cp1"]}


def connection_of(host: Host) -> Connection:
    with host.app.app_context():
        found: Connection = session_of(host).scalars(select(Connection)).one()
        return found


def test_we_say_that_we_can_answer_challenges(begun: SignInBegun) -> None:
    assert json.loads(begun.asked["claims"])["access_token"]["xms_cc"] == CAPABLE


def test_a_challenge_in_the_middle_of_a_sync_is_answered_with_a_new_token(
    connected: Host, simulator: Simulator, ana: User, clock: Clock
) -> None:
    simulator.challenge(ana)
    clock.advance(seconds=1)
    with connected.app.app_context():
        assert connected.ms365.sync_mailbox(1).result is Result.DONE
    assert connection_of(connected).version == 2


def test_a_challenge_that_only_a_person_can_answer_ends_the_connection_and_is_kept(
    connected: Host, simulator: Simulator, ana: User
) -> None:
    simulator.challenge(ana)
    refusal = {"error": "interaction_required", "error_description": "AADSTS50076: ...", "claims": WANTED}
    simulator.fail_next(r"/oauth2/v2\.0/token$", 400, refusal)
    with connected.app.app_context():
        assert connected.ms365.sync_mailbox(1).result is Result.SIGN_IN_NEEDED
    assert connection_of(connected).claims == WANTED


@pytest.mark.parametrize(
    "header",
    [
        f'Bearer realm="", error="insufficient_claims", claims="{PACKED}"',
        f'Bearer claims="{PACKED}", error="insufficient_claims"',
        f'PoP realm="", authorization_uri="x", Bearer realm="", error="insufficient_claims", claims="{PACKED}"',
        f'Bearer error = "insufficient_claims" , claims = "{PACKED.rstrip("=")}"',
    ],
)
def test_a_challenge_is_read_however_it_is_written(header: str) -> None:
    assert claims_in({"WWW-Authenticate": header}) == WANTED


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        f'Bearer error="invalid_token", claims="{PACKED}"',
        'Bearer error="insufficient_claims"',
        'Bearer error="insufficient_claims", claims="\xff"',
        'Bearer error="insufficient_claims", claims="/w=="',
        f'Bearer error="insufficient_claims", claims="{"A" * 100_000}',
    ],
)
def test_what_is_no_challenge_asks_for_nothing(header: str) -> None:
    assert claims_in({"WWW-Authenticate": header}) == ""


@pytest.mark.parametrize("text", [None, 5, "", "{}", "[]", "nonsense", '"text"', '{"a": "' + "x" * 5000 + '"}'])
def test_claims_that_are_none_are_not_sent_on(text: object) -> None:
    assert checked_claims(text) == ""


def test_wanted_claims_stand_beside_what_we_can_do() -> None:
    merged = json.loads(with_claims('{"access_token":{"acrs":{"value":"c1"}},"id_token":{"x":null}}'))
    assert merged == {"access_token": {"acrs": {"value": "c1"}, "xms_cc": CAPABLE}, "id_token": {"x": None}}


def test_a_reconnect_carries_the_claims(connected: Host) -> None:
    with connected.app.app_context():
        session_of(connected).scalars(select(Connection)).one().claims = WANTED
        session_of(connected).commit()
        state = connected.app.extensions["ms365.state"]
        begun = state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
    claims = json.loads(parse_qs(urlsplit(begun.url).query)["claims"][0])
    assert claims["access_token"]["nbf"]["value"] == "1726258122"
