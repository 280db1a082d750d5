"""Every ``MS365_*`` key once: its name, its default, and one line of why.

The defaults of single settings (``MS365_CLIENT_ID``, ``MS365_SYNC_INTERVAL`` ...) are not here: they belong to the
settings catalog, which derives their names from the setting's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from flask_ms365.errors import ConfigurationError

DEFAULTS: dict[str, Any] = {
    # where the blueprint is mounted
    "MS365_URL_PREFIX": "/ms365",
    # the address people use; fixes the advertised redirect URI, whatever a proxy or a Host header says
    "MS365_PUBLIC_BASE_URL": None,
    # Fernet keys (list, or one comma-separated string): the first encrypts, all decrypt
    "MS365_ENCRYPTION_KEYS": None,
    "MS365_ENCRYPTION_KEYS_FILE": None,
    # where another provider (Kubernetes, GitHub) keeps a token that stands for this app; never from a form, since
    # whoever names a file could have any of them read
    "MS365_FEDERATED_TOKEN_FILE": None,
    # settings that the page shows but may not change
    "MS365_LOCKED_SETTINGS": (),
    # other endpoints than the cloud's (a simulator, a proxy): origins, without tenant and without /v1.0
    "MS365_AUTHORITY_URL": None,
    "MS365_GRAPH_URL": None,
    # apscheduler, celery, external, or package.module:object
    "MS365_JOB_HOOK": "apscheduler",
    # what the pages extend
    "MS365_BASE_TEMPLATE": "ms365/base.html",
    # how long a worker may hold a mailbox without storing a page
    "MS365_LEASE_SECONDS": 90,
    # opens /health and /metrics to whatever watches the app, as a bearer token; without it only admins get an answer
    "MS365_MONITORING_TOKEN": None,
    # show the first three characters of a stored secret, as the Entra portal does
    "MS365_SHOW_SECRET_PREFIX": True,
}

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def apply_defaults(config: dict[str, Any]) -> None:
    """Fill in what the host left out, and refuse addresses that would leak tokens or could never work."""
    for key, default in DEFAULTS.items():
        config.setdefault(key, default)
    for key in ("MS365_AUTHORITY_URL", "MS365_GRAPH_URL"):
        if config[key]:
            config[key] = safe_origin(key, str(config[key]))
    if config["MS365_PUBLIC_BASE_URL"]:
        config["MS365_PUBLIC_BASE_URL"] = base_url("MS365_PUBLIC_BASE_URL", str(config["MS365_PUBLIC_BASE_URL"]))
    config["MS365_LOCKED_SETTINGS"] = tuple(listed(config["MS365_LOCKED_SETTINGS"]))


def safe_origin(key: str, url: str) -> str:
    """Return ``url`` as an origin; raise :exc:`ConfigurationError` unless https, or http on loopback."""
    parts = _web_address(url)
    is_safe = parts and (parts.scheme == "https" or parts.hostname in LOOPBACK_HOSTS)
    if not parts or not is_safe or parts.path.strip("/"):
        raise ConfigurationError(
            f"{key} must be an origin such as https://host (http on loopback only), without a path; it is {url!r}."
        )
    return f"{parts.scheme}://{parts.netloc}"


def base_url(key: str, url: str) -> str:
    """Return ``url`` without its last slash; raise :exc:`ConfigurationError` unless it is an address of a web app."""
    parts = _web_address(url)
    if not parts:
        raise ConfigurationError(f"{key} must be an address such as https://app.example.com/sub; it is {url!r}.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def listed(value: object) -> list[str]:
    """Return the parts of a list, or of text with commas or line breaks: environment variables know only text."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        return _text(value).replace(",", "\n").split()
    return [_text(part) for part in value]


def secret_text(config: Mapping[str, Any], key: str) -> str | None:
    """Return ``config[key]``, or the text of the file that ``{key}_FILE`` names, or None."""
    if config.get(key) is not None:
        return str(config[key])
    path = config.get(f"{key}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{key}_FILE names {path}, which cannot be read as text.") from exc


def _web_address(url: str) -> SplitResult | None:
    """Return the parts of an http or https address that is nothing but host and path, else None."""
    try:
        parts = urlsplit(url.strip())
        is_plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if is_plain and not (parts.username or parts.query or parts.fragment) else None


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
