"""The way back from Microsoft: every check by its name, and always a page in plain words."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.models import Mailbox, OAuthFlow
from flask_ms365.signals import mailbox_connected
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Clock, Host, HostFactory
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back, counts, session_of
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft

TOKEN = "/oauth2/v2.0/token"


def test_a_good_answer_connects_the_mailbox(begun: SignInBegun) -> None:
    assert CONNECTED in come_back(begun.visitor, begun.sign_in())
    with begun.host.app.app_context():
        mailbox = session_of(begun.host).scalars(select(Mailbox)).one()
    assert (mailbox.address, mailbox.kind, mailbox.owner_id, mailbox.state) == (
        "ana@contoso.example",
        "user",
        "ana",
        "connected",
    )


def test_who_connected_what_is_told_after_it_is_stored(begun: SignInBegun) -> None:
    told: list[int] = []

    def remember(_: object, mailbox_id: int) -> None:
        assert counts(begun.host) == (1, 1)
        told.append(mailbox_id)

    with mailbox_connected.connected_to(remember, sender=begun.host.app):
        come_back(begun.visitor, begun.sign_in())
    assert told == [1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=1.code",
        "state=",
        "code=1&code=2&state={state}",
        "code=1.code&state={state}&state={state}",
        "code=1.code&state={state}&iss=a&iss=b",
        "error=a&error=b&state={state}",
        "code=%00&state={state}",
        "code=1.code&state=%00",
        "code={long}&state={state}",
        "code=1.code&state={long}",
        "error={long}&state={state}",
        "code=&state={state}",
    ],
)
def test_malformed(begun: SignInBegun, query: str) -> None:
    page = come_back(begun.visitor, query.format(state=begun.asked["state"], long="x" * 10_000))
    assert "could not be read" in page
    assert begun.simulator.count("POST", TOKEN) == 0


@pytest.mark.parametrize("query", ["code=1.code&state=unknown", "code=%FF%FE&state=%FF", "error=%ff&state=%C0%AF"])
def test_unknown_state(begun: SignInBegun, query: str) -> None:
    assert "is not known here" in come_back(begun.visitor, query)


def test_neither_code_nor_error_uses_the_sign_in_up(begun: SignInBegun) -> None:
    query = begun.sign_in()
    assert "could not be read" in begun.return_with()
    assert "is not known here" in come_back(begun.visitor, query)


def test_a_code_that_is_not_text_is_microsofts_to_refuse(begun: SignInBegun) -> None:
    page = come_back(begun.visitor, f"code=%FF%FE&state={quote(begun.asked['state'])}")
    assert "Not connected" in page
    assert counts(begun.host) == (0, 0)


def test_consumed(begun: SignInBegun) -> None:
    query = begun.sign_in()
    come_back(begun.visitor, query)
    assert "was finished already" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 1


def test_consumed_also_for_a_cookie_jar_that_was_restored(begun: SignInBegun) -> None:
    query, cookie = begun.sign_in(), begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    come_back(begun.visitor, query)
    begun.visitor.set_cookie("ms365-flow", cookie.value)
    assert "was finished already" in come_back(begun.visitor, query)


def test_expired(begun: SignInBegun, clock: Clock) -> None:
    query = begun.sign_in()
    clock.advance(minutes=10, seconds=1)
    assert "longer than 10 minutes" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0


def test_not_expired_just_before(begun: SignInBegun, clock: Clock) -> None:
    query = begun.sign_in()
    clock.advance(minutes=9, seconds=50)
    assert CONNECTED in come_back(begun.visitor, query)


def test_a_clock_set_back_does_no_harm(begun: SignInBegun, clock: Clock) -> None:
    query = begun.sign_in()
    clock.advance(seconds=-30)
    assert CONNECTED in come_back(begun.visitor, query)


@pytest.mark.parametrize("cookie", [None, "of another browser", "é", ""])
def test_binding(begun: SignInBegun, cookie: str | None) -> None:
    other = begun.host.visitor()
    if cookie is not None:
        other.set_cookie("ms365-flow", cookie)
    assert "in another browser" in come_back(other, begun.sign_in())
    assert begun.simulator.count("POST", TOKEN) == 0


def test_another_user_cannot_finish_and_is_told_so(begun: SignInBegun) -> None:
    query = begun.sign_in()
    begun.host.user_id = "bob"
    assert "begun by another user" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0
    assert counts(begun.host) == (0, 0)


def test_the_outcome_of_one_user_is_not_shown_to_another(begun: SignInBegun) -> None:
    answer = begun.visitor.get(f"{CALLBACK_PATH}?{begun.sign_in()}")
    begun.host.user_id = "bob"
    page = begun.visitor.get(answer.headers["Location"]).text
    assert "Your mail is being read" not in page
    assert "ana@contoso.example" not in page


def test_permission_taken_away(begun: SignInBegun) -> None:
    query = begun.sign_in()
    begun.host.permissions.clear()
    answer = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    assert answer.status_code == 303
    assert "not allowed" in begun.visitor.get(answer.headers["Location"]).text
    begun.host.permissions.add("own_mailbox")
    assert "no longer allowed to connect" in begun.visitor.get(answer.headers["Location"]).text
    assert begun.simulator.count("POST", TOKEN) == 0


@pytest.mark.parametrize("key", ["client_id", "tenant_id", "cloud"])
def test_settings_changed_in_between(begun: SignInBegun, key: str) -> None:
    query = begun.sign_in()
    # with endpoints fixed in app.config the cloud changes nothing, so the sign-in goes on
    changed = {"client_id": "11111111-2222-4333-8444-555555555555", "tenant_id": "contoso.example", "cloud": "usgov"}
    _save(begun.host, {key: changed[key]})
    page = come_back(begun.visitor, query)
    assert ("were changed during the sign-in" in page) is (key != "cloud")
    assert counts(begun.host) == ((1, 1) if key == "cloud" else (0, 0))


def test_a_secret_replaced_in_between_does_not_matter(begun: SignInBegun) -> None:
    query = begun.sign_in()
    _save(begun.host, {"client_secret": begun.registration.add_secret()})
    assert CONNECTED in come_back(begun.visitor, query)


def test_settings_emptied_in_between(begun: SignInBegun) -> None:
    query = begun.sign_in()
    _save(begun.host, {"email_sync": "0", "client_secret": ""})
    assert "Client Secret is missing" in come_back(begun.visitor, query)


@pytest.mark.parametrize("issuer", ["https://evil.example/x/v2.0", "{url}.evil.example/x", "{url}", "x"])
def test_issuer(begun: SignInBegun, issuer: str) -> None:
    page = begun.return_with(code="1.code", iss=issuer.format(url=begun.simulator.url))
    assert "from another sign-in service" in page
    assert begun.simulator.count("POST", TOKEN) == 0


def test_the_right_issuer_is_welcome(begun: SignInBegun) -> None:
    issuer = f"{begun.simulator.url}/{begun.simulator.tenant_id}/v2.0"
    assert CONNECTED in come_back(begun.visitor, f"{begun.sign_in()}&{urlencode({'iss': issuer})}")


HOSTILE = "<script>alert(1)</script>\nFAKE LOG\r\n\x1b[31m AADSTS65004: <b>call 555-0199</b>"


def test_a_refusal_is_told_in_our_words(begun: SignInBegun) -> None:
    page = begun.return_with(error="access_denied", error_description=HOSTILE)
    assert "The permissions were declined." in page
    assert "65004" in page
    for foreign in ("alert(1)", "FAKE LOG", "555-0199"):
        assert foreign not in page


def test_a_refusal_uses_the_sign_in_up(begun: SignInBegun) -> None:
    query = begun.sign_in()
    begun.return_with(error="access_denied")
    assert "was finished already" in come_back(begun.visitor, query)


def test_a_refusal_without_state_is_nobodys(begun: SignInBegun, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    page = come_back(begun.visitor, urlencode({"error": "access_denied", "error_description": HOSTILE}))
    assert "could not be read" in page
    assert "FAKE LOG" not in caplog.text
    assert CONNECTED in come_back(begun.visitor, begun.sign_in())


@pytest.mark.parametrize("error", ["<script>", "unheard_of", "../../x", "server_error", "consent_required"])
def test_any_error_gets_words_and_a_next_step(begun: SignInBegun, error: str) -> None:
    page = begun.return_with(error=error, error_description="")
    assert "Not connected" in page
    assert "<script>" not in page.replace('<script type="module"', "")


def test_declining_at_microsoft_stores_nothing(begun: SignInBegun) -> None:
    back = sign_in_at_microsoft(begun.url, begun.user, action="cancel")
    answer = begun.visitor.get(path_of(back))
    assert "The permissions were declined." in begun.visitor.get(answer.headers["Location"]).text
    assert counts(begun.host) == (0, 0)


def test_two_callbacks_at_the_same_instant_are_one_sign_in(begun: SignInBegun, monkeypatch: pytest.MonkeyPatch) -> None:
    query, cookie = begun.sign_in(), begun.visitor.get_cookie("ms365-flow")
    assert cookie is not None
    _let_threads_meet_at_the_clock(monkeypatch, 4)

    def arrive(_: int) -> str:
        visitor = begun.host.visitor()
        visitor.set_cookie("ms365-flow", cookie.value)
        return str(visitor.get(f"{CALLBACK_PATH}?{query}").headers["Location"])

    with ThreadPoolExecutor(4) as pool:
        ways = list(pool.map(arrive, range(4)))
    (good,) = (way for way in ways if not way.endswith("outcome=state"))
    assert begun.simulator.count("POST", TOKEN) == 1
    assert CONNECTED in begun.visitor.get(good).text


def test_thirty_abandoned_starts_and_then_a_good_one(configured: Host, ana: User) -> None:
    visitor = configured.visitor()
    for _ in range(30):
        visitor.start_connect()
    assert CONNECTED in visitor.connect(ana).text
    cookies = visitor.get("/ms365/my-email").request.headers.get("Cookie", "")
    assert len(cookies) < 4093


def test_abandoned_starts_are_swept_after_a_day(configured: Host, clock: Clock) -> None:
    visitor = configured.visitor()
    visitor.start_connect()
    visitor.start_connect()
    clock.advance(days=1, minutes=11)
    visitor.start_connect()
    with configured.app.app_context():
        assert len(session_of(configured).scalars(select(OAuthFlow)).all()) == 1


def test_without_a_session_on_arrival_a_page_of_ours_leads_on(begun: SignInBegun) -> None:
    """SESSION_COOKIE_SAMESITE=Strict: the host's cookie does not come along from another site."""
    query = begun.sign_in()
    begun.host.user_id = None
    arrival = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    begun.host.user_id = "ana"
    assert arrival.status_code == 200
    assert CONNECTED in come_back(begun.visitor, _continue_query(arrival))


def test_somebody_who_is_signed_out_is_led_on_once_only(begun: SignInBegun) -> None:
    begun.host.user_id = None
    arrival = begun.visitor.get(f"{CALLBACK_PATH}?{begun.sign_in()}")
    again = begun.visitor.get(f"{CALLBACK_PATH}?{_continue_query(arrival)}")
    assert again.status_code == 303
    assert again.headers["Location"].endswith("outcome=user")


def test_the_page_that_leads_on_repeats_nothing_hostile(begun: SignInBegun) -> None:
    begun.host.user_id = None
    hostile = urlencode({"state": "x", "code": '"><script>alert(1)</script>', "next": "//evil.example"})
    page = begun.visitor.get(f"{CALLBACK_PATH}?{hostile}").text
    assert "<script>alert" not in page
    assert "url=/ms365/oauth/callback?" in page


@pytest.mark.parametrize("target", ["//evil.example", "https:evil.example", "\\\\evil", "/x\r\nSet-Cookie: a=b"])
def test_the_way_on_is_never_the_visitors_to_choose(begun: SignInBegun, target: str) -> None:
    query = f"{begun.sign_in()}&{urlencode({'next': target, 'outcome': target})}"
    answer = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    assert answer.headers["Location"].startswith("/ms365/my-email?outcome=")
    assert "Set-Cookie: a=b" not in str(answer.headers)


def test_no_trace_of_code_and_state_is_left_to_the_next_page(begun: SignInBegun) -> None:
    query = begun.sign_in()
    answer = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert begun.asked["state"] not in answer.headers["Location"] + answer.text
    assert begun.visitor.get_cookie("ms365-flow") is None


def test_behind_a_proxy_that_hides_https_the_cookie_is_found_again(
    make_host: HostFactory, simulator: Simulator, ana: User
) -> None:
    app = simulator.register_app(redirect_uris=["https://app.example.com/ms365/oauth/callback"])
    host = make_host(
        MS365_CLIENT_ID=app.client_id,
        MS365_CLIENT_SECRET=app.client_secret,
        MS365_TENANT_ID=simulator.tenant_id,
    )
    host.app.config["MS365_PUBLIC_BASE_URL"] = "https://app.example.com"
    assert CONNECTED in _connect_behind_proxy(host.visitor(), ana)


@pytest.mark.parametrize("outcome", ["%00", "%FF", "x" * 5000, "../..", "<script>"])
def test_a_made_up_outcome_says_nothing(connected: Host, outcome: str) -> None:
    page = connected.visitor().get(f"/ms365/my-email?outcome={outcome}")
    assert page.status_code == 200
    assert "ms365-notice-bad" not in page.text


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_an_answer_by_another_method_is_no_answer(begun: SignInBegun, method: str) -> None:
    assert getattr(begun.visitor, method)(f"{CALLBACK_PATH}?{begun.sign_in()}").status_code == 405
    assert begun.simulator.count("POST", TOKEN) == 0


def test_without_an_authorizer_the_callback_is_closed(make_host: HostFactory, registration: App) -> None:
    host = make_host(options={"authorize": None})
    assert host.visitor().get(f"{CALLBACK_PATH}?code=x&state=y").status_code == 403


def _connect_behind_proxy(visitor: Visitor, user: User) -> str:
    """Connect as a browser would: it sends a Secure cookie over its https, which the app sees as http."""
    token = controls(visitor.get("/ms365/my-email").text)["csrf_token"]
    started = visitor.post("/ms365/my-email/connect", data={"csrf_token": token})
    name, _, rest = started.headers["Set-Cookie"].partition("=")
    visitor.set_cookie(name, rest.partition(";")[0])
    answer = visitor.get(path_of(sign_in_at_microsoft(started.headers["Location"], user)))
    return visitor.get(answer.headers["Location"]).text


def _continue_query(arrival: TestResponse) -> str:
    link = arrival.text.partition('href="/ms365/oauth/callback?')[2].partition('"')[0]
    return link.replace("&amp;", "&")


def _save(host: Host, changes: dict[str, str]) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def _let_threads_meet_at_the_clock(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Let each new thread wait for the others when it first asks for the time: all have read the sign-in by then."""
    together, met, now = threading.Barrier(threads), threading.local(), Clock.__call__
    met.others = None  # this thread waits for nobody

    def look(clock: Clock) -> datetime:
        if not hasattr(met, "others"):
            met.others = together.wait(10)
        return now(clock)

    monkeypatch.setattr(Clock, "__call__", look)
