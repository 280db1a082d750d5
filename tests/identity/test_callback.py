"""The way back from Microsoft: every check by its name, and always a page in plain words."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

import pytest
from sqlalchemy import select

from flask_ms365.models import Mailbox
from flask_ms365.signals import mailbox_connected
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Clock, Host, HostFactory
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back, counts, session_of
from tests.visitor import path_of, sign_in_at_microsoft

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
    """fault 1"""
    page = come_back(begun.visitor, query.format(state=begun.asked["state"], long="x" * 10_000))
    assert "could not be read" in page
    assert begun.simulator.count("POST", TOKEN) == 0


@pytest.mark.parametrize("query", ["code=1.code&state=unknown", "code=%FF%FE&state=%FF", "error=%ff&state=%C0%AF"])
def test_unknown_state(begun: SignInBegun, query: str) -> None:
    """fault 1"""
    assert "is not known here" in come_back(begun.visitor, query)


def test_a_code_that_is_not_text_is_microsofts_to_refuse(begun: SignInBegun) -> None:
    """fault 1"""
    page = come_back(begun.visitor, f"code=%FF%FE&state={quote(begun.asked['state'])}")
    assert "Not connected" in page
    assert counts(begun.host) == (0, 0)


def test_expired(begun: SignInBegun, clock: Clock) -> None:
    """fault 6"""
    query = begun.sign_in()
    clock.advance(minutes=10, seconds=1)
    assert "longer than 10 minutes" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0


def test_not_expired_just_before(begun: SignInBegun, clock: Clock) -> None:
    query = begun.sign_in()
    clock.advance(minutes=9, seconds=50)
    assert CONNECTED in come_back(begun.visitor, query)


def test_a_clock_set_back_a_little_does_no_harm(begun: SignInBegun, clock: Clock) -> None:
    query = begun.sign_in()
    clock.advance(seconds=-30)
    assert CONNECTED in come_back(begun.visitor, query)


def test_a_clock_set_back_by_an_hour_is_told(begun: SignInBegun, clock: Clock) -> None:
    """fault 6"""
    query = begun.sign_in()
    clock.advance(hours=-1)
    assert "Is this server&#39;s clock right?" in come_back(begun.visitor, query)
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize("cookie", [None, "of another browser", "é", ""])
def test_binding(begun: SignInBegun, cookie: str | None) -> None:
    """fault 3"""
    other = begun.host.visitor()
    if cookie is not None:
        other.set_cookie("ms365-flow", cookie)
    assert "in another browser" in come_back(other, begun.sign_in())
    assert begun.simulator.count("POST", TOKEN) == 0


def test_another_user_cannot_finish_and_is_told_so(begun: SignInBegun) -> None:
    """fault 7"""
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
    """fault 8: the page where it began is not open any more, so that it is told at once."""
    query = begun.sign_in()
    begun.host.permissions.clear()
    answer = begun.visitor.get(f"{CALLBACK_PATH}?{query}")
    assert "no longer allowed to connect" in answer.text
    assert "begin again" in answer.text
    assert begun.simulator.count("POST", TOKEN) == 0


@pytest.mark.parametrize("key", ["client_id", "tenant_id"])
def test_settings_changed_in_between(begun: SignInBegun, key: str) -> None:
    """fault 9"""
    query = begun.sign_in()
    changed = {"client_id": "11111111-2222-4333-8444-555555555555", "tenant_id": "contoso.example"}
    _save(begun.host, {key: changed[key]})
    assert "were changed during the sign-in" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0


@pytest.mark.parametrize("key", ["MS365_AUTHORITY_URL", "MS365_GRAPH_URL"])
def test_another_cloud_in_between(begun: SignInBegun, key: str) -> None:
    """fault 9: sign-in service and Graph are of one cloud; either of them in another place ends it."""
    query = begun.sign_in()
    _save(begun.host, {"cloud": "usgov"})
    begun.host.app.config[key] = None  # from here on the cloud decides
    assert "were changed during the sign-in" in come_back(begun.visitor, query)
    assert begun.simulator.count("POST", TOKEN) == 0


def test_a_cloud_that_changes_no_address_does_not_matter(begun: SignInBegun) -> None:
    query = begun.sign_in()
    _save(begun.host, {"cloud": "usgov"})
    assert CONNECTED in come_back(begun.visitor, query)


def test_a_secret_replaced_in_between_does_not_matter(begun: SignInBegun) -> None:
    query = begun.sign_in()
    _save(begun.host, {"client_secret": begun.registration.add_secret()})
    assert CONNECTED in come_back(begun.visitor, query)


def test_settings_emptied_in_between(begun: SignInBegun) -> None:
    query = begun.sign_in()
    _save(begun.host, {"email_sync": "0", "client_secret": ""})
    assert "Client Secret is missing" in come_back(begun.visitor, query)


OTHER_TENANT = "99999999-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/{tid}/v2.0",
        "{url}.evil.example/{tid}/v2.0",
        "{url}@evil.example/{tid}/v2.0",
        "{url}",
        "{url}/{tid}",
        "{url}/{tid}/v2.0/",
        f"{{url}}/{OTHER_TENANT}/v2.0",
        "x",
    ],
)
def test_issuer(begun: SignInBegun, issuer: str) -> None:
    """fault 12"""
    page = begun.return_with(code="1.code", iss=issuer.format(url=begun.simulator.url, tid=begun.simulator.tenant_id))
    assert "from another sign-in service" in page
    assert begun.simulator.count("POST", TOKEN) == 0


def test_the_right_issuer_is_welcome(begun: SignInBegun) -> None:
    """fault 12; without any, every other test here"""
    issuer = f"{begun.simulator.url}/{begun.simulator.tenant_id}/v2.0"
    assert CONNECTED in come_back(begun.visitor, f"{begun.sign_in()}&{urlencode({'iss': issuer})}")


@pytest.mark.parametrize("tenant", ["common", "organizations", "contoso.example"])
@pytest.mark.parametrize("is_right", [True, False])
def test_where_the_settings_do_not_say_which_tenant_the_id_token_does(
    configured: Host, simulator: Simulator, ana: User, tenant: str, is_right: bool
) -> None:
    """fault 12"""
    _save(configured, {"tenant_id": tenant})
    visitor = configured.visitor()
    query = urlsplit(sign_in_at_microsoft(visitor.start_connect(), ana)).query
    issuer = f"{simulator.url}/{simulator.tenant_id if is_right else OTHER_TENANT}/v2.0"
    page = come_back(visitor, f"{query}&{urlencode({'iss': issuer})}")
    assert ("from another sign-in service" in page, CONNECTED in page) == (not is_right, is_right)


HOSTILE = "<script>alert(1)</script>\nFAKE LOG\r\n\x1b[31m AADSTS65004: <b>call 555-0199</b>"


def test_a_refusal_is_told_in_our_words(begun: SignInBegun) -> None:
    """fault 2"""
    page = begun.return_with(error="access_denied", error_description=HOSTILE)
    assert "The permissions were declined." in page
    assert "65004" in page
    for foreign in ("alert(1)", "FAKE LOG", "555-0199"):
        assert foreign not in page


def test_a_refusal_without_state_is_nobodys(begun: SignInBegun, caplog: pytest.LogCaptureFixture) -> None:
    """fault 2"""
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


@pytest.mark.parametrize("target", ["//evil.example", "https:evil.example", "\\\\evil", "/x\r\nSet-Cookie: a=b"])
def test_the_way_on_is_never_the_visitors_to_choose(begun: SignInBegun, target: str) -> None:
    """fault 20"""
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


@pytest.mark.parametrize("outcome", ["%00", "%FF", "x" * 5000, "../..", "<script>"])
def test_a_made_up_outcome_says_nothing(connected: Host, outcome: str) -> None:
    page = connected.visitor().get(f"/ms365/my-email?outcome={outcome}")
    assert page.status_code == 200
    assert "ms365-notice-bad" not in page.text


def test_without_an_authorizer_the_callback_is_closed(make_host: HostFactory, registration: App) -> None:
    host = make_host(options={"authorize": None})
    assert host.visitor().get(f"{CALLBACK_PATH}?code=x&state=y").status_code == 403


def _save(host: Host, changes: dict[str, str]) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")
