"""Content-Security-Policy: ours where a page stands alone, and what a host must allow in its own."""

from __future__ import annotations

from pathlib import Path

from flask import current_app

from flask_ms365.assets import folder
from flask_ms365.config import DEFAULTS
from flask_ms365.errors import MS365Error
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.state import State, current_state
from flask_ms365.web.snapshot import current_snapshot

# what came with mail and is asked for by itself: a picture, a file
FILE_POLICY = "default-src 'none'; sandbox"


def csp_sources(state: State) -> dict[str, list[str]]:
    """Return directive -> sources. *Connect* posts here and is redirected to the login page: browsers check both."""
    return {"form-action": ["'self'", _login_origin(state)], "frame-src": ["'self'"]}


def body_policy(*, shows_images: bool) -> str:
    """Return the policy of the text of a message: nothing runs, links open elsewhere, and nothing is loaded.

    Images are those that came with it; from elsewhere only where the reader asked for them. What the sanitiser let
    through by mistake ends here.
    """
    images = "'self' data: https:" if shows_images else "'self' data:"
    return (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"img-src {images}; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )


def page_policy(*, has_forms: bool) -> str:
    """Return the policy of a page; inside a host's own base only what cannot break the host's scripts and styles.

    A page without forms, such as a refusal, needs nothing from the database.
    """
    if not _stands_alone():
        return "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    forms = " ".join(csp_sources(current_state())["form-action"]) if has_forms else "'none'"
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"frame-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def _login_origin(state: State) -> str:
    override = current_app.config["MS365_AUTHORITY_URL"]
    if override:
        return str(override)
    try:
        cloud = current_snapshot().text("cloud")
    except MS365Error:
        cloud = "global"
    return CLOUDS[cloud].login


def _stands_alone() -> bool:
    """Tell whether our own base is in use: neither another template is named, nor ours overridden."""
    if current_app.config["MS365_BASE_TEMPLATE"] != DEFAULTS["MS365_BASE_TEMPLATE"]:
        return False
    base = current_app.jinja_env.get_template("ms365/base.html").filename
    return base is not None and Path(base).is_relative_to(folder("templates"))
