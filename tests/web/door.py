"""A host whose people sign in with Microsoft, as the tests of that open its door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import render_template_string, session
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365 import Identity
from flask_ms365.simulator import User
from tests.conftest import Host
from tests.visitor import Visitor, path_of, sign_in_at_microsoft

SIGN_IN = "/ms365/sign-in"
LOGIN = "/login"
PAGE = """
<!doctype html>
{% from "ms365/sign_in_button.html" import ms365_sign_in_button %}
{{ ms365_sign_in_button(next=request.args.get("next", "")) }}
"""
BUTTON = 'ms365-sign-in-button" type="submit"'


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
