"""The app registration that the settings describe, and who may sign in to the host with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from flask_ms365.errors import NotConfigured
from flask_ms365.identity.allowed_accounts import AllowedAccounts
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.credentials import ClientCertificate, ClientSecret, Credential, FederatedToken
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.settings.catalog import spec_of
from flask_ms365.settings.checks import ANY_TENANT, is_guid
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words

Clock = Callable[[], datetime]


def app_registration(
    settings: Settings, config: Mapping[str, Any], snapshot: Snapshot | None = None
) -> AppRegistration:
    """Return the registration as ``snapshot`` has it, or as the settings are now.

    Raise :exc:`NotConfigured` or an EncryptionError.
    """
    snapshot, clock = snapshot or settings.read(), settings.clock
    snapshot.refuse_if_locked()
    registration, key = registration_of(snapshot, config, clock), snapshot.credential_key
    row, previous = snapshot.stored(key), snapshot.previous(key)
    if row is None or previous is None:
        return registration
    old = _credential(snapshot.credential_kind, previous, clock)
    return registration.with_previous(old, partial(settings.credential_worked, key, str(row.sealed)))


def registration_of(snapshot: Snapshot, config: Mapping[str, Any], clock: Clock) -> AppRegistration:
    """Return client id, credential and tenant with the origins of their cloud; raise :exc:`NotConfigured`.

    ``MS365_AUTHORITY_URL`` and ``MS365_GRAPH_URL`` take the place of the cloud's origins.
    """
    missing = [spec_of(key).label for key in snapshot.missing_credentials]
    if missing:
        raise NotConfigured(
            Words("Microsoft 365 is not set up yet: %(label)s is missing on the settings page.", label=missing[0])
        )
    return replace(without_credential(snapshot, config), credential=credential_of(snapshot, clock))


def without_credential(snapshot: Snapshot, config: Mapping[str, Any]) -> AppRegistration:
    """Return as much of the registration as links need: consent is asked for before there is a credential."""
    client_id, tenant, cloud = (snapshot.text(key) for key in ("client_id", "tenant_id", "cloud"))
    return AppRegistration(
        client_id=client_id,
        credential=None,
        tenant=tenant,
        authority=config["MS365_AUTHORITY_URL"] or CLOUDS[cloud].login,
        graph=config["MS365_GRAPH_URL"] or CLOUDS[cloud].graph,
        cloud=cloud,
    )


def allowed_accounts(snapshot: Snapshot) -> AllowedAccounts | None:
    """Return which accounts may sign in to the host; None where it is switched off, or would be open to anybody."""
    tenant = snapshot.text("tenant_id")
    tenants, domains = (_names(snapshot, key) for key in ("sign_in_tenants", "sign_in_domains"))
    is_open = tenant in ANY_TENANT and not tenants
    if snapshot.effective("sign_in").value is not True or is_open:
        return None
    return AllowedAccounts(tenants=tenants or ((tenant,) if is_guid(tenant) else ()), domains=domains)


def _names(snapshot: Snapshot, key: str) -> tuple[str, ...]:
    value = snapshot.effective(key).value
    return value if isinstance(value, tuple) else ()


def credential_of(snapshot: Snapshot, clock: Clock) -> Credential:
    """Return the credential in use, which must be there; raise an EncryptionError where it cannot be opened."""
    kind = snapshot.credential_kind
    is_file = kind == "federated"
    value = snapshot.deployment.token_file if is_file else snapshot.text(snapshot.credential_key)
    return _credential(kind, value, clock)


def _credential(kind: str, value: str, clock: Clock) -> Credential:
    if kind == "certificate":
        return ClientCertificate(value, clock)
    return FederatedToken(value) if kind == "federated" else ClientSecret(value)
