"""The app registration that the settings describe."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask_ms365.errors import NotConfigured
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.credentials import ClientSecret
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.settings.catalog import CREDENTIALS, spec_of
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words


def app_registration(settings: Settings, config: Mapping[str, Any]) -> AppRegistration:
    """Return the registration as the settings are now; raise :exc:`NotConfigured` or an EncryptionError."""
    snapshot = settings.read()
    row, previous = snapshot.stored("client_secret"), snapshot.previous_secret()
    registration = registration_of(snapshot, config)
    if row is None or previous is None:
        return registration
    return registration.with_previous(ClientSecret(previous), partial(settings.secret_worked, str(row.sealed)))


def registration_of(snapshot: Snapshot, config: Mapping[str, Any]) -> AppRegistration:
    """Return client id, secret and tenant with the origins of their cloud; raise :exc:`NotConfigured`.

    ``MS365_AUTHORITY_URL`` and ``MS365_GRAPH_URL`` take the place of the cloud's origins.
    """
    missing = [spec_of(key).label for key in snapshot.missing_credentials]
    if missing:
        raise NotConfigured(
            Words("Microsoft 365 is not set up yet: %(label)s is missing on the settings page.", label=missing[0])
        )
    values = {key: str(snapshot.effective(key).value) for key in (*CREDENTIALS, "cloud")}
    cloud = CLOUDS[values["cloud"]]
    return AppRegistration(
        client_id=values["client_id"],
        credential=ClientSecret(values["client_secret"]),
        tenant=values["tenant_id"],
        authority=config["MS365_AUTHORITY_URL"] or cloud.login,
        graph=config["MS365_GRAPH_URL"] or cloud.graph,
        cloud=cloud.key,
    )
