"""One origin for both services: the login pages, Graph, and the door for other processes."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from .admin_consent import admin_consent, admin_consent_v1
from .authorize import authorize, logout
from .browser import trouble
from .control import change_mailbox, revoke, state
from .discovery import instance, keys, openid_configuration
from .errors import DropConnection, SignInError
from .responses import token_response
from .server import hang_up
from .token_endpoint import token

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .simulator import Simulator

Endpoint = Callable[..., Response]

_ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    ("GET", "/common/discovery/instance", instance),
    ("GET", "/<tenant_name>/v2.0/.well-known/openid-configuration", openid_configuration),
    ("GET", "/<tenant_name>/discovery/v2.0/keys", keys),
    ("GET POST", "/<tenant_name>/oauth2/v2.0/authorize", authorize),
    ("POST", "/<tenant_name>/oauth2/v2.0/token", token),
    ("GET POST", "/<tenant_name>/oauth2/v2.0/logout", logout),
    ("GET POST", "/<tenant_name>/v2.0/adminconsent", admin_consent),
    ("GET POST", "/<tenant_name>/adminconsent", admin_consent_v1),
    ("GET", "/_simulator/state", state),
    ("POST", "/_simulator/revoke", revoke),
    ("POST", "/_simulator/<upn>/<verb>", change_mailbox),
)
_MAP = Map([Rule(path, methods=methods.split(), endpoint=answer) for methods, path, answer in _ROUTES])

_WORTH_ZIPPING = 1000


class Application:
    """The WSGI application of a simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request. Its body is read in any case, so that the connection can be kept."""
        request = Request(environ)
        request.get_data(cache=True)
        try:
            response = self._answer(request)
        except DropConnection:
            self._simulator.requests.note(request, 0)
            hang_up(environ["werkzeug.socket"])
            raise ConnectionAbortedError from None
        self._simulator.requests.note(request, response.status_code)
        response.date = self._simulator.clock() + self._simulator.date_skew
        return _zipped(request, response)(environ, start_response)

    def _answer(self, request: Request) -> Response:
        scripted = self._simulator.scripts.answer(request)
        if scripted is not None:
            return scripted
        if request.path.startswith("/v1.0/"):
            return self._simulator.graph(request)
        try:
            answer, arguments = _MAP.bind_to_environ(request.environ).match()
            response: Response = answer(self._simulator, request, **arguments)
        except SignInError as error:
            return token_response(error.body(self._simulator.clock()), error.status)
        except MethodNotAllowed as error:
            accepted = " ".join(sorted({*(error.valid_methods or ())} - {"HEAD", "OPTIONS"}))
            return trouble(self._simulator, SignInError(900561, accepted=accepted, received=request.method))
        except HTTPException as error:
            return Response(error.description, error.code or 500, content_type="text/plain; charset=utf-8")
        return response


def _zipped(request: Request, response: Response) -> Response:
    if response.is_streamed or "Content-Encoding" in response.headers:
        return response
    content = response.get_data()
    if "gzip" in request.headers.get("Accept-Encoding", "") and len(content) >= _WORTH_ZIPPING:
        response.set_data(gzip.compress(content, 1))
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    return response
