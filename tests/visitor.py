"""A person with a browser that runs no JavaScript: opens pages, fills in forms, signs in at Microsoft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import urllib3
from flask import Flask
from werkzeug.test import Client, TestResponse

from flask_ms365.simulator import User

BASE_URL = "http://localhost"


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a person types at Microsoft."""

    upn: str
    password: str


class _Form(HTMLParser):
    """The controls of the forms on a page, as a browser would send them untouched."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.action = ""
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self.action = self.action or given.get("action", "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in self.values):
            self.values[self._select] = given.get("value", "")
        elif tag == "input" and name and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
            self.values[name] = given.get("value", "")


def controls(page: str) -> dict[str, str]:
    """Return what a browser would send if the page's form were submitted untouched."""
    return _Form(page).values


class Visitor(Client):
    """A cookie jar over the host app, raw WSGI: nothing of Flask's own test client in between."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app, use_cookies=True)

    def submit(self, path: str, changes: Mapping[str, str | None], *, to: str | None = None) -> TestResponse:
        """Open ``path`` and submit its form with ``changes``; None unticks or leaves out a control."""
        values = {**controls(self.get(path).text), **changes}
        sent = {name: value for name, value in values.items() if value is not None}
        return self.post(to or path, data=sent)

    def start_connect(self) -> str:
        """Press *Connect*; return the address at Microsoft that the browser is sent to."""
        answer = self.submit("/ms365/my-email", {}, to="/ms365/my-email/connect")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def connect(self, user: Account | User) -> TestResponse:
        """Connect a mailbox from the button to the page that says how it went."""
        back = sign_in_at_microsoft(self.start_connect(), user)
        answer = self.get(path_of(back))
        assert answer.status_code == 303
        return self.get(answer.headers["Location"])


def sign_in_at_microsoft(url: str, user: Account | User, *, action: str = "accept") -> str:
    """Fill in Microsoft's sign-in form; return the address that the browser is sent back to."""
    with urllib3.PoolManager() as http:
        page = http.request("GET", url)
        form = _Form(page.data.decode())
        fields = {**form.values, "username": user.upn, "password": user.password, "action": action}
        target = urljoin(url, form.action or url)
        answer = http.request("POST", target, fields=fields, encode_multipart=False, redirect=False)
    assert answer.status == 302, answer.data
    return str(answer.headers["Location"])


def path_of(url: str) -> str:
    """Return path and query of an address of the host."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
