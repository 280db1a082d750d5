"""Microsoft's signing keys and issuer, found by discovery and kept for a day."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from flask_ms365.errors import TokenUnavailable
from flask_ms365.identity.clouds import is_same_service, origin_of
from flask_ms365.identity.discovery import fetch
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.words import Words

_KEEP = timedelta(hours=24)
# how often an unknown key id may make us look again: anybody can make one up
_LOOK_AGAIN = timedelta(minutes=5)
# in small letters alone, as Microsoft writes the ids of its tokens
GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_ANY_TENANT = {"common", "organizations"}


@dataclass(frozen=True, kw_only=True)
class _Discovery:
    issuer: str
    jwks_uri: str


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A public RSA key, and the issuer that may sign with it where it names one."""

    kty: str = ""
    n: str = ""
    e: str = ""
    kid: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, kw_only=True)
class _KeyList:
    keys: list[SigningKey]


@dataclass(frozen=True)
class TenantKeys:
    """The issuer (with ``{tenantid}`` where any tenant may sign in) and the keys by id."""

    issuer: str
    by_id: dict[str | None, SigningKey]
    fetched_at: datetime


class SigningKeys:
    """Discovery documents and keys of the tenants in use; the last good answer outlives an outage."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, TenantKeys] = {}
        self._looked_again: dict[str, datetime] = {}

    def of(self, registration: AppRegistration, key_id: str | None) -> TenantKeys:
        """Return issuer and keys; an unknown key id is looked for once more, since keys roll without notice."""
        with self._lock:
            known = self._known.get(registration.discovery_url)
            is_fresh = known is not None and self._clock() - known.fetched_at < _KEEP
            if known and is_fresh and (key_id in known.by_id or not self._may_look_again(registration.discovery_url)):
                return known
            try:
                self._known[registration.discovery_url] = fresh = self._fetch(registration)
            except TokenUnavailable:
                if known is None:
                    raise
                return known
            return fresh

    def _may_look_again(self, url: str) -> bool:
        now, last = self._clock(), self._looked_again.get(url)
        if last is not None and now - last < _LOOK_AGAIN:
            return False
        self._looked_again[url] = now
        return True

    def _fetch(self, registration: AppRegistration) -> TenantKeys:
        discovery = fetch(registration.discovery_url).decode(_Discovery)
        if not is_issuer_of(registration, discovery.issuer):
            raise TokenUnavailable(Words("Microsoft's discovery document names another issuer than expected."))
        if not is_same_service(origin_of(discovery.jwks_uri), registration.authority):
            raise TokenUnavailable(Words("Microsoft's discovery document keeps its keys on another host."))
        keys = fetch(discovery.jwks_uri).decode(_KeyList).keys
        if not keys:
            raise TokenUnavailable(Words("Microsoft's sign-in service lists no keys."))
        return TenantKeys(discovery.issuer, {key.kid: key for key in keys}, self._clock())


def may_be_issuer(registration: AppRegistration, issuer: str) -> bool:
    """Tell whether ``issuer`` may stand for an answer: where any tenant may sign in, it names one of them."""
    named = issuer.removeprefix(f"{origin_of(issuer)}/").removesuffix("/v2.0")
    is_any = registration.tenant.lower() in _ANY_TENANT and GUID.fullmatch(named)
    return is_issuer_of(replace(registration, tenant=named) if is_any else registration, issuer)


def is_issuer_of(registration: AppRegistration, issuer: str) -> bool:
    """Compare with the tenant that was asked for: a domain is answered by its id, ``common`` by a placeholder."""
    tenant, origin = registration.tenant.lower(), origin_of(issuer)
    named = issuer.removeprefix(f"{origin}/").removesuffix("/v2.0")
    if not is_same_service(origin, registration.authority) or issuer != f"{origin}/{named}/v2.0":
        return False
    if tenant in _ANY_TENANT:
        return named == "{tenantid}"
    return named == tenant if GUID.fullmatch(tenant) else bool(GUID.fullmatch(named))
