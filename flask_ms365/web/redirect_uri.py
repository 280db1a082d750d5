"""The redirect URI: one exact text, shown to be copied into Entra and sent to Microsoft byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import current_app, request, url_for

from flask_ms365.identity.redirect_uri import redirect_uri_problems
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.?|[0-9a-f:.]+", re.ASCII)  # a name, or an IPv6 address
_GUESS = Words("This is only a guess. Nobody can connect a mailbox until an admin has confirmed the address.")


@dataclass(frozen=True, kw_only=True)
class RedirectURI:
    """The value, where it comes from, and what looks wrong with it.

    ``offered`` is the base address that an admin may confirm instead; nobody can connect while one must.
    """

    value: str
    source: Words
    warnings: list[Words]
    needs_confirmation: bool
    offered: str | None


def redirect_uri(snapshot: Snapshot) -> RedirectURI:
    """Return the redirect URI as configured, as confirmed by an admin, or as a guess from this request."""
    fixed = current_app.config["MS365_PUBLIC_BASE_URL"]
    here = present_base_url()
    base = public_base_url(snapshot)
    if fixed:
        source = Words("set by MS365_PUBLIC_BASE_URL")
    elif snapshot.confirmed_base_url:
        source = Words("confirmed by an admin")
    else:
        source = Words("a guess from this request")
    needs_confirmation = not fixed and snapshot.confirmed_base_url is None
    value = base + path_of(".oauth_callback")
    return RedirectURI(
        value=value,
        source=source,
        warnings=[*([_GUESS] if needs_confirmation else []), *redirect_uri_problems(value), *_differences(base, here)],
        needs_confirmation=needs_confirmation,
        offered=None if fixed or here == snapshot.confirmed_base_url or not _has_plain_host(here) else here,
    )


def public_base_url(snapshot: Snapshot) -> str:
    """Return the address that people use: as configured, as confirmed by an admin, or as a guess from this request."""
    return str(current_app.config["MS365_PUBLIC_BASE_URL"] or snapshot.confirmed_base_url or present_base_url())


def present_base_url() -> str:
    """Return the address under which this page was opened."""
    return request.url_root.rstrip("/")


def path_of(endpoint: str) -> str:
    """Return the path of a page of ours below the app's root, also when mounted inside a host's blueprint."""
    return url_for(endpoint).removeprefix(request.script_root)


def _differences(base: str, here: str) -> Iterator[Words]:
    """Say how this page was opened, where that differs, and which setting of a proxy would mend it."""
    public, present = urlsplit(base), urlsplit(here)
    differs = {
        "X-Forwarded-Proto": public.scheme != present.scheme,
        "X-Forwarded-Host": _host(base) != _host(here),
        "X-Forwarded-Prefix": public.path.rstrip("/") != present.path.rstrip("/"),
    }
    headers = [header for header, is_different in differs.items() if is_different]
    if headers:
        yield Words("You opened this page as %(address)s.", address=here)
        yield _proxy_setting(headers)


def _proxy_setting(headers: list[str]) -> Words:
    """Name what is missing behind a proxy: its headers, or the app's trust in them."""
    options = [f"x_{header.rpartition('-')[2].lower()}=1" for header in headers]
    named = {"headers": ", ".join(headers), "proxy_fix": f"ProxyFix({', '.join(options)})"}
    if all(header in request.headers for header in headers):
        return Words("The proxy sends %(headers)s, but the app does not read that: add %(proxy_fix)s.", **named)
    return Words("Behind a proxy? Let it send %(headers)s, and add %(proxy_fix)s to the app.", **named)


def _has_plain_host(url: str) -> bool:
    """Tell whether the Host header was a name or an address; not every Werkzeug refuses the rest."""
    return _HOST.fullmatch(urlsplit(url).hostname or "") is not None


def _host(url: str) -> tuple[str, int | None]:
    """Return what browsers compare: letter case, a dot at the end and the usual port make no difference."""
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return (parts.hostname or "").rstrip("."), None if parts.port == usual else parts.port
