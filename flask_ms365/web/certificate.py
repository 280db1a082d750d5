"""The certificate that the app signs in with: made here, and its public half for Entra."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import EncryptionError, InvalidSettings
from flask_ms365.identity.certificate import new_certificate, read_certificate
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.portal import portal_url
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import not_found
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.setting_fields import certificate_details
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_KEY = "client_certificate"
_DAYS = 365


def settings_certificate() -> ResponseReturnValue:
    """Say what to do with the certificate there is; make a new one and come back."""
    snapshot, form, notices = current_snapshot(), CsrfForm(), []
    if request.method == "POST":
        problem = _make(snapshot) if form.validate() else Words("This page was open too long. Try again.")
        if problem is None:
            return redirect(url_for(".settings_certificate", made=1), 303)
        notices.append(Notice(kind="bad", title=Words("No certificate was made"), text=problem))
    pem, problem = _present(snapshot)
    if problem:
        notices.append(Notice(kind="bad", title=Words("The stored certificate cannot be read"), text=problem))
    if pem and request.method == "GET" and "made" in request.args:
        notices.append(Notice(kind="ok", title=Words("A new certificate is stored")))
    cloud, client_id = snapshot.text("cloud"), snapshot.text("client_id")
    return render_template(
        "ms365/certificate.html",
        form=form,
        notices=notices,
        details=certificate_details(pem) if pem else (),
        is_in_use=snapshot.credential_key == _KEY,
        consequences=_consequences(snapshot),
        entra=portal_url("secrets", CLOUDS[cloud], client_id),
    )


def settings_certificate_pem() -> ResponseReturnValue:
    """Give the public half, which Entra wants and anybody may know."""
    pem, _ = _present(current_snapshot())
    if not pem:
        return not_found()
    response = Response(read_certificate(pem).public_pem, mimetype="application/x-pem-file")
    response.headers["Content-Disposition"] = "attachment; filename=microsoft-365-certificate.pem"
    return response


def _make(snapshot: Snapshot) -> str | None:
    """Store a new certificate; return why that was refused."""
    state, host = current_state(), urlsplit(redirect_uri(snapshot).value).hostname
    pem = new_certificate(f"Mail of {host}", now=state.clock(), days=_DAYS)
    try:
        state.settings.save({_KEY: pem}, actor=state.current_user_id())
    except InvalidSettings as exc:
        return exc.problems[_KEY]
    except EncryptionError as exc:
        return exc.words
    return None


def _present(snapshot: Snapshot) -> tuple[str, str]:
    """Return the certificate that holds, and why it cannot be read; either may be empty."""
    try:
        return snapshot.text(_KEY), ""
    except EncryptionError as exc:
        return "", exc.words


def _consequences(snapshot: Snapshot) -> Sequence[str]:
    """Say what a new one does to the one there is."""
    if not snapshot.is_set(_KEY):
        return ()
    if snapshot.credential_key != _KEY:
        return (Words("It takes the place of the present one, which is not in use."),)
    return (
        Words(
            "It takes the place of the present one. Mail goes on: the present one serves until the new one has worked."
        ),
        Words("Leave the present one in Entra until then."),
    )
