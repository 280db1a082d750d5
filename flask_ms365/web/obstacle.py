"""Why nobody can sign in at Microsoft yet."""

from __future__ import annotations

from flask import url_for

from flask_ms365.errors import MS365Error, NoEncryptionKey
from flask_ms365.permissions import Permission
from flask_ms365.state import State
from flask_ms365.web.access import is_allowed
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.words import Words


def sign_in_obstacle(state: State) -> str | None:
    """Return why connecting is not possible yet, in words for the person who waits for it."""
    if not state.keyring:
        return NoEncryptionKey().words
    try:
        state.registration(current_snapshot())
    except MS365Error as exc:
        return exc.words
    if redirect_uri(current_snapshot()).needs_confirmation:
        return Words("An admin must confirm the redirect URI on the settings page first.")
    return None


def settings_link() -> tuple[str, str] | None:
    """Return the link to where it is mended, for those who may go there."""
    return (Words("Settings"), url_for(".settings")) if is_allowed(Permission.MANAGE_SETTINGS) else None
