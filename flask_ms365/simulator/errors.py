"""What Microsoft says when it says no: AADSTS errors of the sign-in service and error bodies of Graph."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple


class _Advice(NamedTuple):
    status: int
    error: str
    text: str
    suberror: str | None = None


AADSTS: Mapping[int, _Advice] = {
    28002: _Advice(
        400,
        "invalid_scope",
        "Provided value for the input parameter scope '{scope}' is not valid when requesting an access token. "
        "Please specify a valid scope.",
    ),
    28003: _Advice(
        400,
        "invalid_scope",
        "Provided value for the input parameter scope cannot be empty when requesting an access token using the "
        "provided authorization code. Please specify a valid scope.",
    ),
    50011: _Advice(
        400,
        "invalid_request",
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for "
        "the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your "
        "application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how "
        "to troubleshoot this error.",
    ),
    50013: _Advice(400, "invalid_client", "Assertion failed signature validation or is outside its validity period."),
    50034: _Advice(
        400,
        "invalid_grant",
        "The user account '{username}' does not exist in the {tenant} directory. To sign into this application, the "
        "account must be added to the directory.",
    ),
    50048: _Advice(401, "invalid_client", "Subject must match Issuer claim in the client assertion."),
    50057: _Advice(400, "invalid_grant", "The user account is disabled."),
    50058: _Advice(
        400,
        "login_required",
        "Session information is not sufficient for single-sign-on: a silent sign-in request was sent but no user is "
        "signed in.",
    ),
    50076: _Advice(
        400,
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50079: _Advice(
        400,
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "enroll in multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50105: _Advice(
        400,
        "access_denied",
        "Your administrator has configured the application {name} ('{client_id}') to block users unless they are "
        "specifically granted ('assigned') access to the application.",
    ),
    50126: _Advice(400, "invalid_grant", "Error validating credentials due to invalid username or password."),
    50147: _Advice(400, "invalid_request", "Invalid size of Code_Challenge parameter."),
    50148: _Advice(
        400,
        "invalid_grant",
        "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
    ),
    50149: _Advice(400, "invalid_request", "Invalid Code_Challenge_method parameter."),
    50173: _Advice(
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before "
        "which tokens are not valid) for this user is '{valid_from}'.",
        "bad_token",
    ),
    53003: _Advice(
        400,
        "interaction_required",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    54005: _Advice(
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
        "refresh token.",
    ),
    65001: _Advice(
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}' named '{name}'. "
        "Send an interactive authorization request for this user and resource.",
        "consent_required",
    ),
    65004: _Advice(
        400,
        "access_denied",
        "User declined to consent to access the app.",
    ),
    70000: _Advice(400, "invalid_grant", "Provided grant is invalid or malformed."),
    70001: _Advice(
        400,
        "unauthorized_client",
        "The application named {name} was not found in the tenant named {tenant}.",
    ),
    70003: _Advice(400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant_type}'."),
    70008: _Advice(
        400,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive "
        "authorization request for this user and resource.",
        "token_expired",
    ),
    70011: _Advice(
        400,
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
        "'scope' is not valid. The scope {scope} is not valid.",
    ),
    90002: _Advice(
        400,
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    ),
    90094: _Advice(
        400,
        "access_denied",
        "{name} needs permission to access resources in your organization that only an admin can grant. Please ask "
        "an admin to grant permission to this app before you can use it.",
    ),
    501481: _Advice(
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    700016: _Advice(
        400,
        "unauthorized_client",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    700027: _Advice(
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found.]",
    ),
    700054: _Advice(
        400,
        "unsupported_response_type",
        "response_type '{response_type}' is not enabled for the application.",
    ),
    700082: _Advice(
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for "
        "90.00:00:00.",
        "token_expired",
    ),
    500112: _Advice(
        400,
        "invalid_client",
        "The reply address '{redirect_uri}' does not match the reply address '{expected}' provided when requesting "
        "Authorization code.",
    ),
    500011: _Advice(
        400,
        "invalid_resource",
        "The resource principal named {scope} was not found in the tenant named {tenant}.",
    ),
    900023: _Advice(
        400,
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
    ),
    900144: _Advice(
        400,
        "invalid_request",
        "The request body must contain the following parameter: '{parameter}'.",
    ),
    7000112: _Advice(
        401,
        "unauthorized_client",
        "Application '{client_id}'({name}) is disabled.",
    ),
    7000215: _Advice(
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the client secret ID, for a secret added to app '{client_id}'.",
    ),
    7000218: _Advice(
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    7000222: _Advice(
        401,
        "invalid_client",
        "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys "
        "for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
        "https://aka.ms/certCreds.",
    ),
    9001023: _Advice(
        400,
        "invalid_request",
        "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
    9002313: _Advice(400, "invalid_request", "Invalid request. Request is malformed or invalid."),
}


class SignInError(Exception):
    """An error of the sign-in service, known by its AADSTS number."""

    def __init__(self, code: int, *, error: str | None = None, **values: str) -> None:
        advice = AADSTS.get(code, _Advice(400, "server_error", "The sign-in service refused the request."))
        self.code = code
        self.status = advice.status
        self.error = error or advice.error
        self.suberror = advice.suberror
        self.text = advice.text.format_map(_Blank(values))
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
