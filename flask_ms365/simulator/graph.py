"""Microsoft Graph: the way of a call from the bearer token to the answer, and the table of what there is."""

from __future__ import annotations

import json
import re
import time
import uuid
from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple
from urllib.parse import unquote

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from . import graph_attachments as attachments
from . import graph_folders as folders
from . import graph_messages as messages
from .batch import IN_BATCH, answer_batch
from .call import Call, Need, check_roles
from .directory import User
from .errors import GraphError
from .grants import AccessToken
from .journal import Scripts
from .odata import selected
from .representation import Json
from .responses import json_response
from .tenant import Tenant

_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_SLASH = "\ue000"
_KEY = re.compile(r"(?<=\w)\('([^']*)'\)")


def get_user(call: Call) -> Json:
    """The user's profile."""
    user = call.user
    given, _, surname = user.name.partition(" ")
    addresses = [f"SMTP:{user.mailbox.address}", *(f"smtp:{alias}" for alias in user.aliases)]
    # not among what comes unasked
    asked_for = {"proxyAddresses": addresses} if "proxyAddresses" in (selected(call.args) or ()) else {}
    return {
        "@odata.context": call.context("users/$entity"),
        "businessPhones": [],
        "displayName": user.name,
        "givenName": given,
        "jobTitle": None,
        "mail": user.mailbox.address if user.has_mailbox else None,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": surname or None,
        "userPrincipalName": user.upn,
        "id": user.oid,
        **asked_for,
    }


class Endpoint(NamedTuple):
    """What answers a path below /me or /users/{id}, and the permission it takes."""

    method: str
    path: str
    need: Need
    answer: Callable[..., Json | Response]


ENDPOINTS = (
    Endpoint("GET", "", "profile", get_user),
    Endpoint("GET", "/mailFolders", "basic", folders.list_folders),
    Endpoint("GET", "/mailFolders/delta", "basic", folders.folders_delta),
    Endpoint("GET", "/mailFolders/<folder>", "basic", folders.get_folder),
    Endpoint("GET", "/mailFolders/<folder>/childFolders", "basic", folders.list_child_folders),
    Endpoint("GET", "/mailFolders/<folder>/messages", "basic", messages.list_messages),
    Endpoint("GET", "/mailFolders/<folder>/messages/delta", "basic", messages.messages_delta),
    Endpoint("GET", "/messages", "basic", messages.list_messages),
    Endpoint("GET", "/messages/<message>", "basic", messages.get_message),
    Endpoint("PATCH", "/messages/<message>", "write", messages.patch_message),
    Endpoint("DELETE", "/messages/<message>", "write", messages.delete_message),
    Endpoint("POST", "/messages/<message>/move", "write", messages.move_message),
    Endpoint("GET", "/messages/<message>/$value", "read", messages.get_mime),
    Endpoint("GET", "/messages/<message>/attachments", "read", attachments.list_attachments),
    Endpoint("GET", "/messages/<message>/attachments/<attachment>", "read", attachments.get_attachment),
    Endpoint("GET", "/messages/<message>/attachments/<attachment>/$value", "read", attachments.get_content),
    Endpoint("POST", "/translateExchangeIds", "profile", messages.translate_ids),
)

_ROUTES = Map(
    [
        Rule(f"/v1.0/{owner}{endpoint.path}", methods=[endpoint.method], endpoint=endpoint)
        for endpoint in ENDPOINTS
        for owner in ("me", "users/<owner>")
    ],
    merge_slashes=False,
    strict_slashes=False,
)


class Graph:
    """The Graph service of a tenant. `latency` is how long, in seconds, every call takes at least."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self.latency = 0.0
        self.batch_scripts = Scripts()

    def __call__(self, request: Request) -> Response:
        """Answer a call, with the headers that Microsoft's support asks for."""
        request_id = str(uuid.uuid4())
        client_request_id = request.headers.get("client-request-id", request_id)
        try:
            response = self._answer(request)
        except GraphError as error:
            body = error.body(self._tenant.clock(), request_id, client_request_id)
            response = Response(status=error.status) if body is None else json_response(body, error.status)
            response.headers.update(error.headers)
        response.headers["request-id"] = request_id
        response.headers["client-request-id"] = client_request_id
        response.headers["x-ms-ags-diagnostic"] = '{"ServerInfo":{"DataCenter":"Simulator","Ring":"1"}}'
        return response

    def _answer(self, request: Request) -> Response:
        token = self._token(request)
        if request.path == "/v1.0/$batch":
            return self._batch(request)
        endpoint, path = _route(request)
        owner = path.pop("owner", None)
        if owner is not None:
            check_roles(token, endpoint.need, owner)
        call = self._call(request, token, owner, is_profile=not endpoint.path)
        call.check_permission(endpoint.need)
        is_mail = endpoint.need != "profile"
        with call.box.traffic.admit(token.app.client_id) if is_mail else nullcontext():
            if self.latency and IN_BATCH not in request.environ:
                time.sleep(self.latency)
            answer = endpoint.answer(call, **path)
        response = answer if isinstance(answer, Response) else json_response(answer, content_type=_JSON)
        if call.box.largest_answer is not None and isinstance(answer, dict) and "value" in answer:
            _check_size(response, call.box.largest_answer)
        applied = call.prefer.applied(immutable_ids=call.box.immutable_ids)
        if applied:
            response.headers["Preference-Applied"] = applied
        return response

    def _call(self, request: Request, token: AccessToken, owner: str | None, *, is_profile: bool) -> Call:
        if owner is not None:
            user = self._user(owner) if is_profile else self._tenant.mailbox_user(owner)
            return Call(self._tenant, request, token, user, f"/v1.0/users/{owner}")
        if token.user is None:
            raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
        if not is_profile:
            self._tenant.mailbox_user(token.user.oid)
        return Call(self._tenant, request, token, token.user, "/v1.0/me")

    def _user(self, name: str) -> User:
        user = self._tenant.user(name)
        if user is None:
            raise GraphError(
                404,
                "Request_ResourceNotFound",
                f"Resource '{name}' does not exist or one of its queried reference-property objects are not present.",
            )
        return user

    def _token(self, request: Request) -> AccessToken:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value.strip():
            raise _unauthenticated("Access token is empty.")
        token = self._tenant.grants.access_tokens.get(value.strip())
        if token is None:
            raise _unauthenticated("CompactToken parsing failed with error code: 80049217")
        if token.expires_at <= self._tenant.clock():
            raise _unauthenticated("Lifetime validation failed, the token is expired.")
        self._check_challenge(token)
        return token

    def _check_challenge(self, token: AccessToken) -> None:
        after = self._tenant.challenges.get(token.user.oid) if token.user else None
        if after is None or not token.is_capable or token.issued_at > after:
            return
        claims = json.dumps({"access_token": {"nbf": {"essential": True, "value": str(int(after.timestamp()))}}})
        error = _unauthenticated(
            "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
            "TokenIssuedBeforeRevocationTimestamp"
        )
        error.headers["WWW-Authenticate"] = (
            'PoP realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
            'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
            'client_id="00000003-0000-0000-c000-000000000000", error="insufficient_claims", '
            f'claims="{b64encode(claims.encode()).decode()}"'
        )
        raise error

    def _batch(self, request: Request) -> Response:
        return answer_batch(self, request, self.batch_scripts, self.latency)


def _check_size(response: Response, most: int) -> None:
    if len(response.get_data()) > most:
        raise GraphError(504, None)


def _route(request: Request) -> tuple[Endpoint, dict[str, str]]:
    """Find the endpoint; `mailFolders('inbox')` and `mailFolders/inbox` are the same path."""
    path = _KEY.sub(r"/\1", _path(request))
    try:
        endpoint, arguments = _ROUTES.bind("graph").match(path, method=request.method)
    except HTTPException as error:
        if error.code == 405:
            raise GraphError(405, "Request_BadRequest", "Specified HTTP method is not allowed.") from error
        raise GraphError(400, "BadRequest", f"Resource not found for the segment '{path.split('/')[-1]}'.") from error
    return endpoint, {name: value.replace(_SLASH, "/") for name, value in arguments.items()}


def _path(request: Request) -> str:
    """The path, in which a slash within an id (older ones have it, as %2F) separates nothing."""
    written = request.environ.get("REQUEST_URI")  # an app that is called without a server has only the path
    if written is None:
        return request.path
    return unquote(re.sub("%2F", _SLASH, written.partition("?")[0], flags=re.IGNORECASE))


def _unauthenticated(message: str) -> GraphError:
    return GraphError(401, "InvalidAuthenticationToken", message, WWW_Authenticate='Bearer realm=""')
