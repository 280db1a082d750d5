"""The commands that limit the app to its mailboxes, for the settings as they are."""

from __future__ import annotations

from collections.abc import Sequence

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.exchange_rbac import MailboxScope
from flask_ms365.identity.portal import portal_url
from flask_ms365.settings.checks import ANY_TENANT
from flask_ms365.web.snapshot import current_snapshot


def mailbox_scope(addresses: Sequence[str]) -> dict[str, str] | None:
    """Return the commands that limit the app to ``addresses``, and where its tenant-wide permission is taken away."""
    if not addresses:
        return None
    client_id, tenant, cloud = (current_snapshot().text(key) for key in ("client_id", "tenant_id", "cloud"))
    limits = MailboxScope(
        client_id=client_id,
        addresses=addresses,
        cloud=CLOUDS[cloud],
        tenant="" if tenant in ANY_TENANT else tenant,
    )
    return {
        "first_time": limits.first_time,
        "once_more": limits.once_more,
        "permissions_url": portal_url("permissions", CLOUDS[cloud], client_id),
    }
