"""What is asked of the token endpoint, and the shape of what it gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from flask_ms365.errors import TokenUnavailable
from flask_ms365.identity.claims import with_claims
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_request import has_token, request_token, token_session
from flask_ms365.words import Words

_NO_TOKEN = Words("Microsoft's sign-in service answered something that is no token.")


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
    url, _ = token_session(registration, redirect_uri).create_authorization_url(
        registration.authorize_url,
        state=state,
        code_verifier=verifier,
        nonce=nonce,
        scope=" ".join(scopes),
        response_mode="query",
        claims=with_claims(claims),
        **who,
    )
    return str(url)


def exchange_code(
    registration: AppRegistration, *, code: str, redirect_uri: str, verifier: str, needs_refresh_token: bool = True
) -> TokenPair:
    """Exchange an authorization code; raise a :exc:`TokenError`."""
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "claims": with_claims()}
    answer = request_token(registration, form, redirect_uri=redirect_uri)
    return _pair(answer, needs_refresh_token=needs_refresh_token)


def refresh(registration: AppRegistration, *, refresh_token: str, scopes: Iterable[str], claims: str = "") -> TokenPair:
    """Exchange a refresh token for a new pair, one that carries the ``claims`` of a challenge; raise a TokenError."""
    form = {
        "grant_type": "refresh_token",
        "refresh_token": refresh_token,
        "scope": " ".join(scopes),
        "claims": with_claims(claims),
    }
    return _pair(request_token(registration, form), old_refresh_token=refresh_token)


def app_only(registration: AppRegistration, *, claims: str = "") -> TokenPair:
    """Return a token of the app itself, without a refresh token; raise a :exc:`TokenError`."""
    form = {**_app_only_form(registration), "claims": with_claims(claims)}
    return _pair(request_token(registration, form), needs_refresh_token=False)


def prove_credentials(registration: AppRegistration) -> None:
    """Ask for an app-only token of the named tenant and throw it away; raise a :exc:`TokenError`.

    Microsoft gives one to every app that exists there, whatever it was allowed to do, so this proves id and secret.
    """
    if not has_token(request_token(registration, _app_only_form(registration))):
        raise TokenUnavailable(_NO_TOKEN)


def _app_only_form(registration: AppRegistration) -> dict[str, str]:
    return {"grant_type": "client_credentials", "scope": f"{registration.graph}/.default"}


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
