"""The redirect URI: one exact text, shown to be copied into Entra and sent to Microsoft byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request, url_for

from flask_ms365.config import LOOPBACK_HOSTS
from flask_ms365.settings import Snapshot


@dataclass(frozen=True, kw_only=True)
class RedirectURI:
    """The value, where it comes from, what looks wrong with it, and whether an admin must confirm it first."""

    value: str
    source: str
    warnings: list[str]
    needs_confirmation: bool


def redirect_uri(snapshot: Snapshot) -> RedirectURI:
    """Return the redirect URI as configured, as confirmed by an admin, or as a guess from this request."""
    fixed = current_app.config["MS365_PUBLIC_BASE_URL"]
    base = str(fixed or snapshot.confirmed_base_url or present_base_url()).rstrip("/")
    if fixed:
        source = "set by MS365_PUBLIC_BASE_URL"
    elif snapshot.confirmed_base_url:
        source = "confirmed by an admin"
    else:
        source = "a guess from this request"
    return RedirectURI(
        value=base + _callback_path(),
        source=source,
        warnings=_warnings(base),
        needs_confirmation=not fixed and snapshot.confirmed_base_url is None,
    )


def present_base_url() -> str:
    """Return the address under which this page was opened."""
    return request.url_root.rstrip("/")


def _callback_path() -> str:
    """Return the callback's path below the app's root, also when mounted inside a host's blueprint."""
    return url_for(".oauth_callback").removeprefix(request.script_root)


def _warnings(base: str) -> list[str]:
    warnings = []
    parts, here = urlsplit(base), urlsplit(present_base_url())
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        warnings.append("Microsoft accepts only https addresses, except on localhost.")
    if (parts.scheme, parts.netloc) != (here.scheme, here.netloc):
        warnings.append(
            f"You opened this page as {here.scheme}://{here.netloc}. "
            "Behind a proxy? Then tell the app so with ProxyFix (X-Forwarded-Proto and X-Forwarded-Host)."
        )
    return warnings
