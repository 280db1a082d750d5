"""The bad days that a test can ask for: scripted refusals, strange answers, a clock that is off."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import urllib3

from flask_ms365.simulator import App, Simulator
from flask_ms365.simulator.aadsts import AADSTS

from .conftest import Clock

# what an app or its users may meet, as far as we know
# fmt: off
NUMBERS = [
    28002, 28003, 50005, 50011, 50013, 50020, 50033, 50034, 50048, 50053, 50055, 50057, 50058, 50072, 50074,
    50076, 50078, 50079, 50089, 50097, 50105, 50126, 50131, 50144, 50147, 50148, 50149, 50158, 50173, 50194,
    50196, 51004, 53000, 53001, 53002, 53003, 53004, 54005, 65001, 65004, 70000, 70001, 70003, 70008, 70011,
    70021, 70043, 90002, 90005, 90006, 90008, 90012, 90014, 90024, 90027, 90033, 90038, 90055, 90072, 90093,
    90094, 90095, 90112, 90124, 90130, 500011, 500112, 500113, 500133, 501481, 501491, 530032, 530035, 650052,
    650056, 650057, 650059, 700005, 700016, 700022, 700023, 700024, 700025, 700027, 700030, 700054, 700082,
    700084, 900023, 900144, 900382, 900432, 900561, 900971, 7000112, 7000215, 7000216, 7000218, 7000222,
    9001023, 9002313, 9002325, 9002326, 9002327, 9002332, 9002346,
]
# fmt: on
http = urllib3.PoolManager(retries=False, timeout=30)


@pytest.fixture
def app(simulator: Simulator) -> App:
    return simulator.register_app(["http://localhost:5000/callback"], name="Shop")


def token(simulator: Simulator, app: App) -> urllib3.BaseHTTPResponse:
    fields = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"{simulator.url}/{simulator.tenant_id}/oauth2/v2.0/token"
    return http.request("POST", url, fields=fields, encode_multipart=False, redirect=False)


def discovery(simulator: Simulator) -> urllib3.BaseHTTPResponse:
    url = f"{simulator.url}/{simulator.tenant_id}/v2.0/.well-known/openid-configuration"
    return http.request("GET", url, redirect=False)


def test_every_number_has_its_answer() -> None:
    assert sorted(AADSTS) == NUMBERS


@pytest.mark.parametrize("number", NUMBERS)
def test_any_number_can_be_scripted_for_an_app(simulator: Simulator, app: App, number: int) -> None:
    app.error = number
    answer = token(simulator, app)
    body = answer.json()
    assert (answer.status, body["error"], body["error_codes"]) == (
        AADSTS[number].status,
        AADSTS[number].error,
        [number],
    )
    assert re.match(rf"AADSTS{number}: \S.*\r\nTrace ID: \S+\r\nCorrelation ID: \S+\r\n", body["error_description"])


@pytest.mark.parametrize("number", NUMBERS)
def test_any_number_can_be_scripted_for_a_sign_in(simulator: Simulator, app: App, number: int) -> None:
    simulator.sign_in_error(number)
    fields = {
        "client_id": app.client_id,
        "redirect_uri": app.redirect_uris[0],
        "response_type": "code",
        "scope": "openid",
        "prompt": "none",
    }
    url = f"{simulator.url}/{simulator.tenant_id}/oauth2/v2.0/authorize"
    answer = http.request("GET", url, fields=fields, redirect=False)
    told = answer.data.decode() if AADSTS[number].on_page else answer.headers["Location"]
    assert f"AADSTS{number}" in told


def test_an_app_is_named_in_its_error(simulator: Simulator, app: App) -> None:
    app.error = 65001
    assert f"'{app.client_id}' named 'Shop'" in token(simulator, app).json()["error_description"]


def test_token_requests_are_refused_as_often_as_said(simulator: Simulator, app: App) -> None:
    simulator.refuse_token(90033, retry_after="5", times=2)
    answers = [token(simulator, app) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "5"


def test_a_loop_of_requests_may_be_detected(simulator: Simulator, app: App) -> None:
    simulator.refuse_token(50196)
    assert token(simulator, app).json()["error_codes"] == [50196]


def test_somebody_else_may_answer_with_a_page(simulator: Simulator) -> None:
    simulator.intercept(simulator.DISCOVERY)
    answer = discovery(simulator)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert discovery(simulator).json()["issuer"]


@pytest.mark.parametrize("status", [302, 307])
def test_a_request_may_be_sent_somewhere_else(simulator: Simulator, app: App, status: int) -> None:
    simulator.redirect_next(simulator.TOKEN, "https://elsewhere.example/token", status)
    answer = token(simulator, app)
    assert (answer.status, answer.headers["Location"]) == (status, "https://elsewhere.example/token")


def test_the_sign_in_service_may_be_away_while_graph_is_there(simulator: Simulator, app: App) -> None:
    simulator.drop_connection(simulator.SIGN_IN, times=None)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        discovery(simulator)
    assert http.request("GET", f"{simulator.url}/v1.0/me").status == 401
    simulator.stop_failing()
    assert discovery(simulator).status == 200


def test_answers_are_dated_by_the_clock(simulator: Simulator, clock: Clock) -> None:
    assert parsedate_to_datetime(discovery(simulator).headers["Date"]) == clock()


def test_the_dates_of_the_answers_may_be_off(simulator: Simulator, clock: Clock) -> None:
    simulator.date_skew = timedelta(minutes=-12)
    assert parsedate_to_datetime(discovery(simulator).headers["Date"]) == clock() - timedelta(minutes=12)


def test_a_reset_mends_everything(simulator: Simulator) -> None:
    simulator.date_skew, simulator.cloud = timedelta(hours=1), "usgov_dod"
    simulator.add_tenant("fabrikam.example")
    simulator.reset()
    assert (simulator.date_skew, simulator.cloud) == (timedelta(), "global")
    assert simulator.neighbours == set()
