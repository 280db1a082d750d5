"""The setup guide: seven steps that tick themselves, with everything to copy on the way."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.new_app import NewApp
from flask_ms365.identity.portal import PAGES, portal_url
from flask_ms365.identity.scopes import PERMISSIONS, SCOPES
from flask_ms365.identity.sign_in import Purpose
from flask_ms365.mailboxes.proofs import read_proofs
from flask_ms365.settings.registration import without_credential
from flask_ms365.state import current_state
from flask_ms365.web.callback import outcome_notices, to_microsoft
from flask_ms365.web.consent import GIVEN, NOT_GIVEN, consent_url, scopes_of_consent
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.setup_steps import setup_steps
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.words import Words

# kind of credential -> what the Microsoft admin does about it
_CREDENTIAL: dict[str, Words] = {
    "secret": Words("Certificates & secrets: create a new client secret."),
    "certificate": Words("Certificates & secrets, Certificates: upload the certificate that I send along."),
    "federated": Words(
        "Certificates & secrets, Federated credentials: add one with issuer, subject and audience as I send them along."
    ),
}
_SECRET_BACK = (
    Words("- Client secret: its Value, not the Secret ID, and the day it expires"),
    "",
    Words("The Value is a password. Please hand it over by a password manager or in person rather than by mail."),
)


def setup() -> ResponseReturnValue:
    """Show the guide."""
    state, snapshot = current_state(), current_snapshot()
    uri, client_id = redirect_uri(snapshot), snapshot.text("client_id")
    cloud = CLOUDS[snapshot.text("cloud")]
    host = urlsplit(uri.value).hostname or ""
    app = NewApp(name=f"Mail of {host}", redirect_uri=uri.value, cloud=cloud, tenant=snapshot.text("tenant_id"))
    consent = consent_url()
    proofs = read_proofs(state.session, client_id=client_id, redirect_uri=uri.value)
    return render_template(
        "ms365/setup.html",
        steps=setup_steps(snapshot, proofs, now=state.clock()),
        credential=snapshot.credential_kind,
        app=app,
        client_id=client_id,
        redirect_uri=uri,
        permissions=PERMISSIONS,
        scopes=" ".join(SCOPES),
        form=CsrfForm(),
        consent_url=consent,
        entra={key: (page.label, portal_url(key, cloud, client_id)) for key, page in PAGES.items()},
        graph=cloud.graph,
        request_lines=_request(app, host, consent, snapshot.credential_kind),
        check_url=url_for(".check"),
        notices=outcome_notices(state.current_user_id() or "", done=GIVEN, failed=NOT_GIVEN),
    )


def setup_consent() -> ResponseReturnValue:
    """Send an admin to Microsoft, to allow the app for everybody there."""
    state, snapshot = current_state(), current_snapshot()
    user_id, registration = state.current_user_id(), without_credential(snapshot, current_app.config)
    uri = redirect_uri(snapshot)
    may_begin = user_id and CsrfForm().validate() and registration.client_id and not uri.needs_confirmation
    if not may_begin or not state.keyring or snapshot.missing_keys:
        return redirect(url_for(".setup"), 303)
    started = state.sign_in.begin(
        registration,
        purpose=Purpose.CONSENT,
        user_id=str(user_id),
        redirect_uri=uri.value,
        scopes=scopes_of_consent(registration),
    )
    return to_microsoft(started, uri.value)


def _request(app: NewApp, host: str, consent_url: str, credential: str) -> list[str]:
    """Return, line by line, what to send to the Microsoft admin."""
    consent = (
        Words("Grant admin consent with this link: %(url)s", url=consent_url)
        if consent_url
        else Words("Then choose Grant admin consent on the page API permissions.")
    )
    return [
        Words("Please register an app in Microsoft Entra, so that %(host)s can read mail of Microsoft 365.", host=host),
        "",
        Words("New registration: %(url)s", url=portal_url("new_app", app.cloud)),
        Words("Name: %(name)s", name=app.name),
        Words("Supported account types: %(types)s", types=app.account_types),
        Words("Redirect URI, platform Web: %(uri)s", uri=app.redirect_uri),
        Words("API permissions, Microsoft Graph, delegated: %(permissions)s", permissions=" ".join(SCOPES)),
        consent,
        _CREDENTIAL[credential],
        "",
        Words("Please send back:"),
        Words("- Application (client) ID"),
        Words("- Directory (tenant) ID"),
        *(_SECRET_BACK if credential == "secret" else ()),
    ]
