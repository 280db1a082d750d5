"""Closed unless the host's authorizer says True; what belongs to others does not exist."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask_login import LoginManager, UserMixin, current_user, login_user
from werkzeug.test import Client

from flask_ms365 import Permission
from tests.conftest import Host, HostFactory
from tests.visitor import Visitor
from tests.web.conftest import SETTINGS, AddMessage

CALLBACK = "/ms365/oauth/callback"


def every_page(app: Flask) -> list[tuple[str, str]]:
    """Return method and address of everything under our prefix but the style sheets."""
    urls = app.url_map.bind("localhost")
    return [
        (method, urls.build(rule.endpoint, dict.fromkeys(rule.arguments, 1), method))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("ms365.") and rule.endpoint != "ms365.static"
        for method in sorted(rule.methods or ())
    ]


def answers(app: Flask) -> dict[tuple[str, str], int]:
    """Return the status of every page, each for a new visitor."""
    return {page: Client(app).open(page[1], method=page[0]).status_code for page in every_page(app)}


def test_without_an_authorizer_every_page_answers_403(make_host: HostFactory) -> None:
    found = answers(make_host(options={"authorize": None}).app)
    assert set(found.values()) == {403}
    assert {("GET", SETTINGS), ("POST", SETTINGS), ("GET", CALLBACK), ("GET", "/ms365/messages/1/body")} <= set(found)


def test_without_permission_every_page_answers_403_but_two_that_look_themselves(host: Host) -> None:
    host.permissions = set()
    host.ms365.sign_in(lambda identity: None)
    open_pages = {page for page, status in answers(host.app).items() if status != 403}
    # that an image may be asked for is no secret; whoever asks for it needs a key or a permission
    methods = {path: {method for method, each in open_pages if each == path} for _, path in open_pages}
    assert methods.pop("/ms365/messages/1/inline/1") == {"OPTIONS"}
    assert set(methods) == {CALLBACK, "/ms365/sign-in"}


def test_whatever_is_not_true_is_a_no(make_host: HostFactory) -> None:
    answer: list[object] = []
    visitor = make_host(options={"authorize": lambda permission: answer[0]}).visitor()
    statuses = []
    for given in (None, 1, "yes", [1], object(), False, 0, Permission.MANAGE_SETTINGS):
        answer[:] = [given]
        statuses.append(visitor.get(SETTINGS).status_code)
    assert statuses == [403] * 8


def test_an_answer_that_looks_like_a_yes_is_told_to_the_developer(
    make_host: HostFactory, caplog: pytest.LogCaptureFixture
) -> None:
    make_host(options={"authorize": lambda permission: 1}).visitor().get(SETTINGS)
    assert "authorize(manage_settings) returned int; only True opens a page" in caplog.text


def test_an_authorizer_that_fails_closes_the_pages(make_host: HostFactory, caplog: pytest.LogCaptureFixture) -> None:
    host = make_host(options={"authorize": lambda permission: {"admin": True}["role"]})
    with caplog.at_level(logging.ERROR):
        assert host.visitor().get(SETTINGS).status_code == 403
    assert "KeyError: 'role'" in caplog.text


@pytest.mark.parametrize(
    ("permission", "pages"),
    [
        ("manage_settings", {"/ms365/settings"}),
        ("manage_mailboxes", set()),
        ("own_mailbox", {"/ms365/my-email", "/ms365/messages"}),
        ("read_mail", {"/ms365/messages"}),
    ],
)
def test_a_permission_opens_its_own_pages(host: Host, visitor: Visitor, permission: str, pages: set[str]) -> None:
    host.permissions = {permission}
    every = ("/ms365/settings", "/ms365/my-email", "/ms365/messages")
    assert {path for path in every if visitor.get(path).status_code == 200} == pages


@pytest.mark.parametrize("permission", ["manage_settings", "own_mailbox", "read_mail"])
def test_the_navigation_leads_only_where_one_may_go(host: Host, visitor: Visitor, permission: str) -> None:
    host.permissions = {permission}
    page = visitor.get("/ms365/settings" if permission == "manage_settings" else "/ms365/messages").text
    links = [path for path in ("/ms365/settings", "/ms365/my-email", "/ms365/messages") if f'href="{path}"' in page]
    assert [visitor.get(path).status_code for path in links] == [200] * len(links) != []


def test_permissions_compare_equal_to_their_names() -> None:
    assert [str(permission) for permission in Permission] == [
        "manage_settings",
        "manage_mailboxes",
        "own_mailbox",
        "read_mail",
    ]


@pytest.mark.parametrize("page", ["/ms365/messages/{}", "/ms365/messages/{}/body"])
def test_mail_of_somebody_else_does_not_exist(visitor: Visitor, add_message: AddMessage, page: str) -> None:
    others = page.format(add_message(owner_id="ben", body="secret", body_content_type="text"))
    nobodys = page.format(4711)
    answers = [visitor.get(others), visitor.get(nobodys)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text


def test_the_list_shows_nothing_of_somebody_else(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(owner_id="ben", subject="Between you and me")
    assert "Between you and me" not in visitor.get("/ms365/messages?mailbox=1&folder=1").text


def test_mail_of_the_team_is_for_those_who_may_read_it(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    page = f"/ms365/messages/{add_message(owner_id=None, kind='system', subject='Help!')}"
    allowed = visitor.get(page).status_code
    host.permissions = {"own_mailbox"}
    assert [allowed, visitor.get(page).status_code] == [200, 404]


def test_reading_the_teams_mail_is_not_reading_ones_own(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    host.permissions = {"read_mail"}
    assert visitor.get(f"/ms365/messages/{add_message()}").status_code == 404


def test_someone_whom_the_host_cannot_name_connects_nothing(host: Host, visitor: Visitor) -> None:
    host.user_id = None
    assert visitor.get("/ms365/my-email").status_code == 403


class LoginHost:
    """A host with Flask-Login, where the present visitor may do everything."""

    def __init__(self, make_host: HostFactory, **attributes: Any) -> None:
        self.host = make_host(
            options={"authorize": lambda permission: current_user.is_authenticated, "current_user_id": None}
        )
        manager = LoginManager(self.host.app)
        for name, value in attributes.items():
            setattr(manager, name, value)
        manager.user_loader(_User)
        self.host.app.add_url_rule("/login", "login", lambda: str(login_user(_User("ana"))))


class _User(UserMixin):  # type: ignore[misc]
    def __init__(self, user_id: str) -> None:
        self.id = user_id


@pytest.mark.parametrize("path", ["/ms365/settings", "/ms365/my-email", "/ms365/messages/1"])
def test_someone_who_is_signed_out_is_sent_to_the_login_page(make_host: HostFactory, path: str) -> None:
    answer = LoginHost(make_host, login_view="login").host.visitor().get(path)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/login")


def test_someone_who_is_signed_out_meets_the_hosts_own_answer(make_host: HostFactory) -> None:
    said: Callable[[], tuple[str, int]] = lambda: ("Please sign in", 401)  # noqa: E731
    answer = LoginHost(make_host, unauthorized_callback=said).host.visitor().get(SETTINGS)
    assert (answer.status_code, answer.text) == (401, "Please sign in")


def test_a_host_without_a_login_page_answers_403(make_host: HostFactory) -> None:
    assert LoginHost(make_host).host.visitor().get(SETTINGS).status_code == 403


def test_the_user_of_flask_login_is_the_user(make_host: HostFactory) -> None:
    visitor = LoginHost(make_host, login_view="login").host.visitor()
    visitor.get("/login")
    assert [visitor.get(path).status_code for path in (SETTINGS, "/ms365/my-email")] == [200, 200]


def test_a_signed_out_visitor_meets_403_where_there_is_no_authorizer(make_host: HostFactory) -> None:
    host = make_host(options={"authorize": None, "current_user_id": None})
    manager = LoginManager(host.app)
    manager.login_view = "login"
    manager.user_loader(_User)
    host.app.add_url_rule("/login", "login", lambda: "")
    assert set(answers(host.app).values()) == {403}
