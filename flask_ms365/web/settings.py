"""The settings page: show, save, check before saving, and sort out what two admins changed at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.check import StepResult
from flask_ms365.check.runs import Run
from flask_ms365.errors import EncryptionError, InvalidSettings, Locked, NoEncryptionKey, NotConfigured, SettingsChanged
from flask_ms365.identity.circuit import in_words
from flask_ms365.settings import CATALOG, USE_DEFAULT, Changes, spec_of
from flask_ms365.settings.registration import registration_of
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import State, current_state
from flask_ms365.web.check import present_address
from flask_ms365.web.conflict import Conflict, conflict_with
from flask_ms365.web.forms import CsrfForm, posted, posted_changes, settings_form
from flask_ms365.web.held import kind_of, what_holds
from flask_ms365.web.redirect_uri import present_base_url, redirect_uri
from flask_ms365.web.setting_fields import Choice, field_views
from flask_ms365.web.snapshot import current_snapshot, fresh_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_LONGEST_VERSION = 10  # digits
_GROUPS = (
    ("app", Words("App registration")),
    ("sync", Words("Emails sync")),
    ("sign_in", Words("Sign in with Microsoft")),
)


def settings() -> ResponseReturnValue:
    """Show the settings; save them and come back."""
    snapshot = current_snapshot()
    form = settings_form(snapshot)
    if request.method != "POST":
        return _page(snapshot, form)
    if not form.validate():
        return _page(snapshot, form, notices=[_not_saved(Words("This page was open too long. Save it again."))])
    act = {"check": _save_and_check, "anyway": _save_anyway}.get(request.form.get("then", ""), _save)
    return act(current_state(), snapshot, form)


def _save(state: State, snapshot: Snapshot, form: CsrfForm) -> ResponseReturnValue:
    changes = posted_changes(posted(), snapshot)
    refusal = _store(state, changes, _version(form))
    return refusal or redirect(url_for(".settings", saved=fresh_snapshot().version), 303)


def _save_and_check(state: State, snapshot: Snapshot, form: CsrfForm) -> ResponseReturnValue:
    """Ask Microsoft first; what does not work there is saved only when the admin says so."""
    changes = posted_changes(posted(), snapshot)
    try:
        candidate = state.settings.candidate(changes)
        registration = registration_of(candidate, current_app.config, state.clock)
    except InvalidSettings as exc:
        return _page(snapshot, form, problems=exc.problems)
    except (NotConfigured, EncryptionError) as exc:
        return _page(snapshot, form, notices=[_not_saved(exc.args[0])])
    failure = state.check.first_failure(registration)
    if failure is not None:
        return _failed_check(state, form, candidate.changes, failure)
    refusal = _store(state, changes, _version(form))
    return refusal or redirect(url_for(".check", run=_run_check(state).id), 303)


def _run_check(state: State) -> Run:
    return state.check.run_all(actor=state.current_user_id(), address=present_address())


def _failed_check(state: State, form: CsrfForm, changes: Changes, failure: StepResult) -> str:
    """Say why, and keep what was typed for those who know better."""
    user_id, notices = state.current_user_id() or "", []
    try:
        draft = state.drafts.keep(changes, version=_version(form), user_id=user_id)
    except EncryptionError as exc:
        draft, notices = None, [_not_saved(exc.args[0])]
    return _page(fresh_snapshot(), form, notices=notices, failed_check={"outcome": failure.outcome, "draft": draft})


def _save_anyway(state: State, snapshot: Snapshot, form: CsrfForm) -> ResponseReturnValue:
    """Save what the check refused."""
    try:
        taken = state.drafts.take(request.form.get("draft", ""), user_id=state.current_user_id() or "")
    except EncryptionError as exc:
        return _page(snapshot, settings_form(snapshot, {}), notices=[_not_saved(exc.words)])
    if taken is None:
        return _page(snapshot, settings_form(snapshot, {}), notices=[_not_saved(Words("Enter the new values again."))])
    changes, version = taken
    refusal = _store(state, changes, version)
    return refusal or redirect(url_for(".settings", saved=fresh_snapshot().version), 303)


def _store(state: State, changes: Changes, version: int) -> ResponseReturnValue | None:
    """Save; where that is refused return the page that says why, with what was typed."""
    actor = state.current_user_id()
    problems: Mapping[str, str] = {}
    try:
        state.settings.save(changes, version=version, actor=actor)
        if request.form.get("confirm_redirect_uri"):
            state.settings.confirm_base_url(present_base_url(), actor=actor)
        return None
    except SettingsChanged:
        return _conflict(state, changes, version)
    except InvalidSettings as exc:
        problems = exc.problems
    except EncryptionError as exc:
        problems = {
            key: exc.args[0] for key, value in changes.items() if spec_of(key).is_secret and value != USE_DEFAULT
        }
    snapshot = fresh_snapshot()
    return _page(snapshot, settings_form(snapshot), problems=problems)


def _conflict(state: State, changes: Changes, version: int) -> str:
    """Show who changed what, with this visitor's values where nobody else has touched them."""
    snapshot = fresh_snapshot()
    conflict = conflict_with(state.settings.changes_since(version), changes, snapshot)
    controls = {**request.form, **conflict.shown, "version": str(snapshot.version)}
    form = settings_form(snapshot, {name: value for name, value in controls.items() if value is not None})
    return _page(snapshot, form, choices=conflict.choices, notices=[_changed_meanwhile(conflict)])


def _changed_meanwhile(conflict: Conflict) -> Notice:
    text = Words("Somebody else saved these settings in the meantime. Look at the values below and save again.")
    return Notice(kind="warn", title=Words("Nothing was saved yet"), text=text, details=conflict.told, is_open=True)


def _not_saved(text: str) -> Notice:
    return Notice(kind="bad", title=Words("Nothing was saved"), text=text)


def _version(form: CsrfForm) -> int:
    """Return the version that the page was made from; what is none conflicts with every save."""
    text = str(form.version.data)
    return int(text) if text.isdecimal() and len(text) < _LONGEST_VERSION else -1


def _page(
    snapshot: Snapshot,
    form: CsrfForm,
    *,
    problems: Mapping[str, str] | None = None,
    choices: Mapping[str, Choice] | None = None,
    notices: Sequence[Notice] = (),
    failed_check: Mapping[str, Any] | None = None,
) -> str:
    problems = problems or {}
    views = field_views(snapshot, form, problems=problems, choices=choices or {})
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
        failed_check=failed_check,
        last_saved={"at": last.changed_at, "by": last.changed_by} if last else None,
        is_saved=_is_saved(snapshot),
        notices=[*notices, *_standing_notices(current_state(), snapshot)],
    )


def _standing_notices(state: State, snapshot: Snapshot) -> list[Notice]:
    notices = []
    if _is_saved(snapshot):
        notices.append(Notice(kind="ok", title=Words("Settings saved")))
    if not state.keyring:
        text = NoEncryptionKey().args[0]
        notices.append(Notice(kind="bad", title=Words("No encryption key is set"), text=text))
    notices.extend(_locked_secrets(snapshot))
    held = what_holds(state)
    if held is not None:
        step = Words("The connection check says what to do.")
        notices.append(Notice(kind=kind_of(held), title=Words("The sync waits"), text=in_words(held), next_step=step))
    if state.hook_problem:
        title = Words("Saved, but the sync may start late")
        notices.append(Notice(kind="warn", title=title, text=state.hook_problem))
    return notices


def _is_saved(snapshot: Snapshot) -> bool:
    """Tell whether this page follows the save that still holds."""
    return request.method == "GET" and request.args.get("saved") == str(snapshot.version)


def _locked_secrets(snapshot: Snapshot) -> list[Notice]:
    """Tell of secrets that are stored and cannot be opened; nothing overwrites them but a new value."""
    if snapshot.missing_keys:
        return [Notice(kind="bad", title=Words("Locked"), text=Locked(snapshot.missing_keys).words)]
    notices = []
    for spec in CATALOG:
        if spec.is_secret:
            try:
                snapshot.effective(spec.key)
            except EncryptionError as exc:
                title = Words("%(label)s cannot be read", label=spec.label)
                notices.append(Notice(kind="bad", title=title, text=exc.args[0]))
    return notices
