"""The setup guide: seven steps that tick themselves, with everything to copy on the way."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.identity.advice import advise
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.new_app import NewApp
from flask_ms365.identity.portal import PAGES, admin_consent_url, portal_url
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.scopes import PERMISSIONS, SCOPES
from flask_ms365.mailboxes.proofs import read_proofs
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import current_state
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
    uri, client_id = redirect_uri(snapshot), _text(snapshot, "client_id")
    cloud = CLOUDS[_text(snapshot, "cloud")]
    host = urlsplit(uri.value).hostname or ""
    app = NewApp(name=f"Mail of {host}", redirect_uri=uri.value, cloud=cloud, tenant=_text(snapshot, "tenant_id"))
    consent_url = admin_consent_url(_registration(snapshot), uri.value) if client_id else ""
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
        consent_url=consent_url,
        entra={key: (page.label, portal_url(key, cloud, client_id)) for key, page in PAGES.items()},
        graph=cloud.graph,
        request_lines=_request(app, host, consent_url, snapshot.credential_kind),
        check_url=url_for(".check"),
    )


def consent_returned() -> ResponseReturnValue:
    """Tell an admin, who may be nobody here, how their consent went; anybody can open this, so it proves nothing."""
    error = request.args.get("error", "")
    if error:
        advice = advise(error, request.args.get("error_description", ""))
        title, text, next_step = Words("Admin consent was not given"), advice.message, advice.next_step
    else:
        title = Words("Admin consent was given")
        text = Words("Microsoft says that this app may now be used in your organisation.")
        next_step = Words("You can close this page. Whoever set this app up can go on with the next step.")
    return render_template("ms365/problem.html", title=title, text=text, next_step=next_step)


def _text(snapshot: Snapshot, key: str) -> str:
    return str(snapshot.effective(key).value or "")


def _registration(snapshot: Snapshot) -> AppRegistration:
    """Return as much of the registration as a link needs: there is no secret yet when consent is asked for."""
    cloud, config = CLOUDS[_text(snapshot, "cloud")], current_app.config
    return AppRegistration(
        client_id=_text(snapshot, "client_id"),
        credential=None,
        tenant=_text(snapshot, "tenant_id"),
        authority=config["MS365_AUTHORITY_URL"] or cloud.login,
        graph=config["MS365_GRAPH_URL"] or cloud.graph,
    )


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
