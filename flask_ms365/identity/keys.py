"""Microsoft's signing keys and issuer, found by discovery and kept for a day."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_ms365.errors import TokenUnavailable
from flask_ms365.identity.registration import AppRegistration

_KEEP = timedelta(hours=24)
_LARGEST = 1024 * 1024
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
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

    def of(self, registration: AppRegistration, key_id: str | None) -> TenantKeys:
        """Return issuer and keys; an unknown key id is looked for once more, since keys roll without notice."""
        with self._lock:
            known = self._known.get(registration.discovery_url)
            if known and key_id in known.by_id and self._clock() - known.fetched_at < _KEEP:
                return known
            try:
                self._known[registration.discovery_url] = fresh = self._fetch(registration)
            except TokenUnavailable:
                if known is None:
                    raise
                return known
            return fresh

    def _fetch(self, registration: AppRegistration) -> TenantKeys:
        discovery = _get(registration.discovery_url, _Discovery)
        if not _is_issuer_of(registration, discovery.issuer):
            raise TokenUnavailable("Microsoft's discovery document names another issuer than expected.")
        if not discovery.jwks_uri.startswith(f"{registration.authority}/"):
            raise TokenUnavailable("Microsoft's discovery document keeps its keys on another host.")
        keys = _get(discovery.jwks_uri, _KeyList).keys
        return TenantKeys(discovery.issuer, {key.kid: key for key in keys}, self._clock())


def _is_issuer_of(registration: AppRegistration, issuer: str) -> bool:
    """Compare with the tenant that was asked for: a domain is answered by its id, ``common`` by a placeholder."""
    tenant = registration.tenant.lower()
    named = issuer.removeprefix(f"{registration.authority}/").removesuffix("/v2.0")
    if issuer != f"{registration.authority}/{named}/v2.0":
        return False
    if tenant in _ANY_TENANT:
        return named == "{tenantid}"
    return named == tenant if _GUID.fullmatch(tenant) else bool(_GUID.fullmatch(named))


def _get(url: str, kind: Any) -> Any:
    # imported late: sign-ins need them once a day, and pages never
    import msgspec
    import urllib3

    try:
        with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=10)) as pool:
            response = pool.request("GET", url, redirect=False, preload_content=False)
            body = response.read(_LARGEST + 1)
            response.release_conn()
    except urllib3.exceptions.HTTPError as exc:
        raise TokenUnavailable(f"Microsoft's sign-in service could not be reached ({type(exc).__name__}).") from None
    if response.status == 400:
        raise TokenUnavailable("Microsoft does not know this tenant. Check the Directory (Tenant) ID.", code="90002")
    if response.status != 200 or len(body) > _LARGEST:
        raise TokenUnavailable(f"Microsoft's sign-in service answered {response.status}.")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError:
        raise TokenUnavailable("Microsoft's sign-in service answered something that is no key document.") from None
