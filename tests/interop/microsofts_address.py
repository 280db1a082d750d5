"""The simulator at Microsoft's own address, for software that insists on it: no socket is behind it."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from werkzeug.test import EnvironBuilder, run_wsgi_app

from flask_ms365.simulator import Simulator, User
from tests.visitor import controls

LOGIN = "https://login.microsoftonline.com"


class _Door(HTTPAdapter):
    """Hands a request to the simulator as it would arrive at the address that it names."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self._application = simulator.application

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Return the simulator's answer."""
        url = urlsplit(str(request.url))
        asked = EnvironBuilder(
            url.path,
            base_url=f"{url.scheme}://{url.netloc}",
            query_string=url.query,
            method=str(request.method),
            headers=list(request.headers.items()),
            data=request.body,
        )
        chunks, status, headers = run_wsgi_app(self._application, asked.get_environ(), buffered=True)
        body, code = BytesIO(b"".join(chunks)), int(status.partition(" ")[0])
        raw = urllib3.HTTPResponse(body, headers=dict(headers), status=code, preload_content=False)
        return self.build_response(request, raw)


def session_at(simulator: Simulator) -> requests.Session:
    """Return a session for which the simulator is Microsoft, and nobody else exists."""
    session = requests.Session()
    session.adapters.clear()
    session.mount(f"{LOGIN}/", _Door(simulator))
    return session


def sign_in(session: requests.Session, url: str, user: User, *, action: str = "accept") -> dict[str, str]:
    """Fill in the sign-in form; return what the browser is told to post to the app."""
    form = controls(session.get(url).text)
    filled = {**form, "username": user.upn, "password": user.password, "action": action}
    return controls(session.post(url, data=filled).text)
