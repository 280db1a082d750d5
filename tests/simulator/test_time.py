"""What ends when time passes."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3

from flask_ms365.simulator import App, Simulator, User

from .conftest import Clock

REDIRECT_URI = "http://localhost:5000/callback"
http = urllib3.PoolManager(retries=False, timeout=30)


@pytest.fixture
def app(simulator: Simulator) -> App:
    return simulator.register_app([REDIRECT_URI])


@pytest.fixture
def user(simulator: Simulator) -> User:
    return simulator.add_user("ana@contoso.example", password="ana")


def post(simulator: Simulator, path: str, **fields: str) -> urllib3.BaseHTTPResponse:
    url = f"{simulator.url}/{simulator.tenant_id}/oauth2/v2.0/{path}"
    # urllib3 types every further keyword as str
    return http.request_encode_body("POST", url, fields=fields, encode_multipart=False, redirect=False)  # type: ignore[arg-type]


def code(simulator: Simulator, app: App) -> str:
    answer = post(
        simulator,
        "authorize",
        client_id=app.client_id,
        response_type="code",
        redirect_uri=REDIRECT_URI,
        scope="offline_access Mail.Read",
        username="ana@contoso.example",
        password="ana",
        action="accept",
    )
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def redeem(simulator: Simulator, app: App, value: str) -> urllib3.BaseHTTPResponse:
    return post(
        simulator,
        "token",
        grant_type="authorization_code",
        client_id=app.client_id,
        client_secret=app.client_secret,
        redirect_uri=REDIRECT_URI,
        code=value,
    )


def test_a_code_lives_ten_minutes(simulator: Simulator, app: App, user: User, clock: Clock) -> None:
    value = code(simulator, app)
    clock.forward(minutes=10)
    assert redeem(simulator, app, value).json()["error_codes"] == [70008]


def test_a_refresh_token_lives_ninety_days(simulator: Simulator, app: App, user: User, clock: Clock) -> None:
    token = redeem(simulator, app, code(simulator, app)).json()["refresh_token"]
    clock.forward(days=90)
    answer = post(
        simulator,
        "token",
        grant_type="refresh_token",
        client_id=app.client_id,
        client_secret=app.client_secret,
        refresh_token=token,
    )
    assert answer.json()["error_codes"] == [700082]


def test_the_sign_in_to_a_single_page_app_lives_a_day(simulator: Simulator, app: App, user: User, clock: Clock) -> None:
    token = redeem(simulator, app, code(simulator, app)).json()["refresh_token"]
    app.platform = "spa"
    clock.forward(hours=24)
    answer = http.request(
        "POST",
        f"{simulator.url}/{simulator.tenant_id}/oauth2/v2.0/token",
        fields={"grant_type": "refresh_token", "client_id": app.client_id, "refresh_token": token},
        encode_multipart=False,
        headers={"Origin": "http://localhost:5000"},
    )
    assert answer.json()["error_codes"] == [700084]


def test_an_access_token_lives_as_long_as_it_says(simulator: Simulator, app: App, user: User, clock: Clock) -> None:
    simulator.access_token_seconds = 60
    answer = redeem(simulator, app, code(simulator, app)).json()
    assert answer["expires_in"] == 60
    clock.forward(seconds=60)
    me = http.request(
        "GET", f"{simulator.url}/v1.0/me/messages", headers={"Authorization": f"Bearer {answer['access_token']}"}
    )
    assert me.status == 401


def test_the_quota_comes_back_after_ten_minutes(simulator: Simulator, app: App, user: User, clock: Clock) -> None:
    user.mailbox.quota = 1
    token = redeem(simulator, app, code(simulator, app)).json()["access_token"]

    def status() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return http.request("GET", f"{simulator.url}/v1.0/me/messages", headers=headers).status

    before = [status(), status()]
    clock.forward(minutes=10)
    assert [*before, status()] == [200, 429, 200]
