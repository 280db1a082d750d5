"""Admin consent: the link that anybody may forward, what it asks for, and how it went."""

from __future__ import annotations

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from flask_ms365.identity.advice import advise
from flask_ms365.identity.portal import admin_consent_url
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.mailboxes.grants import consent_scopes
from flask_ms365.settings.registration import without_credential
from flask_ms365.state import current_state
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

GIVEN = Notice(
    kind="ok",
    title=Words("Admin consent was given"),
    text=Words("Microsoft says that this app may now be used in your organisation."),
    next_step=Words("The next sign-in shows whether it holds."),
)
NOT_GIVEN: str = Words("Admin consent was not given")


def scopes_of_consent(registration: AppRegistration) -> tuple[str, ...]:
    """Return what an admin is asked to allow: the least, and what the mailboxes that there are need beside it."""
    return consent_scopes(current_state().mailboxes.ways_in_use(), registration.graph)


def consent_url() -> str:
    """Return the link to forward, without a state: whoever opens it is no visitor of ours. Empty without client id."""
    snapshot = current_snapshot()
    registration = without_credential(snapshot, current_app.config)
    if not registration.client_id:
        return ""
    return admin_consent_url(registration, redirect_uri(snapshot).value, scopes=scopes_of_consent(registration))


def consent_returned() -> ResponseReturnValue:
    """Tell an admin, who may be nobody here, how their consent went; anybody can open this, so it proves nothing."""
    error = request.args.get("error", "")
    if error:
        advice = advise(error, request.args.get("error_description", ""))
        title, text, next_step = NOT_GIVEN, advice.message, advice.next_step
    else:
        title, text = GIVEN.title, GIVEN.text
        next_step = Words("You can close this page. Whoever set this app up can go on with the next step.")
    return render_template("ms365/problem.html", title=title, text=text, next_step=next_step)
