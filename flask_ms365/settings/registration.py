"""The app registration that the settings describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_ms365.errors import NotConfigured
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.settings.catalog import CREDENTIALS, spec_of
from flask_ms365.settings.service import Settings


def app_registration(settings: Settings, config: Mapping[str, Any]) -> AppRegistration:
    """Return client id, secret and tenant with the origins of their cloud; raise :exc:`NotConfigured`.

    ``MS365_AUTHORITY_URL`` and ``MS365_GRAPH_URL`` take the place of the cloud's origins.
    """
    snapshot = settings.read()
    missing = [spec_of(key).label for key in CREDENTIALS if not snapshot.is_set(key)]
    if missing:
        raise NotConfigured(f"Microsoft 365 is not set up yet: {', '.join(missing)} is missing on the settings page.")
    values = {key: str(snapshot.effective(key).value) for key in (*CREDENTIALS, "cloud")}
    cloud = CLOUDS[values["cloud"]]
    return AppRegistration(
        client_id=values["client_id"],
        client_secret=values["client_secret"],
        tenant=values["tenant_id"],
        authority=config["MS365_AUTHORITY_URL"] or cloud.login,
        graph=config["MS365_GRAPH_URL"] or cloud.graph,
    )
