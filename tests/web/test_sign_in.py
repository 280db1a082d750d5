"""*Sign in with Microsoft* for the host: from the button on its page to the handler, and who may."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from flask_ms365 import MS365, Identity
from flask_ms365.models import AuditEvent, Connection, OAuthFlow
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Host, HostFactory, configure
from tests.visitor import controls, path_of, sign_in_at_microsoft
from tests.web.door import BUTTON, LOGIN, SIGN_IN, Door, door_of

OTHER_TENANT = "8f0e1d2c-3b4a-4958-8776-655443322110"

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
