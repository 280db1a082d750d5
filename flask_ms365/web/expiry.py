"""The banner that counts the last days of the credential, and putting it aside."""

from __future__ import annotations

from dataclasses import dataclass

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import MS365Error
from flask_ms365.permissions import Permission
from flask_ms365.settings.catalog import HELD_IN
from flask_ms365.settings.expiry import Expiry
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.state import current_state
from flask_ms365.told import is_told, tell
from flask_ms365.web.access import is_allowed
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.snapshot import current_snapshot

# the pages of admins: only they are reminded, and only on these
_PAGES = ("overview", "settings", "setup", "check", "audit")


@dataclass(frozen=True, kw_only=True)
class Banner:
    """What the header shows. ``form`` is None for visitors without a name: for whom would it be put aside?"""

    expiry: Expiry
    form: CsrfForm | None
    page: str

    @property
    def kind(self) -> str:
        """The tone of the notice."""
        return "bad" if self.expiry.has_ended else "warn"

    @property
    def url(self) -> str:
        """Where the credential is replaced."""
        return replace_url(self.expiry)


def expiry_banner() -> Banner | None:
    """Return the banner for this page and visitor, if there is one; at most one statement beside the settings."""
    page = (request.endpoint or "").rpartition(".")[2]
    if page not in _PAGES or not is_allowed(Permission.MANAGE_SETTINGS):
        return None
    due, user_id = current_expiry(), current_state().current_user_id()
    if due is None or due.threshold is None:
        return None
    if user_id and is_told(current_state().session, due.subject, user_id=user_id):
        return None
    return Banner(expiry=due, form=CsrfForm() if user_id else None, page=page)


def replace_url(expiry: Expiry) -> str:
    """Return the place on the settings page where a credential is replaced."""
    return f"{url_for('.settings')}#{HELD_IN[expiry.kind]}-value"


def dismiss() -> ResponseReturnValue:
    """Put the banner aside for this admin, until the next threshold; go back to where it was."""
    state, page = current_state(), request.form.get("page")
    due, user_id = current_expiry(), state.current_user_id()
    # what was put aside is what was shown: a page that was open for a week shows an old threshold
    is_shown = due is not None and due.threshold is not None and request.form.get("subject") == due.subject
    if due is not None and is_shown and user_id and CsrfForm().validate():
        tell(state.session, due.subject, at=state.clock(), user_id=user_id)
    return redirect(url_for(f".{page}" if page in _PAGES else ".overview"), 303)


def current_expiry() -> Expiry | None:
    """Return how long the credential in use has, as far as the settings can be read."""
    try:
        return credential_expiry(current_snapshot(), current_state().clock())
    except MS365Error:  # told elsewhere; a banner must not hide it
        return None
