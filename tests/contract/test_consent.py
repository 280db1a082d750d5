"""Missing consent, permissions and licences, and a sign-in service in trouble. Over the simulator only."""

from __future__ import annotations

import pytest

from .client import SCOPE, Desk, Graph, error_of, graph_error_of, http, page_error_of, query_of, redirect_error_of


@pytest.mark.parametrize(("may_ask", "number"), [(False, 90094), (True, 90095)])
def test_who_may_not_consent_needs_an_admin_and_can_go_back(desk: Desk, may_ask: bool, number: int) -> None:
    desk.simulator.user_consent_allowed = False
    desk.simulator.admin_consent_requests = may_ask
    assert page_error_of(desk.accept()) == (True, number)
    assert b"Need admin approval" in desk.accept().data
    assert redirect_error_of(desk.accept(action="return")) == ("access_denied", number)
    assert query_of(desk.accept(action="return"))["state"] == "s-42"


def test_an_admin_consents_to_all_that_is_listed(desk: Desk) -> None:
    desk.app.withdraw_consent()
    desk.simulator.user_consent_allowed = False
    desk.consent_for_all()
    assert desk.accept().status == 302
    graph = Graph(desk.simulator.url, desk.app_only().json()["access_token"])
    assert graph.get(f"/users/{desk.user.upn}/messages").status == 200


def test_consent_gives_no_permission_that_is_not_listed(desk: Desk) -> None:
    desk.app.withdraw_consent()
    desk.app.listed_permissions = {"User.Read.All"}
    desk.consent_for_all()
    graph = Graph(desk.simulator.url, desk.app_only().json()["access_token"])
    assert graph_error_of(graph.get(f"/users/{desk.user.upn}/messages")) == (403, "ErrorAccessDenied")


def test_only_an_admin_consents_for_everybody(desk: Desk) -> None:
    desk.user.is_admin = False
    assert page_error_of(desk.consent_for_all()) == (True, 90093)


def test_the_older_admin_consent_says_otherwise_that_it_was_declined(desk: Desk) -> None:
    back = query_of(desk.consent_for_all("cancel", "adminconsent"))
    assert (back["admin_consent"], back["error"]) == ("True", "permission_denied")


def test_a_user_who_is_not_assigned_is_50105(desk: Desk) -> None:
    token = desk.redeem(desk.code()).json()["refresh_token"]
    desk.app.require_assignment()
    assert page_error_of(desk.accept()) == (True, 50105)
    assert error_of(desk.refresh(token)) == (400, "invalid_grant", 50105)
    desk.app.require_assignment(desk.user)
    assert desk.accept().status == 302


def test_without_app_roles_graph_denies_before_it_looks_for_the_user(desk: Desk) -> None:
    desk.app.withdraw_consent()
    graph = Graph(desk.simulator.url, desk.app_only().json()["access_token"])
    assert graph_error_of(graph.get("/users/nobody@nowhere.example/messages")) == (403, "ErrorAccessDenied")
    assert graph_error_of(graph.get(f"/users/{desk.user.upn}")) == (403, "Authorization_RequestDenied")


def test_a_mailbox_without_licence_is_404(desk: Desk) -> None:
    graph = desk.graph()
    desk.user.has_mailbox = False
    assert graph_error_of(graph.get("/me/mailFolders/inbox")) == (404, "MailboxNotEnabledForRESTAPI")
    assert graph.get("/me").status == 200


@pytest.mark.parametrize(
    ("number", "status", "error"),
    [
        (650052, 400, "invalid_client"),
        (650056, 400, "invalid_client"),
        (650057, 400, "invalid_resource"),
        (500011, 400, "invalid_resource"),
        (90008, 400, "invalid_grant"),
    ],
)
def test_a_permission_or_subscription_may_be_missing(desk: Desk, number: int, status: int, error: str) -> None:
    desk.app.error = number
    assert error_of(desk.app_only()) == (status, error, number)
    assert error_of(desk.redeem(desk.code())) == (status, error, number)


def test_a_resource_of_nobody_is_500011(desk: Desk) -> None:
    answer = desk.authorize(scope=f"{SCOPE} https://nobody.example/Mail.Read")
    assert redirect_error_of(answer) == ("invalid_resource", 500011)


def test_a_throttled_sign_in_says_when_to_come_back(desk: Desk) -> None:
    desk.simulator.refuse_token(90055, retry_after="7")
    answer = desk.app_only()
    assert (error_of(answer), answer.headers["Retry-After"]) == ((429, "temporarily_unavailable", 90055), "7")
    assert desk.app_only().status == 200


def test_graph_may_be_away_while_the_sign_in_service_is_there(desk: Desk) -> None:
    desk.simulator.fail_next(desk.simulator.GRAPH, 503, times=None)
    assert desk.app_only().status == 200
    assert http.request("GET", f"{desk.simulator.url}/v1.0/me").status == 503
