"""Who signed in: the ID token, checked in full. A token that fails any check is worth nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_ms365.errors import SignInFailed
from flask_ms365.identity.keys import GUID, SigningKey, SigningKeys, TenantKeys, is_issuer_of
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.unverified import claims_of
from flask_ms365.words import Words

_LEEWAY = 60  # seconds; Authlib's own 120 take a token that expired a minute ago

# tid, oid: who somebody is, whatever they are called today
Account = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person, known by tenant and object id. Name and sign-in name may change and prove nothing."""

    tid: str
    oid: str
    name: str | None
    upn: str | None

    @property
    def account(self) -> Account:
        """Who it is, whatever they are called today."""
        return self.tid, self.oid


def verify_id_token(
    token: str | None,
    *,
    access_token: str,
    registration: AppRegistration,
    keys: SigningKeys,
    nonce: str,
    now: datetime,
) -> Identity:
    """Return who signed in; raise :exc:`SignInFailed` that names the check."""
    if token is None:
        raise _refused("id_token", Words("Microsoft sent no ID token."))
    key_id = _key_id(token)
    tenant_keys = keys.of(registration, key_id)
    key = _signing_key(tenant_keys, key_id)
    claims = _signed_claims(token, key)
    _check_issuer(claims, tenant_keys.issuer, key)
    if claims.get("aud") != registration.client_id:
        raise _refused("aud", Words("The ID token was made for another app."))
    if claims.get("nonce") != nonce:
        raise _refused("nonce", Words("The ID token belongs to another sign-in."))
    _check_times(claims, now.timestamp())
    _check_access_token(claims, access_token)
    return _identity(claims)


def is_for_account(token: str, account: Account, registration: AppRegistration) -> bool:
    """Tell whether an ID token that came with a refresh is for ``account`` and this app.

    The token endpoint sent it over TLS, so that its signature proves nothing more; it is compared, not verified.
    """
    claims = claims_of(token)
    issuer = str(claims.get("iss"))
    is_ours = claims.get("aud") == registration.client_id and is_issuer_of(registration, issuer)
    return is_ours and (claims.get("tid"), claims.get("oid")) == account


def _key_id(token: str) -> str | None:
    from joserfc.errors import JoseError
    from joserfc.jws import extract_compact

    try:
        kid = extract_compact(token.encode()).headers().get("kid")
    except (JoseError, ValueError):
        raise _refused("id_token", Words("The ID token is no token.")) from None
    return str(kid) if kid is not None else None


def _signing_key(keys: TenantKeys, key_id: str | None) -> SigningKey:
    if key_id is None and len(keys.by_id) == 1:
        return next(iter(keys.by_id.values()))
    if key_id not in keys.by_id:
        raise _refused("kid", Words("The ID token was signed with a key that Microsoft does not list."))
    return keys.by_id[key_id]


def _signed_claims(token: str, key: SigningKey) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import RSAKey

    try:
        public = RSAKey.import_key({"kty": key.kty, "n": key.n, "e": key.e})
        # the algorithm is ours to say: neither the token's header nor discovery decides it
        claims = jwt.decode(token, public, algorithms=["RS256"]).claims
    except (JoseError, ValueError):
        raise _refused("signature", Words("The ID token's signature is wrong.")) from None
    if not isinstance(claims, dict):  # some releases of joserfc let any JSON through
        raise _refused("signature", Words("The ID token's signature is wrong."))
    return claims


def _check_issuer(claims: dict[str, Any], issuer: str, key: SigningKey) -> None:
    tid = str(claims.get("tid", ""))
    if not GUID.fullmatch(tid):
        raise _refused("tid", Words("The ID token names no tenant."))
    named = claims.get("iss")
    if named != issuer.replace("{tenantid}", tid) or f"/{tid}/" not in named:
        raise _refused("iss", Words("The ID token comes from another tenant than the one in the settings."))
    if key.issuer is not None and key.issuer.replace("{tenantid}", tid) != named:
        raise _refused("iss", Words("The ID token was signed with a key of another issuer."))


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires: Any = claims.get("exp")
    issued: Any = claims.get("iat")
    begins: Any = claims.get("nbf", issued)
    if not all(type(value) in (int, float) and math.isfinite(value) for value in (expires, issued, begins)):
        raise _refused("exp", Words("The ID token does not say how long it is valid."))
    if expires <= now - _LEEWAY:
        raise _refused("exp", Words("The ID token has expired. Is this server's clock right?"))
    if max(issued, begins) > now + _LEEWAY:
        raise _refused("nbf", Words("The ID token is not valid yet. Is this server's clock right?"))


def _check_access_token(claims: dict[str, Any], access_token: str) -> None:
    """Where the ID token names its access token, it must be the one that came with it (OpenID Connect Core 3.1.3.8)."""
    if "at_hash" not in claims:
        return
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    expected = base64.urlsafe_b64encode(half).rstrip(b"=")
    if not hmac.compare_digest(str(claims["at_hash"]).encode(errors="replace"), expected):
        raise _refused("at_hash", Words("The ID token belongs to another access token."))


def _identity(claims: dict[str, Any]) -> Identity:
    oid = str(claims.get("oid", ""))
    if not claims.get("sub") or not GUID.fullmatch(oid):
        raise _refused("sub", Words("The ID token does not say who signed in."))
    return Identity(tid=claims["tid"], oid=oid, name=_text(claims, "name"), upn=_text(claims, "preferred_username"))


def _text(claims: dict[str, Any], name: str) -> str | None:
    """Return a text that every database can hold, or None."""
    value = claims.get(name)
    return value.encode("utf-8", "replace").decode().replace("\0", "") if isinstance(value, str) else None


def _refused(check: str, message: Words) -> SignInFailed:
    next_step = Words("Nothing was stored. Try again; if it stays, ask your admin.")
    return SignInFailed(check, message, next_step=next_step)
