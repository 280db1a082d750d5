"""The redirect URI: one exact text, shown to be copied into Entra and sent to Microsoft byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request, url_for

from flask_ms365.config import LOOPBACK_HOSTS
from flask_ms365.settings import Snapshot

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?|[0-9a-f:.]+", re.ASCII)  # a name, or an IPv6 address
_GUESS = "This is only a guess. Nobody can connect a mailbox until an admin has confirmed the address."


@dataclass(frozen=True, kw_only=True)
class RedirectURI:
    """The value, where it comes from, and what looks wrong with it.

    ``offered`` is the base address that an admin may confirm instead; nobody can connect while one must.
    """

    value: str
    source: str
    warnings: list[str]
    needs_confirmation: bool
    offered: str | None


def redirect_uri(snapshot: Snapshot) -> RedirectURI:
    """Return the redirect URI as configured, as confirmed by an admin, or as a guess from this request."""
    fixed = current_app.config["MS365_PUBLIC_BASE_URL"]
    here = present_base_url()
    base = str(fixed or snapshot.confirmed_base_url or here)
    if fixed:
        source = "set by MS365_PUBLIC_BASE_URL"
    elif snapshot.confirmed_base_url:
        source = "confirmed by an admin"
    else:
        source = "a guess from this request"
    needs_confirmation = not fixed and snapshot.confirmed_base_url is None
    return RedirectURI(
        value=base + _callback_path(),
        source=source,
        warnings=([_GUESS] if needs_confirmation else []) + _warnings(base, here),
        needs_confirmation=needs_confirmation,
        offered=None if fixed or here == snapshot.confirmed_base_url or not _has_plain_host(here) else here,
    )


def present_base_url() -> str:
    """Return the address under which this page was opened."""
    return request.url_root.rstrip("/")


def _callback_path() -> str:
    """Return the callback's path below the app's root, also when mounted inside a host's blueprint."""
    return url_for(".oauth_callback").removeprefix(request.script_root)


def _warnings(base: str, here: str) -> list[str]:
    warnings = []
    parts = urlsplit(base)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        warnings.append("Microsoft accepts only https addresses, except on localhost.")
    if _origin(base) != _origin(here):
        warnings.append(
            f"You opened this page as {here}. "
            "Behind a proxy? Then tell the app so with ProxyFix (X-Forwarded-Proto and X-Forwarded-Host)."
        )
    return warnings


def _has_plain_host(url: str) -> bool:
    """Tell whether the Host header was a name or an address; not every Werkzeug refuses the rest."""
    return _HOST.fullmatch(urlsplit(url).hostname or "") is not None


def _origin(url: str) -> tuple[str, str, int]:
    """Return what browsers compare: letter case, a dot at the end and the usual port make no difference."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
