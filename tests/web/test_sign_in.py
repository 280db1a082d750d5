"""*Sign in with Microsoft* for the host: from the button on its page to the handler, and every way it may fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, abort, render_template_string, session
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365 import MS365, Identity, MS365Error
from flask_ms365.models import AuditEvent, Connection, OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Clock, Host, HostFactory, configure
from tests.visitor import Visitor, controls, path_of, sign_in_at_microsoft

SIGN_IN = "/ms365/sign-in"
LOGIN = "/login"
PAGE = """
<!doctype html>
{% from "ms365/sign_in_button.html" import ms365_sign_in_button %}
{{ ms365_sign_in_button(next=request.args.get("next", "")) }}
"""
BUTTON = 'ms365-sign-in-button" type="submit"'
OTHER_TENANT = "8f0e1d2c-3b4a-4958-8776-655443322110"


@dataclass
class Door:
    """A host where people sign in with Microsoft: whom it was told of, and what it does with them."""

    host: Host
    told: list[Identity] = field(default_factory=list)
    answer: Callable[[Identity], ResponseReturnValue | None] = lambda _: None

    def take_in(self, identity: Identity) -> ResponseReturnValue | None:
        self.told.append(identity)
        session["oid"] = identity.oid
        return self.answer(identity)

    def save(self, **changes: str) -> None:
        with self.host.app.app_context():
            self.host.ms365.settings.save(changes)

    def begin(self, visitor: Visitor, *, next_: str | None = None) -> TestResponse:
        """Press the button on the host's page."""
        return visitor.submit(LOGIN, {} if next_ is None else {"next": next_}, to=SIGN_IN)

    def arrive(self, user: User, *, next_: str | None = None) -> TestResponse:
        """Sign in from the button to what the host, or our page, says in the end."""
        visitor = self.host.visitor()
        url = self.begin(visitor, next_=next_).headers["Location"]
        return visitor.get(path_of(sign_in_at_microsoft(url, user)))

    def refusal(self, user: User) -> str:
        """Sign in, and return the page that says why not."""
        visitor = self.host.visitor()
        url = self.begin(visitor).headers["Location"]
        return self.page_after(visitor, path_of(sign_in_at_microsoft(url, user)))

    @staticmethod
    def page_after(visitor: Visitor, path: str) -> str:
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, SIGN_IN), answer.text
        page = visitor.get(answer.headers["Location"])
        assert page.status_code == 200
        return page.text

    def all(self, model: Any) -> list[Any]:
        with self.host.app.app_context():
            return list(self.host.app.extensions["sqlalchemy"].session.scalars(select(model)))


def door_of(host: Host) -> Door:
    door = Door(host)
    host.ms365.sign_in(door.take_in)
    host.user_id = None
    host.permissions.clear()
    host.app.add_url_rule(LOGIN, "login", lambda: render_template_string(PAGE))
    host.app.add_url_rule("/who", "who", lambda: session.get("oid", "nobody"))
    return door


@pytest.fixture
def door(configured: Host) -> Door:
    """Return a host that lets the people of its own tenant in."""
    door = door_of(configured)
    door.save(sign_in="1")
    return door


# the way in


def test_the_handler_is_told_who_it_is(door: Door, ana: User, simulator: Simulator) -> None:
    door.arrive(ana)
    assert door.told == [Identity(tid=simulator.tenant_id, oid=ana.oid, name="Ana Ruiz", upn="ana@contoso.example")]


def test_who_has_signed_in_goes_on_to_where_they_wanted_to_go(door: Door, ana: User) -> None:
    answer = door.arrive(ana, next_="/desk?tab=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/desk?tab=2")


def test_without_a_wish_it_is_the_hosts_first_page(door: Door, ana: User) -> None:
    assert door.arrive(ana).headers["Location"] == "/"


def test_the_host_may_answer_itself(door: Door, ana: User) -> None:
    door.answer = lambda identity: (f"Hello {identity.name}", 201)
    answer = door.arrive(ana, next_="/desk")
    assert (answer.status_code, answer.text) == (201, "Hello Ana Ruiz")


def test_the_hosts_own_login_holds_from_then_on(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    visitor.get(path_of(sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana)))
    assert visitor.get("/who").text == ana.oid


def test_a_handler_may_be_registered_before_the_app_is_there(ana: User) -> None:
    ms365 = MS365()

    @ms365.sign_in
    def take_in(identity: Identity) -> None: ...

    app = Flask(__name__)
    app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external", SQLALCHEMY_DATABASE_URI="sqlite://")
    ms365.init_app(app)
    assert app.extensions["ms365.state"].host_sign_in.handler is take_in


def test_microsoft_is_asked_who_it_is_and_for_nothing_else(door: Door) -> None:
    asked = parse_qs(urlsplit(door.begin(door.host.visitor()).headers["Location"]).query)
    assert (asked["scope"], asked["prompt"]) == (["openid profile"], ["select_account"])


def test_no_token_is_kept(door: Door, ana: User) -> None:
    door.arrive(ana)
    (flow,) = door.all(OAuthFlow)
    assert (door.all(Connection), flow.code_verifier, flow.problem) == ([], None, {})


def test_someone_who_is_signed_in_to_the_host_may_sign_in_as_well(door: Door, ana: User) -> None:
    door.host.user_id = "ana"
    door.arrive(ana)
    assert len(door.told) == 1


def test_the_address_with_the_code_is_told_to_nobody(door: Door, ana: User) -> None:
    headers = door.arrive(ana).headers
    assert (headers["Referrer-Policy"], headers["Cache-Control"]) == ("no-referrer", "no-store")


def test_the_binding_cookie_ends_with_the_sign_in(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    url = door.begin(visitor).headers["Location"]
    before = visitor.get_cookie("ms365-flow")
    visitor.get(path_of(sign_in_at_microsoft(url, ana)))
    assert (before is not None, visitor.get_cookie("ms365-flow")) == (True, None)


# off


def is_off(door: Door) -> bool:
    """Tell whether there is no button, and nothing behind it."""
    visitor = door.host.visitor()
    return BUTTON not in visitor.get(LOGIN).text and [
        visitor.get(SIGN_IN).status_code,
        door.begin(visitor).status_code,
    ] == [
        404,
        404,
    ]


def test_it_is_off_until_an_admin_switches_it_on(configured: Host) -> None:
    door = door_of(configured)
    assert is_off(door)
    door.save(sign_in="1")
    assert not is_off(door)


def test_without_a_handler_it_is_off_and_the_settings_page_says_why(configured: Host) -> None:
    page = configured.visitor().submit("/ms365/settings", {"sign_in-value": "y"})
    assert configured.visitor().post(SIGN_IN).status_code == 404
    assert "has no code that takes people in" in configured.visitor().get(page.headers["Location"]).text


def test_with_a_handler_the_settings_page_has_nothing_to_say(door: Door) -> None:
    door.host.permissions.add("manage_settings")
    assert "has no code" not in door.host.visitor().get("/ms365/settings").text


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_where_anybody_could_sign_in_it_is_off_until_tenants_are_named(door: Door, tenant: str) -> None:
    door.save(tenant_id=tenant)
    assert is_off(door)
    door.save(sign_in_tenants=OTHER_TENANT)
    assert not is_off(door)


def test_it_is_off_where_the_app_registration_is_missing(host: Host) -> None:
    door = door_of(host)
    door.save(sign_in="1", tenant_id="contoso.com")
    assert is_off(door)


def test_without_authorize_it_is_closed_like_every_page(make_host: HostFactory) -> None:
    host = make_host(options={"authorize": None})
    assert host.visitor().get(SIGN_IN).status_code == 403


def test_while_the_address_is_a_guess_nobody_is_sent_to_microsoft(
    make_host: HostFactory, registration: App, simulator: Simulator
) -> None:
    host = make_host(MS365_PUBLIC_BASE_URL=None)
    configure(host, simulator, registration)
    door = door_of(host)
    door.save(sign_in="1")
    answer = door.begin(host.visitor())
    assert (answer.status_code, "is not possible yet" in answer.text) == (200, True)


# who may


def test_a_tenant_that_is_not_named_is_refused(door: Door, ana: User) -> None:
    """fault 14"""
    door.save(tenant_id="organizations", sign_in_tenants=OTHER_TENANT)
    assert "Accounts of this organisation may not sign in" in door.refusal(ana)
    assert door.told == []


def test_a_named_tenant_is_let_in(door: Door, ana: User, simulator: Simulator) -> None:
    door.save(tenant_id="organizations", sign_in_tenants=f"{OTHER_TENANT} {simulator.tenant_id}")
    door.arrive(ana)
    assert len(door.told) == 1


def test_a_tenant_that_is_named_by_its_domain_is_held_to(door: Door, ana: User, simulator: Simulator) -> None:
    door.save(tenant_id=simulator.tenant_domain)
    door.arrive(ana)
    assert len(door.told) == 1


@pytest.mark.parametrize("domains", ["contoso.example", "CONTOSO.example", "fabrikam.example, contoso.example"])
def test_a_named_domain_is_let_in(door: Door, ana: User, domains: str) -> None:
    door.save(sign_in_domains=domains)
    door.arrive(ana)
    assert len(door.told) == 1


@pytest.mark.parametrize(
    "upn",
    [
        "ana@fabrikam.example",
        "ana@sub.contoso.example",
        "ana@evilcontoso.example",
        "ana@contoso.example.evil.example",
        "ana_fabrikam.example#EXT#@contoso.example",
    ],
)
def test_a_domain_is_compared_whole_and_guests_have_none(door: Door, simulator: Simulator, upn: str) -> None:
    door.save(sign_in_domains="contoso.example")
    assert "Accounts of this domain, and guests, may not" in door.refusal(simulator.add_user(upn, password="x"))
    assert door.told == []


def test_who_was_refused_may_try_again_with_another_account(door: Door, ana: User, simulator: Simulator) -> None:
    door.save(sign_in_domains="contoso.example")
    visitor, kim = door.host.visitor(), simulator.add_user("kim@fabrikam.example", password="kim")
    url = door.begin(visitor, next_="/desk").headers["Location"]
    page = door.page_after(visitor, path_of(sign_in_at_microsoft(url, kim)))
    again = visitor.post(SIGN_IN, data=controls(page)).headers["Location"]
    answer = visitor.get(path_of(sign_in_at_microsoft(again, ana)))
    assert ([who.upn for who in door.told], answer.headers["Location"]) == (["ana@contoso.example"], "/desk")


# the audit log


def entries(door: Door) -> list[tuple[str, str | None, Any]]:
    return [(each.action, each.target, each.detail) for each in door.all(AuditEvent) if each.action != "setting.saved"]


def test_the_audit_log_names_who_signed_in(door: Door, ana: User, simulator: Simulator) -> None:
    door.arrive(ana)
    assert entries(door) == [("user.signed_in", ana.upn, {"tid": simulator.tenant_id, "oid": ana.oid})]


def test_the_audit_log_names_who_was_refused_and_why(door: Door, ana: User, simulator: Simulator) -> None:
    door.save(sign_in_domains="fabrikam.example")
    door.refusal(ana)
    detail = {"tid": simulator.tenant_id, "oid": ana.oid, "reason": "domain"}
    assert entries(door) == [("sign_in.refused", ana.upn, detail)]


def test_the_audit_page_tells_both_in_words(door: Door, ana: User) -> None:
    door.arrive(ana)
    door.save(sign_in_domains="fabrikam.example")
    door.refusal(ana)
    door.host.permissions.add("manage_settings")
    page = door.host.visitor().get("/ms365/audit?area=sign_in").text
    assert ("signed in with Microsoft" in page, "may not sign in to this app" in page) == (True, True)


def test_a_stranger_who_proves_nothing_does_not_fill_the_audit_log(door: Door) -> None:
    visitor = door.host.visitor()
    state = parse_qs(urlsplit(door.begin(visitor).headers["Location"]).query)["state"][0]
    door.page_after(visitor, f"/ms365/oauth/callback?code=1.made-up&state={state}")
    assert entries(door) == []


# what may go wrong


def test_a_refusal_of_microsofts_is_told_with_the_next_step(door: Door, ana: User) -> None:
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana, action="cancel")
    page = door.page_after(visitor, path_of(back))
    assert ("Not signed in" in page, "65004" in page, BUTTON in page) == (True, True, True)


def test_an_approval_that_is_missing_is_told(door: Door) -> None:
    visitor = door.host.visitor()
    state = parse_qs(urlsplit(door.begin(visitor).headers["Location"]).query)["state"][0]
    query = f"error=access_denied&error_description=AADSTS90094:+Admin+consent&state={state}"
    assert "An admin must approve this app" in door.page_after(visitor, f"/ms365/oauth/callback?{query}")


def test_another_browser_cannot_finish_it(door: Door, ana: User) -> None:
    """Nobody is signed in as somebody else by a link that they were sent."""
    back = sign_in_at_microsoft(door.begin(door.host.visitor()).headers["Location"], ana)
    assert "in another browser" in door.page_after(door.host.visitor(), path_of(back))
    assert door.told == []


def test_the_same_answer_twice_signs_in_once(door: Door, ana: User) -> None:
    """fault 4"""
    visitor = door.host.visitor()
    back = path_of(sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana))
    visitor.get(back)
    assert "was finished already" in door.page_after(visitor, f"{back}&ms365_again=1")
    assert len(door.told) == 1


def test_ten_minutes_are_enough(door: Door, ana: User, clock: Clock) -> None:
    """fault 6"""
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana)
    clock.advance(minutes=11)
    assert "longer than 10 minutes" in door.page_after(visitor, path_of(back))


@pytest.mark.parametrize("changes", [{"sign_in": "0"}, {"tenant_id": "common"}])
def test_switched_off_in_between_it_ends(door: Door, ana: User, changes: dict[str, str]) -> None:
    visitor = door.host.visitor()
    back = sign_in_at_microsoft(door.begin(visitor).headers["Location"], ana)
    door.save(**changes)
    page = door.page_after(visitor, path_of(back))
    assert ("was switched off" in page, BUTTON in page, door.told) == (True, False, [])


def test_a_page_that_was_open_too_long_gives_a_fresh_button(door: Door) -> None:
    visitor = door.host.visitor()
    page = visitor.post(SIGN_IN, data={"csrf_token": "expired", "next": "/desk"})
    assert "open too long" in page.text
    assert visitor.post(SIGN_IN, data=controls(page.text)).headers["Location"].startswith("http")
    assert [flow.next_path for flow in door.all(OAuthFlow)] == ["/desk"]


def test_the_page_of_a_failure_shows_nothing_else(door: Door) -> None:
    page = door.host.visitor().get(f"{SIGN_IN}?outcome=state").text
    assert ("was finished already" in page, "ms365-nav" in page) == (True, False)


# the host's own errors


def broken(_: Identity) -> None:
    raise LookupError("there is no such person")


def test_an_error_of_the_handler_is_the_hosts(door: Door, ana: User, caplog: pytest.LogCaptureFixture) -> None:
    door.answer, door.host.app.config["PROPAGATE_EXCEPTIONS"] = broken, False
    answer = door.arrive(ana)
    assert (answer.status_code, "there is no such person" in caplog.text) == (500, True)


def test_the_host_sees_its_own_error(door: Door, ana: User) -> None:
    seen: list[Exception] = []

    @door.host.app.errorhandler(LookupError)
    def sorry(error: LookupError) -> ResponseReturnValue:
        seen.append(error)
        return "Sorry", 500

    door.answer = broken
    assert (door.arrive(ana).text, len(seen)) == ("Sorry", 1)


def test_a_host_may_refuse(door: Door, ana: User) -> None:
    door.answer = lambda _: abort(403)
    assert door.arrive(ana).status_code == 403


def test_an_error_of_ours_inside_the_handler_is_the_hosts_too(door: Door, ana: User) -> None:
    def ours(_: Identity) -> None:
        raise MS365Error

    door.answer = ours
    with pytest.raises(MS365Error):
        door.arrive(ana)
