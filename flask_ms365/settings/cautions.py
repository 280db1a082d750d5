"""What looks wrong with values that may be right all the same: pointed out, never refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from flask_ms365.errors import EncryptionError
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.identity.credentials import FederatedToken
from flask_ms365.settings.checks import ANY_TENANT, is_guid
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


def cautions(snapshot: Snapshot, now: datetime) -> dict[str, list[Words]]:
    """Return what to point out, by setting."""
    found: dict[str, list[Words]] = {}
    for key, words in (*_of_the_app(snapshot), *_of_the_credential(snapshot, now), *_of_the_sign_in(snapshot)):
        found.setdefault(key, []).append(words)
    return found


def _of_the_app(snapshot: Snapshot) -> Iterator[tuple[str, Words]]:
    client_id, tenant, cloud = (snapshot.text(key) for key in ("client_id", "tenant_id", "cloud"))
    if client_id and client_id == tenant:
        yield "client_id", Words("This is the same as the Directory (Tenant) ID. One of the two was pasted twice.")
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


def _of_the_credential(snapshot: Snapshot, now: datetime) -> Iterator[tuple[str, Words]]:
    secret, certificate = (_opened(snapshot, key) for key in ("client_secret", "client_certificate"))
    if secret and not _SECRET.fullmatch(secret):
        yield "client_secret", Words("This does not look like the Value of a client secret. Was all of it copied?")
    if certificate and (since := read_certificate(certificate).valid_from) > now:
        yield (
            "client_certificate",
            Words("This certificate is valid only from %(time)s on.", time=f"{since:%Y-%m-%d %H:%M} UTC"),
        )
    if snapshot.credential_kind == "federated" and (problem := _of_the_file(snapshot.deployment.token_file, now)):
        yield "credential", problem


def _of_the_sign_in(snapshot: Snapshot) -> Iterator[tuple[str, Words]]:
    """Say why nobody can sign in to the host though it is switched on."""
    tenant, tenants = (snapshot.effective(key).value for key in ("tenant_id", "sign_in_tenants"))
    if snapshot.effective("sign_in").value is not True:
        return
    if tenant in ANY_TENANT and not tenants:
        yield (
            "sign_in_tenants",
            Words("With %(tenant)s anybody could sign in. It stays off until you name the tenants.", tenant=tenant),
        )
    if isinstance(tenants, tuple) and is_guid(str(tenant)) and tenant not in tenants:
        yield (
            "sign_in_tenants",
            Words("The Directory (Tenant) ID is not among these, and only its accounts can sign in: nobody may."),
        )


def _of_the_file(path: str, now: datetime) -> Words | None:
    """Say what is wrong with the file of a federated token: it must be there, and be kept fresh."""
    if not path:
        return Words("The deployment names no file of a federated token (MS365_FEDERATED_TOKEN_FILE in app.config).")
    ends = FederatedToken(path).valid_until
    if ends is None:
        return Words("The file of the federated token (MS365_FEDERATED_TOKEN_FILE) cannot be read, or holds no token.")
    if ends <= now:
        return Words("The federated token in its file expired at %(time)s.", time=f"{ends:%Y-%m-%d %H:%M} UTC")
    return None


def _opened(snapshot: Snapshot, key: str) -> str:
    try:
        return snapshot.text(key)
    except EncryptionError:  # told apart: it cannot be read
        return ""
