"""The token endpoint, spoken to by Authlib; its refusals become our errors here and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from flask_ms365.errors import AppRefused, NotConfigured, SignInNeeded, TokenError, TokenUnavailable
from flask_ms365.identity.advice import advise
from flask_ms365.identity.credentials import Credential
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.words import Words

if TYPE_CHECKING:
    from requests import HTTPError

_log = logging.getLogger(__name__)

_TIMEOUT = (5, 30)  # seconds to connect, and between two bytes; together below the lease
_PROBE_TIMEOUT = (5, 10)  # somebody waits for the answer
_NO_TOKEN = Words("Microsoft's sign-in service answered something that is no token.")
_ENDS_SIGN_IN = {"invalid_grant", "interaction_required", "consent_required"}
_CREDENTIAL_REFUSED = "invalid_client"
_BUSY = "temporarily_unavailable"
_ENDS_ALL = {_CREDENTIAL_REFUSED, "unauthorized_client"}


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """What the token endpoint gave. Nothing of it belongs in a log."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    expires_in: int
    scopes: tuple[str, ...]


def authorize_url(
    registration: AppRegistration,
    *,
    redirect_uri: str,
    scopes: Iterable[str],
    state: str,
    nonce: str,
    verifier: str,
    login_hint: str = "",
    claims: str = "",
) -> str:
    """Return where to send the browser. Only ``response_mode=query``: a form_post would arrive without Lax cookies."""
    # Microsoft takes a hint or lets people choose, not both
    who = {"login_hint": login_hint} if login_hint else {"prompt": "select_account"}
    url, _ = _session(registration, redirect_uri).create_authorization_url(
        registration.authorize_url,
        state=state,
        code_verifier=verifier,
        nonce=nonce,
        scope=" ".join(scopes),
        response_mode="query",
        **who,
        **({"claims": claims} if claims else {}),
    )
    return str(url)


def exchange_code(
    registration: AppRegistration, *, code: str, redirect_uri: str, verifier: str, needs_refresh_token: bool = True
) -> TokenPair:
    """Exchange an authorization code; raise a :exc:`TokenError`."""
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    answer = _request(registration, form, redirect_uri=redirect_uri)
    return _pair(answer, needs_refresh_token=needs_refresh_token)


def refresh(registration: AppRegistration, *, refresh_token: str, scopes: Iterable[str]) -> TokenPair:
    """Exchange a refresh token for a new pair; raise a :exc:`TokenError`."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": " ".join(scopes)}
    return _pair(_request(registration, form), old_refresh_token=refresh_token)


def app_only(registration: AppRegistration) -> TokenPair:
    """Return a token of the app itself, without a refresh token; raise a :exc:`TokenError`."""
    form = {"grant_type": "client_credentials", "scope": f"{registration.graph}/.default"}
    return _pair(_request(registration, form), needs_refresh_token=False)


def prove_credentials(registration: AppRegistration) -> None:
    """Ask for an app-only token of the named tenant and throw it away; raise a :exc:`TokenError`.

    Microsoft gives one to every app that exists there, whatever it was allowed to do, so this proves id and secret.
    """
    form = {"grant_type": "client_credentials", "scope": f"{registration.graph}/.default"}
    answer = _request(registration, form, timeout=_PROBE_TIMEOUT)
    if not _has_token(answer):
        raise TokenUnavailable(_NO_TOKEN)


def _session(registration: AppRegistration, redirect_uri: str | None) -> Any:
    # imported late: it costs as much as the rest of the package together, and most requests never need it
    from authlib.integrations.requests_client import OAuth2Session

    return OAuth2Session(
        registration.client_id,
        token_endpoint_auth_method="none",  # each credential brings its own proof
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )


def _request(
    registration: AppRegistration,
    form: Mapping[str, str],
    *,
    redirect_uri: str | None = None,
    timeout: tuple[int, int] = _TIMEOUT,
) -> Any:
    """Ask with the credential; where it is refused, the one that it replaced serves until it has worked."""
    if registration.credential is None:
        raise NotConfigured
    ask = partial(_ask, registration, {**form, "timeout": timeout}, redirect_uri)
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
    if _has_token(answer):
        registration.credential_worked()
    return answer


def _ask(
    registration: AppRegistration, form: Mapping[str, Any], redirect_uri: str | None, credential: Credential
) -> Any:
    from authlib.integrations.base_client import OAuthError
    from requests import HTTPError, RequestException

    proof = credential.proof(registration.client_id, registration.token_url)
    with _session(registration, redirect_uri) as session:
        try:
            # a redirect would carry the proof to another host
            return session.fetch_token(registration.token_url, allow_redirects=False, **form, **proof)
        except OAuthError as exc:
            raise _refusal(str(exc.error or ""), str(exc.description or ""), login=registration.authority) from None
        except HTTPError as exc:
            raise _out_of_order(exc, login=registration.authority) from None
        except (RequestException, ValueError, TypeError, OverflowError) as exc:
            raise _unexpected(exc) from None


def _has_token(answer: Any) -> bool:
    """Tell a token from whatever else a network may answer."""
    return isinstance(answer, dict) and isinstance(answer.get("access_token"), str) and answer["access_token"] != ""


def _refusal(error: str, description: str, *, login: str) -> TokenError:
    advice = advise(error, description, login=login)
    kind = SignInNeeded if error in _ENDS_SIGN_IN else AppRefused if error in _ENDS_ALL else TokenUnavailable
    return kind(advice.text, error=error, code=advice.code, trace=advice.trace, advice=advice)


def _out_of_order(exc: HTTPError, *, login: str) -> TokenUnavailable:
    """Return what a 5xx means: come back later, whatever else it says."""
    try:
        advice = advise(_BUSY, exc.response.json()["error_description"], login=login)
    except (ValueError, TypeError, LookupError):
        return _unexpected(exc)
    return TokenUnavailable(advice.text, error=_BUSY, code=advice.code, trace=advice.trace, advice=advice)


def _unexpected(exc: Exception) -> TokenUnavailable:
    # never its text: requests puts URLs and bodies there
    return TokenUnavailable(
        Words("Microsoft's sign-in service did not answer as expected (%(kind)s).", kind=type(exc).__name__)
    )


def _pair(token: Any, *, old_refresh_token: str = "", needs_refresh_token: bool = True) -> TokenPair:
    """Check the shape of an answer: what is stored from it decides whether the mailbox stays connected."""
    if not isinstance(token, dict):
        raise TokenUnavailable(_NO_TOKEN)
    access, refresh_token = token.get("access_token"), token.get("refresh_token") or old_refresh_token
    if not isinstance(access, str) or not access or str(token.get("token_type", "")).lower() != "bearer":
        raise TokenUnavailable(Words("Microsoft's sign-in service gave no usable access token."))
    if needs_refresh_token and (not isinstance(refresh_token, str) or not refresh_token):
        raise TokenUnavailable(Words("Microsoft gave no refresh token. Is offline_access allowed for this app?"))
    id_token = token.get("id_token")
    return TokenPair(
        access_token=access,
        refresh_token=str(refresh_token or ""),
        id_token=id_token if isinstance(id_token, str) else None,
        expires_in=_seconds(token.get("expires_in")),
        scopes=tuple(str(token.get("scope", "")).split()),
    )


def _seconds(value: Any) -> int:
    """Return a believable life time: an answer that claims centuries must not stop us from refreshing."""
    try:
        return max(60, min(int(value), 28 * 3600))
    except (TypeError, ValueError, OverflowError):
        return 3600
