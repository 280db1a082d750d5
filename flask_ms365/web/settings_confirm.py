"""What is done only after a second look: removing a secret or certificate, and giving up every value of one's own."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import EncryptionError, InvalidSettings, SettingsChanged
from flask_ms365.settings import CATALOG, USE_DEFAULT, Changes, UseDefault, spec_of
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.setting_fields import shown_value
from flask_ms365.web.snapshot import current_snapshot, fresh_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words


def settings_remove_secret() -> ResponseReturnValue:
    """Remove the stored client secret, once it was said what stops."""
    return _remove(
        "client_secret",
        title=Words("Remove the client secret?"),
        button=Words("Remove the client secret"),
        deleted=Words("The stored client secret is deleted. It cannot be read back, here or in Entra."),
        inherited=Words("From then on the client secret of the deployment, in app.config, is used."),
    )


def settings_remove_certificate() -> ResponseReturnValue:
    """Remove the stored certificate with its private key, once it was said what stops."""
    return _remove(
        "client_certificate",
        title=Words("Remove the client certificate?"),
        button=Words("Remove the client certificate"),
        deleted=Words("The stored certificate and its private key are deleted. Neither can be read back."),
        inherited=Words("From then on the client certificate of the deployment, in app.config, is used."),
    )


def settings_reset() -> ResponseReturnValue:
    """Give up every value of one's own, once it was said what changes."""
    snapshot = current_snapshot()
    changes = {spec.key: USE_DEFAULT for spec in CATALOG if snapshot.stored(spec.key)}
    return _confirmed(
        snapshot,
        changes,
        title=Words("Reset all settings to their defaults?"),
        button=Words("Reset all to defaults"),
        consequences=[Words("These values are deleted here, and what the deployment or this app says holds instead.")],
        differences=[_difference(snapshot, key) for key in changes],
    )


def _remove(key: str, *, title: str, button: str, deleted: str, inherited: str) -> ResponseReturnValue:
    snapshot = current_snapshot()
    changes: dict[str, str | UseDefault] = {key: USE_DEFAULT}
    stops: str
    if snapshot.credential_key != key:
        stops = Words("It is not in use, so nothing stops.")
    elif snapshot.inherited(key).value:
        stops = inherited
    elif snapshot.is_sync_on:
        changes["email_sync"] = "0"
        stops = Words("Emails sync is switched off, and nobody can sign in. What was synced stays.")
    else:
        stops = Words("Nobody can sign in until there is a new one.")
    changes = changes if snapshot.stored(key) else {}
    return _confirmed(snapshot, changes, title=title, button=button, consequences=[deleted, stops])


def _confirmed(
    snapshot: Snapshot,
    changes: Changes,
    *,
    title: str,
    button: str,
    consequences: Sequence[str],
    differences: Sequence[tuple[str, object, object]] = (),
) -> ResponseReturnValue:
    """Ask; and once the answer is yes, save and go back to the settings."""
    if not changes:
        return redirect(url_for(".settings"), 303)
    form, notices = CsrfForm(), []
    if request.method == "POST" and form.validate():
        try:
            current_state().settings.save(
                changes, version=request.form.get("version", -1, type=int), actor=current_state().current_user_id()
            )
            return redirect(url_for(".settings", saved=fresh_snapshot().version), 303)
        except EncryptionError as exc:
            notices = [_refused(exc.words)]
        except InvalidSettings as exc:
            notices = [_refused(problem) for problem in exc.problems.values()]
        except SettingsChanged:
            notices = [_refused(Words("Somebody else saved the settings meanwhile. Look again at what changes."))]
    return render_template(
        "ms365/settings_confirm.html",
        form=form,
        version=snapshot.version,
        title=title,
        button=button,
        consequences=consequences,
        differences=differences,
        notices=notices,
    )


def _refused(text: str) -> Notice:
    return Notice(kind="bad", title=Words("Nothing was changed"), text=text)


def _difference(snapshot: Snapshot, key: str) -> tuple[str, object, object]:
    """Return the label of a setting, its value now, and what *Use default* would make of it."""
    spec = spec_of(key)
    try:
        now = shown_value(spec, snapshot.effective(key), snapshot)
    except EncryptionError:  # sealed with a key that is not here
        now = Words("Stored")
    return spec.label, now, shown_value(spec, snapshot.inherited(key), snapshot)
