"""What every template of ours may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, request, url_for

from flask_ms365.assets import fingerprint
from flask_ms365.permissions import Permission
from flask_ms365.web.access import is_allowed
from flask_ms365.web.banner import need_banners
from flask_ms365.web.expiry import expiry_banner
from flask_ms365.web.language import document_language, translated
from flask_ms365.web.snapshot import current_summary
from flask_ms365.words import Words


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A box above the page: ``kind`` is ok, warn, bad or info; ``link`` is (label, url)."""

    kind: str
    title: str
    text: str = ""
    next_step: str = ""
    link: Any = None
    details: Sequence[tuple[str, object]] = field(default_factory=list)
    is_open: bool = False


@dataclass(frozen=True, kw_only=True)
class NavItem:
    """An entry of our navigation."""

    label: str
    url: str
    is_current: bool
    badge: int | None = None


# endpoint, label, who sees it: those who have one of the permissions
_NAV = (
    ("overview", Words("Overview"), (Permission.MANAGE_SETTINGS,)),
    ("settings", Words("Settings"), (Permission.MANAGE_SETTINGS,)),
    ("setup", Words("Setup guide"), (Permission.MANAGE_SETTINGS,)),
    ("check", Words("Connection check"), (Permission.MANAGE_SETTINGS,)),
    ("mailboxes", Words("Mailboxes"), (Permission.MANAGE_MAILBOXES,)),
    ("my_email", Words("My email"), (Permission.OWN_MAILBOX,)),
    ("messages", Words("Messages"), (Permission.OWN_MAILBOX, Permission.READ_MAIL)),
    ("audit", Words("Audit log"), (Permission.MANAGE_SETTINGS,)),
)


def template_context() -> dict[str, Any]:
    """Return the functions and values that our templates share."""
    return {
        "ms365_base_template": current_app.config["MS365_BASE_TEMPLATE"],
        "ms365_static": _static,
        "ms365_nav": nav(),
        "ms365_banner": expiry_banner(),
        # asked by pages with a heading alone
        "ms365_needs": need_banners,
        "notices": [],
        **document_language(),
    }


def _static(name: str) -> str:
    return url_for(".static", filename=name, v=fingerprint(name))


def nav() -> list[NavItem]:
    """Return the pages that the visitor may use, from a request to any page of the host.

    The badge on the first counts the mailboxes that need a person: one statement.
    """
    prefix = mount()
    allowed = {permission for permission in Permission if is_allowed(permission)}
    return [
        NavItem(
            label=translated(label),
            url=url_for(f"{prefix}.{endpoint}"),
            is_current=request.endpoint == f"{prefix}.{endpoint}",
            badge=current_summary().need_a_person or None if endpoint == "overview" else None,
        )
        for endpoint, label, permissions in _NAV
        if allowed.intersection(permissions)
    ]


def mount() -> str:
    """Return the full name of our blueprint, which a host may have nested in its own."""
    mounts = [name for name in current_app.blueprints if name.rpartition(".")[2] == "ms365"]
    return request.blueprint if request.blueprint in mounts else mounts[0]
