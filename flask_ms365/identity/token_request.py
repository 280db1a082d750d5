"""One request to the token endpoint, by Authlib: bounded, never redirected; its refusals become our errors here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from flask_ms365.errors import AppRefused, NotConfigured, SignInNeeded, TokenError, TokenUnavailable
from flask_ms365.identity.advice import advise
from flask_ms365.identity.bounded import TOO_MUCH, TooMuch, bounded_adapter
from flask_ms365.identity.claims import checked_claims
from flask_ms365.identity.credentials import Credential
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.waiting import retry_after
from flask_ms365.words import Words

if TYPE_CHECKING:
    from requests import Response

_log = logging.getLogger(__name__)

_TIMEOUT = (5, 10)  # seconds to connect, and between two bytes
_ENDS_SIGN_IN = {"invalid_grant", "interaction_required", "consent_required"}
_CREDENTIAL_REFUSED = "invalid_client"
_ENDS_ALL = {_CREDENTIAL_REFUSED, "unauthorized_client"}
_BUSY = "temporarily_unavailable"
_UNTRUSTED = Words(
    "The certificate of Microsoft's sign-in service is not trusted here. Does a proxy stand between, "
    "or is this server's list of authorities out of date?"
)


def request_token(registration: AppRegistration, form: Mapping[str, str], *, redirect_uri: str | None = None) -> Any:
    """Ask with the credential; where it is refused, the one that it replaced serves until it has worked.

    Return whatever was answered with 200; raise a :exc:`TokenError`.
    """
    if registration.credential is None:
        raise NotConfigured
    ask = partial(_ask, registration, form, redirect_uri)
    try:
        answer = ask(registration.credential)
    except AppRefused as refusal:
        if registration.previous is None or refusal.error != _CREDENTIAL_REFUSED:
            raise
        _log.warning("credential.refused", extra={"event": "credential.refused", "code": refusal.code})
        try:
            return ask(registration.previous)
        except AppRefused:
            raise refusal from None  # people hear of the credential that they entered, not of the one before
    if has_token(answer):
        registration.credential_worked()
    return answer


def token_session(registration: AppRegistration, redirect_uri: str | None) -> Any:
    """Return Authlib's session for one request."""
    # imported late: it costs as much as the rest of the package together, and most requests never need it
    from authlib.integrations.requests_client import OAuth2Session

    return OAuth2Session(
        registration.client_id,
        token_endpoint_auth_method="none",  # each credential brings its own proof
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )


def has_token(answer: Any) -> bool:
    """Tell a token from whatever else a network may answer."""
    return isinstance(answer, dict) and isinstance(answer.get("access_token"), str) and answer["access_token"] != ""


def _ask(
    registration: AppRegistration, form: Mapping[str, str], redirect_uri: str | None, credential: Credential
) -> Any:
    from authlib.integrations.base_client import OAuthError
    from requests import HTTPError, RequestException
    from urllib3.exceptions import HTTPError as TransportError

    proof = credential.proof(registration.client_id, registration.token_url)
    answers: list[Response] = []
    with token_session(registration, redirect_uri) as session:
        adapter = bounded_adapter()
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        session.register_compliance_hook("access_token_response", partial(_keep, answers))
        try:
            # a redirect would carry the proof to another host
            return session.fetch_token(registration.token_url, allow_redirects=False, timeout=_TIMEOUT, **form, **proof)
        except OAuthError as exc:
            raise _refusal(str(exc.error or ""), answers[-1], login=registration.authority) from None
        except HTTPError:
            raise _refusal(_BUSY, answers[-1], login=registration.authority) from None
        except (RequestException, TransportError, ValueError, TypeError, OverflowError) as exc:
            raise _unexpected(exc) from None


def _keep(answers: list[Response], answer: Response) -> Response:
    """Authlib's own errors know neither headers nor status."""
    answers.append(answer)
    return answer


def _refusal(error: str, answer: Response, *, login: str) -> TokenError:
    """Return what a refusal means. ``error`` decides, never the AADSTS number; a 5xx means to come back later."""
    said = _said(answer)
    advice = advise(error, str(said.get("error_description") or ""), login=login)
    kind = SignInNeeded if error in _ENDS_SIGN_IN else AppRefused if error in _ENDS_ALL else TokenUnavailable
    return kind(
        advice.text,
        error=error,
        code=advice.code,
        trace=advice.trace,
        advice=advice,
        claims=checked_claims(said.get("claims")),
        retry_after=_wait(answer),
    )


def _said(answer: Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _wait(answer: Response) -> float | None:
    """Return the seconds to wait that a busy service names; None where it names none, and does not slow us down."""
    if answer.status_code not in (429, 503):
        return None
    seconds = retry_after(answer.headers.get("Retry-After"))
    return 0.0 if seconds is None and answer.status_code == 429 else seconds


def _unexpected(exc: Exception) -> TokenUnavailable:
    from requests.exceptions import SSLError

    if isinstance(exc, SSLError):
        return TokenUnavailable(_UNTRUSTED)
    if isinstance(exc, TooMuch):
        return TokenUnavailable(TOO_MUCH)
    # never its text: requests puts URLs and bodies there
    return TokenUnavailable(
        Words("Microsoft's sign-in service did not answer as expected (%(kind)s).", kind=type(exc).__name__)
    )
