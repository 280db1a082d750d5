"""The settings page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import EncryptionError, InvalidSettings, NoEncryptionKey, SettingsChanged
from flask_ms365.settings import CATALOG, USE_DEFAULT, Effective, SettingSpec, Snapshot, UseDefault
from flask_ms365.state import State, current_state
from flask_ms365.web.forms import CsrfForm, posted_changes, settings_form
from flask_ms365.web.redirect_uri import present_base_url, redirect_uri
from flask_ms365.web.words import Notice

_PREFIX_FROM = 16  # characters; three of a shorter secret would say too much
_LONGEST_VERSION = 10  # digits

_GROUPS = (("app", "App registration"), ("sync", "Emails sync"))


@dataclass(frozen=True, kw_only=True)
class StoredSecret:
    """What the page says of a secret that is stored."""

    prefix: str
    replaced_at: datetime
    replaced_by: str | None


@dataclass(frozen=True, kw_only=True)
class FieldView:
    """A setting as the template shows it."""

    key: str
    id: str
    label: str
    help: str
    kind: str
    unit: str
    mono: bool
    use_default: Any
    value: Any
    inherited: str
    source: str
    locked: str | None = None
    stored: StoredSecret | None = None
    errors: list[str] = field(default_factory=list)


def settings() -> ResponseReturnValue:
    """Show the settings; save them and come back."""
    state = current_state()
    snapshot = state.settings.read()
    is_locked = {spec.key: state.settings.deployment.is_locked(spec.key) for spec in CATALOG}
    form = settings_form(snapshot, is_locked=is_locked)
    if request.method != "POST":
        return _page(state, snapshot, form, {})
    problems, notices = _save(state, snapshot, form, is_locked)
    if problems or notices:
        # a refused save shows what holds now, with what was typed
        return _page(state, state.settings.read(), form, problems, notices)
    return redirect(url_for(".settings", saved=state.settings.read().version), 303)


def _save(
    state: State, snapshot: Snapshot, form: CsrfForm, is_locked: Mapping[str, bool]
) -> tuple[dict[str, str], list[Notice]]:
    """Save what was posted; return the problems by setting, and what concerns the page as a whole."""
    if not form.validate():
        return {}, [Notice(kind="bad", title="This page was open too long", text="Nothing was saved. Save it again.")]
    changes = posted_changes(request.form, snapshot, is_locked=is_locked)
    actor = state.current_user_id()
    try:
        state.settings.save(changes, version=_version(form), actor=actor)
        if request.form.get("confirm_redirect_uri"):
            state.settings.confirm_base_url(present_base_url(), actor=actor)
    except InvalidSettings as exc:
        return exc.problems, []
    except SettingsChanged as exc:
        current = state.settings.read()
        form.version.data = str(current.version)
        details = _differences(current, changes)
        return {}, [Notice(kind="warn", title="Nothing was saved yet", text=str(exc), details=details)]
    except EncryptionError as exc:
        return {"client_secret": str(exc)}, []
    return {}, []


def _version(form: CsrfForm) -> int:
    """Return the version that the page was made from; what is none conflicts with every save."""
    text = str(form.version.data)
    return int(text) if text.isdecimal() and len(text) < _LONGEST_VERSION else -1


def _differences(current: Snapshot, changes: Mapping[str, str | UseDefault]) -> list[tuple[str, str]]:
    """Return what holds now where this visitor typed something else."""
    differences = []
    for spec in CATALOG:
        row = current.stored(spec.key)
        if spec.kind != "secret" and spec.key in changes and changes[spec.key] != (row.value if row else USE_DEFAULT):
            differences.append((f"{spec.label} is now", _words(spec, current.effective(spec.key))))
    return differences


def _page(
    state: State, snapshot: Snapshot, form: CsrfForm, problems: Mapping[str, str], notices: list[Notice] | None = None
) -> str:
    views = {spec.key: _view(state, spec, snapshot, form, problems) for spec in CATALOG}
    last = snapshot.last_change
    return render_template(
        "ms365/settings.html",
        form=form,
        groups=[
            {"title": title, "fields": [views[spec.key] for spec in CATALOG if spec.group == group]}
            for group, title in _GROUPS
        ],
        redirect_uri=redirect_uri(snapshot),
        errors=[(views[key].id, text) for key, text in problems.items()],
        last_saved={"at": last.changed_at, "by": last.changed_by} if last else None,
        notices=[*(notices or []), *_notices(state, snapshot)],
    )


def _notices(state: State, snapshot: Snapshot) -> list[Notice]:
    notices = []
    if request.args.get("saved") == str(snapshot.version) and request.method == "GET":
        notices.append(Notice(kind="ok", title="Settings saved"))
    if not state.keyring:
        notices.append(Notice(kind="bad", title="No encryption key is set", text=str(NoEncryptionKey())))
    notices.extend(_locked_secrets(snapshot))
    if state.hook_problem:
        notices.append(Notice(kind="warn", title="Saved, but the sync may start late", text=state.hook_problem))
    return notices


def _locked_secrets(snapshot: Snapshot) -> list[Notice]:
    """Tell of secrets that are stored and cannot be opened; nothing overwrites them but a new value."""
    notices = []
    for spec in CATALOG:
        if spec.kind == "secret":
            try:
                snapshot.effective(spec.key)
            except EncryptionError as exc:
                notices.append(Notice(kind="bad", title=f"{spec.label} cannot be read", text=str(exc)))
    return notices


def _view(
    state: State, spec: SettingSpec, snapshot: Snapshot, form: CsrfForm, problems: Mapping[str, str]
) -> FieldView:
    inherited = snapshot.inherited(spec.key)
    is_locked = state.settings.deployment.is_locked(spec.key)
    sub_form = None if is_locked else form[spec.key].form
    return FieldView(
        key=spec.key,
        id=f"{spec.key}-value",
        label=spec.label,
        help=spec.help,
        kind=spec.kind,
        unit=spec.unit,
        mono=spec.kind == "text",
        use_default=sub_form.use_default if sub_form else None,
        value=sub_form.value if sub_form else None,
        inherited=_words(spec, inherited),
        source=f"{spec.config_key} in app.config" if inherited.source == "config" else "built-in",
        locked="Set by the deployment (MS365_LOCKED_SETTINGS)." if is_locked else None,
        stored=_stored_secret(spec, snapshot) if spec.kind == "secret" else None,
        errors=[problems[spec.key]] if spec.key in problems else [],
    )


def _words(spec: SettingSpec, effective: Effective) -> str:
    value = effective.value
    if value is None or value == "":
        return "Not set"
    if spec.kind == "secret":
        prefix = _prefix(str(value))
        return f"Stored in app.config, starts with {prefix}" if prefix else "Stored in app.config"
    if spec.kind == "toggle":
        return "On" if value else "Off"
    if spec.kind == "choice":
        return dict(spec.choices)[str(value)]
    return f"{value} {spec.unit}".strip()


def _stored_secret(spec: SettingSpec, snapshot: Snapshot) -> StoredSecret | None:
    row = snapshot.stored(spec.key)
    if row is None or not row.sealed:
        return None
    try:
        prefix = _prefix(str(snapshot.effective(spec.key).value))
    except EncryptionError:
        prefix = ""  # sealed with a key that is not here: stored, but locked
    return StoredSecret(prefix=prefix, replaced_at=row.changed_at, replaced_by=row.changed_by)


def _prefix(secret: str) -> str:
    """Return the first three characters, as the Entra portal shows them, where that gives nothing away."""
    may_show = current_app.config["MS365_SHOW_SECRET_PREFIX"] and len(secret) >= _PREFIX_FROM
    return secret[:3] if may_show else ""
