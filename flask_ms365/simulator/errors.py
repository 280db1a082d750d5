"""What Microsoft says when it says no: AADSTS errors of the sign-in service and error bodies of Graph."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from .aadsts import AADSTS
from .refusal import Refusal

_UNLISTED = Refusal(400, "invalid_grant", "The sign-in service refused the request.")


class SignInError(Exception):
    """An error of the sign-in service, known by its AADSTS number."""

    def __init__(self, code: int, *, error: str | None = None, **values: str) -> None:
        refusal = AADSTS.get(code, _UNLISTED)
        self.code = code
        self.status = refusal.status
        self.error = error or refusal.error
        self.suberror = refusal.suberror
        self.text = refusal.text.format_map(_Blank(values))
        self.trace_id = str(uuid.uuid4())
        self.correlation_id = str(uuid.uuid4())
        super().__init__(f"AADSTS{code}: {self.text}")

    def description(self, now: datetime) -> str:
        """The message as Microsoft prints it, with the ids that its support asks for."""
        return (
            f"{self}\r\nTrace ID: {self.trace_id}\r\nCorrelation ID: {self.correlation_id}"
            f"\r\nTimestamp: {now:%Y-%m-%d %H:%M:%SZ}"
        )

    def body(self, now: datetime) -> dict[str, object]:
        """The JSON that the token endpoint answers with."""
        body: dict[str, object] = {
            "error": self.error,
            "error_description": self.description(now),
            "error_codes": [self.code],
            "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": self.trace_id,
            "correlation_id": self.correlation_id,
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        return body | ({"suberror": self.suberror} if self.suberror else {})


class _Blank(dict[str, str]):
    """Values of a text; a scripted error may come without them."""

    def __missing__(self, key: str) -> str:
        return f"<{key}>"


class GraphError(Exception):
    """An error of Microsoft Graph: a status, a code and a message."""

    def __init__(self, status: int, code: str | None, message: str = "", **headers: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(f"{status} {code}: {message}")

    def body(self, now: datetime, request_id: str, client_request_id: str) -> dict[str, Any] | None:
        """The JSON of the error; None where Graph sends an empty body, as its 503 and 504 do."""
        if self.code is None:
            return None
        inner = {
            "date": f"{now:%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": client_request_id,
        }
        return {"error": {"code": self.code, "message": self.message, "innerError": inner}}


class DropConnection(Exception):
    """The server hangs up without an answer."""


def item_not_found() -> GraphError:
    """The object is not (or no longer) in the mailbox."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> GraphError:
    """The id is of another mailbox, format or letter case."""
    return GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")


def invalid_query(message: str) -> GraphError:
    """A query option that Graph does not take."""
    return GraphError(400, "ErrorInvalidUrlQuery", message)
