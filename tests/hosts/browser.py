"""A browser without JavaScript over real HTTP, and the server that it talks to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener

from werkzeug.serving import WSGIRequestHandler, make_server

from flask_ms365.simulator import User
from tests.visitor import controls, sign_in_at_microsoft

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class Page:
    """What a browser shows, after the redirects that led there."""

    url: str
    status: int
    text: str
    headers: Message


class Browser:
    """Opens pages below ``base``, keeps cookies and follows redirects, to Microsoft and back."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, data: Mapping[str, str] | None = None) -> Page:
        """Open a page, or post ``data`` to it."""
        body = None if data is None else urlencode(data).encode()
        try:
            answer = self._opener.open(Request(urljoin(self.base, path), body))
        except HTTPError as refused:
            answer = refused
        with answer:
            return Page(answer.url, answer.status, answer.read().decode(), answer.headers)

    def submit(self, path: str, changes: Mapping[str, str], *, to: str | None = None) -> Page:
        """Open ``path`` and submit its form with ``changes``."""
        return self.open(to or path, {**controls(self.open(path).text), **changes})

    def connect(self, mailbox_page: str, user: User) -> Page:
        """Press *Connect*, sign in at Microsoft, and come back."""
        at_microsoft = self.submit(mailbox_page, {}, to=f"{mailbox_page}/connect")
        return self.open(sign_in_at_microsoft(at_microsoft.url, user))


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def serving(app: WSGIApplication) -> Iterator[str]:
    """Serve ``app`` on a free port, in threads as a real server has; yield its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
