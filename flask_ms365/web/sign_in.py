"""*Sign in with Microsoft* for the host: the button on its own page, the way out, and the page that says why it failed.

What comes back from Microsoft arrives in ``callback.py``, and the host's handler takes it in.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.settings.registration import allowed_accounts
from flask_ms365.state import State, current_state
from flask_ms365.web.callback import outcome_notices, present_outcome, to_microsoft
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.obstacle import sign_in_obstacle
from flask_ms365.web.problem import not_found
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice, mount
from flask_ms365.words import Words

_LONGEST_PATH = 2000  # characters
_NOT_SIGNED_IN = Words("Not signed in")
_SIGNED_IN = Notice(kind="ok", title=Words("Signed in"))


@dataclass(frozen=True, kw_only=True)
class SignInButton:
    """Where the button's form is sent, and the token that it carries."""

    url: str
    token_name: str
    token: str


def sign_in() -> ResponseReturnValue:
    """Send a visitor to Microsoft; else tell how the last sign-in ended, with the button to try again."""
    state = current_state()
    if request.method == "POST":
        return _begin(state) if is_sign_in_on(state) else not_found()
    notices = outcome_notices("", done=_SIGNED_IN, failed=_NOT_SIGNED_IN)
    if not notices and not is_sign_in_on(state):
        return not_found()
    flow = present_outcome("")
    return _page(notices, flow.next_path if flow else None)


def sign_in_button() -> SignInButton | None:
    """Return what the button on a page of the host needs; None where nobody could sign in."""
    if not is_sign_in_on(current_state()):
        return None
    form = CsrfForm()
    token = form[form.meta.csrf_field_name]
    return SignInButton(url=url_for(f"{mount()}.sign_in"), token_name=token.name, token=token.current_token)


def is_sign_in_on(state: State) -> bool:
    """Tell whether people may sign in to the host with a Microsoft account."""
    snapshot = current_snapshot()
    has_handler = state.host_sign_in.handler is not None
    return has_handler and allowed_accounts(snapshot) is not None and not snapshot.missing_credentials


def path_of_this_host(text: str | None) -> str | None:
    """Return ``text`` where browsers take it for a path of the host that they are at, else None.

    It is looked at as it is, decoded, and as look-alikes of other scripts are read: whatever leads to another host in
    any browser or proxy is refused.
    """
    if not text or len(text) > _LONGEST_PATH:
        return None
    decoded = unquote(text)
    readings = (text, decoded, unicodedata.normalize("NFKC", decoded))
    return text if all(map(_is_path, readings)) else None


def _is_path(text: str) -> bool:
    return text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()


def _begin(state: State) -> ResponseReturnValue:
    next_path = path_of_this_host(request.form.get("next"))
    if not CsrfForm().validate():
        return _refused(Words("This page was open too long."), Words("Press the button again."), next_path)
    if sign_in_obstacle(state):  # what it is, is for admins, who see it on the settings page
        text = Words("Signing in with Microsoft is not possible yet.")
        return _refused(text, Words("Ask an admin of this app."), next_path)
    uri = redirect_uri(current_snapshot()).value
    return to_microsoft(state.host_sign_in.begin(redirect_uri=uri, next_path=next_path), uri)


def _refused(text: str, next_step: str, next_path: str | None) -> str:
    return _page([Notice(kind="bad", title=_NOT_SIGNED_IN, text=text, next_step=next_step)], next_path)


def _page(notices: list[Notice], next_path: str | None) -> str:
    return render_template("ms365/sign_in.html", notices=notices, next_path=next_path or "")
