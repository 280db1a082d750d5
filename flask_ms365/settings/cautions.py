"""What looks wrong with values that may be right all the same: pointed out, never refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flask_ms365.errors import EncryptionError
from flask_ms365.settings.checks import ANY_TENANT
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words

# what Entra gives out since 2021, and what it gave out before
_SECRET = re.compile(r"[\w~.\-]{3}\dQ~[\w~.\-]{31,34}|[\w~.\-+/=@:?\[\]*]{32,44}", re.ASCII)

# the end of a domain -> the clouds that its tenants live in
_HOMES = {
    ".onmicrosoft.us": ("usgov", "usgov_dod"),
    ".partner.onmschina.cn": ("china",),
    ".onmicrosoft.cn": ("china",),
    ".onmicrosoft.com": ("global",),
}


def cautions(snapshot: Snapshot) -> dict[str, list[Words]]:
    """Return what to point out, by setting."""
    found: dict[str, list[Words]] = {}
    for key, words in _all(snapshot):
        found.setdefault(key, []).append(words)
    return found


def _all(snapshot: Snapshot) -> Iterator[tuple[str, Words]]:
    client_id, tenant = (str(snapshot.effective(key).value or "") for key in ("client_id", "tenant_id"))
    cloud, secret = str(snapshot.effective("cloud").value), _secret(snapshot)
    if client_id and client_id == tenant:
        yield "client_id", Words("This is the same as the Directory (Tenant) ID. One of the two was pasted twice.")
    if secret and not _SECRET.fullmatch(secret):
        yield "client_secret", Words("This does not look like the Value of a client secret. Was all of it copied?")
    if tenant in ANY_TENANT:
        yield (
            "tenant_id",
            Words(
                "With %(tenant)s the credentials cannot be checked, and no mailbox can be read without a sign-in. "
                "If all accounts are in one tenant, name it.",
                tenant=tenant,
            ),
        )
    for ending, homes in _HOMES.items():
        if tenant.endswith(ending) and cloud not in homes:
            yield "cloud", Words("A tenant that ends in %(ending)s is in another cloud.", ending=ending)
            return


def _secret(snapshot: Snapshot) -> str:
    try:
        return str(snapshot.effective("client_secret").value or "")
    except EncryptionError:  # told apart: it cannot be read
        return ""
