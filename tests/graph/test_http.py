"""One request to Graph: pinned to its host, tried again only where that helps, and honest about what went wrong."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from flask_ms365.errors import GraphError, Throttled, Unauthorized, Unavailable
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.graph.http import GraphHttp, new_pool
from flask_ms365.simulator import Simulator, User
from flask_ms365.waiting import retry_after

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def http(simulator: Simulator, waits: list[float]) -> GraphHttp:
    """Return requests to the simulator with a token that it does not know: its own answers come before that."""
    return GraphHttp(
        origin=simulator.url, token=lambda rejected, claims: "token", pool=new_pool(simulator.url), sleep=waits.append
    )


@pytest.mark.parametrize(
    "foreign",
    [
        "https://evil.example/v1.0/me",
        "http://127.0.0.1:1/v1.0/me",
        "http://user@{host}/v1.0/me",
        "http://[::1]/v1.0/me",
        "https://{host}/v1.0/me",
        "//{host}/v1.0/me",
        "{host}",
        "",
    ],
)
def test_no_token_is_sent_to_another_host(simulator: Simulator, foreign: str) -> None:
    """Fault 48."""

    def token(rejected: str | None, claims: str) -> str:
        raise AssertionError("the token was asked for")

    http = GraphHttp(origin=simulator.url, token=token, pool=new_pool(simulator.url))
    with pytest.raises(GraphError, match="another host"):
        http.request("GET", foreign.replace("{host}", simulator.url.partition("//")[2]))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_trouble_is_tried_again(
    http: GraphHttp, simulator: Simulator, waits: list[float], status: int
) -> None:
    simulator.fail_next("/v1.0/me", status, times=2)
    simulator.fail_next("/v1.0/me", 200, body={"id": "x"})

    assert b"x" in http.request("GET", f"{simulator.url}/v1.0/me").body
    assert len(waits) == 2


def test_a_long_wait_is_left_to_the_caller(http: GraphHttp, simulator: Simulator, waits: list[float]) -> None:
    simulator.fail_next("/v1.0/me", 429, headers={"Retry-After": "120"}, times=None)

    with pytest.raises(Throttled) as caught:
        http.request("GET", f"{simulator.url}/v1.0/me")
    assert (caught.value.retry_after, waits) == (120.0, [])


def test_a_cut_connection_is_unavailable(http: GraphHttp, simulator: Simulator) -> None:
    simulator.drop_connection("/v1.0/me", times=None)

    with pytest.raises(Unavailable, match="could not be reached"):
        http.request("GET", f"{simulator.url}/v1.0/me")


def test_a_refused_token_is_replaced_once(simulator: Simulator, ana: User) -> None:
    asked: list[str | None] = []

    def token(rejected: str | None, claims: str) -> str:
        asked.append(rejected)
        return f"token {len(asked)}"

    http = GraphHttp(origin=simulator.url, token=token, pool=new_pool(simulator.url))
    with pytest.raises(Unauthorized):
        http.request("GET", f"{simulator.url}/v1.0/me")
    assert asked == [None, "token 1"]


def test_a_redirect_is_not_followed(http: GraphHttp, simulator: Simulator) -> None:
    simulator.fail_next("/v1.0/me", 302, headers={"Location": "http://127.0.0.1:1/"})

    with pytest.raises(GraphError) as caught:
        http.request("GET", f"{simulator.url}/v1.0/me")
    assert caught.value.status == 302


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("12", 12.0),
        ("0.249", 0.249),
        ("-5", 0.0),
        ("999999", 21600.0),
        ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("abc", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_every_form_that_was_seen(value: str | None, seconds: float | None) -> None:
    """Fault 49."""
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"Outer","innerError":{"code":"Inner"}}}', "Inner"),
        (b'{"error":{"code":"Outer","innererror":{"request-id":"x"}}}', "Outer"),
        (b'{"error":{"code":"<script>"}}', ""),
        (b"<html>502</html>", ""),
        (b"", ""),
        (b'{"error":[]}', ""),
    ],
)
def test_the_most_specific_code_names_a_refusal_and_nothing_hostile(body: bytes, code: str) -> None:
    assert graph_error(400, {}, body).code == code


def test_an_error_says_neither_url_nor_body() -> None:
    error = graph_error(403, {"request-id": "r-1"}, b'{"error":{"code":"ErrorAccessDenied","message":"ana@x"}}')

    assert str(error) == "Microsoft Graph refused a request. (HTTP 403 ErrorAccessDenied)"
    assert error.request_id == "r-1"
