"""Every component in every state, on one page: for those who write a style sheet, and for the tests of ours."""

from __future__ import annotations

from datetime import datetime, timezone

from flask import current_app, render_template
from flask.typing import ResponseReturnValue

from flask_ms365.web.problem import not_found

_NOW = datetime(2026, 3, 3, 9, 2, tzinfo=timezone.utc)  # the same on every picture


def gallery() -> ResponseReturnValue:
    """Show the gallery; only in debug mode is there one."""
    if not current_app.debug:
        return not_found()
    return render_template("ms365/gallery.html", now=_NOW)
