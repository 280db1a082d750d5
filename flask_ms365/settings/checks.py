"""What a setting may look like. Each check returns the text to store, or raises ValueError with what to do."""

from __future__ import annotations

import re
from datetime import date

from flask_ms365.identity.certificate import checked_certificate
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.words import Words

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]", re.IGNORECASE | re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_A_CENTURY = 36500  # days
_LARGEST_ATTACHMENT = 50  # MB; it is in memory, whole, while it is stored
_LONGEST_SECRET = 1000  # Entra makes 40 characters
_ON, _OFF = {"1", "true", "yes", "on", "y"}, {"0", "false", "no", "off", "n"}
_CREDENTIALS = ("secret", "certificate", "federated")
# accounts of any tenant may sign in
ANY_TENANT = ("organizations", "common", "consumers")


def is_guid(text: str) -> bool:
    """Tell whether ``text`` has the shape of every id that Entra gives."""
    return _GUID.fullmatch(text) is not None


def client_id(text: str) -> str:
    """Return the application id in lower case."""
    if not is_guid(text):
        raise ValueError(Words("Application (Client) ID must look like 00000000-0000-0000-0000-000000000000"))
    return text.lower()


def client_secret(text: str) -> str:
    """Refuse the Secret ID, which stands beside the value in the Entra portal and is pasted by mistake."""
    if len(text) > _LONGEST_SECRET:
        raise ValueError(Words("This is too long for a client secret. Paste the Value alone"))
    if is_guid(text):
        raise ValueError(Words("This looks like the Secret ID. Paste the Value of the client secret instead"))
    return text


def client_certificate(text: str) -> str:
    """Return the private key and its certificate, as PEM."""
    return checked_certificate(text)


def credential(text: str) -> str:
    """Return the kind of credential that the app uses."""
    if text not in _CREDENTIALS:
        raise ValueError(Words("Credential must be one of %(kinds)s", kinds=", ".join(_CREDENTIALS)))
    return text


def tenant_id(text: str) -> str:
    """Return a tenant GUID, a domain, or one of Microsoft's three names for any tenant, in lower case."""
    lowered = text.lower()
    domain = lowered.rpartition("@")[2]
    if "@" in text and _DOMAIN.fullmatch(domain):
        raise ValueError(Words("This is an email address. Its tenant is probably %(domain)s", domain=domain))
    if len(lowered) > 253 or not (lowered in ANY_TENANT or is_guid(lowered) or _DOMAIN.fullmatch(lowered)):
        raise ValueError(Words("Directory (Tenant) ID must be a GUID, or a domain such as contoso.onmicrosoft.com"))
    return lowered


def cloud(text: str) -> str:
    """Return the key of one of Microsoft's clouds."""
    if text not in CLOUDS:
        raise ValueError(Words("Microsoft cloud must be one of %(clouds)s", clouds=", ".join(CLOUDS)))
    return text


def toggle(text: str) -> str:
    """Return ``1`` or ``0``."""
    lowered = text.lower()
    if lowered not in _ON | _OFF:
        raise ValueError(Words("This must be on or off"))
    return "1" if lowered in _ON else "0"


def sync_interval(text: str) -> str:
    """Return whole minutes."""
    minutes = _whole_number(text)
    if minutes is None or not 1 <= minutes <= 1440:
        raise ValueError(Words("Sync interval must be a number of minutes from 1 to 1440"))
    return str(minutes)


def sync_since(text: str) -> str:
    """Return whole days."""
    days = _whole_number(text)
    if days is None or days > _A_CENTURY:
        raise ValueError(Words("This must be a number of days, or 0 for all mail"))
    return str(days)


def keep_removed(text: str) -> str:
    """Return whole days."""
    days = _whole_number(text)
    if days is None or days > _A_CENTURY:
        raise ValueError(Words("This must be a number of days, or 0 to keep it for ever"))
    return str(days)


def store_attachments(text: str) -> str:
    """Return whole megabytes."""
    megabytes = _whole_number(text)
    if megabytes is None or megabytes > _LARGEST_ATTACHMENT:
        raise ValueError(Words("This must be a number of megabytes from 1 to 50, or 0 to store none"))
    return str(megabytes)


def expiry_date(text: str) -> str:
    """Return a day as 2026-12-05, the way that browsers send it."""
    try:
        # what else counts as ISO 8601 differs from one Python to the next
        return date.fromisoformat(text if _DAY.fullmatch(text) else "").isoformat()
    except ValueError:
        raise ValueError(Words("Enter the day as year-month-day, such as 2026-12-05")) from None


def sign_in_tenants(text: str) -> str:
    """Return tenant GUIDs in lower case, each once, with commas between them."""
    names = _listed(text)
    for name in names:
        if not is_guid(name):
            raise ValueError(Words("%(name)s is no Directory (Tenant) ID. It must be a GUID", name=name))
    return ", ".join(names)


def sign_in_domains(text: str) -> str:
    """Return domains in lower case, each once, with commas between them."""
    names = [name.removeprefix("@") for name in _listed(text)]
    for name in names:
        if len(name) > 253 or not _DOMAIN.fullmatch(name):
            raise ValueError(Words("%(name)s is no domain. It must look like contoso.com", name=name))
    return ", ".join(names)


def _listed(text: str) -> list[str]:
    """Return what stands between commas, semicolons, spaces and line breaks, each once."""
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    # not of other letters, some of which turn into ASCII ones
    return list(dict.fromkeys(part.lower() if part.isascii() else part for part in parts))


def _whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) else None
