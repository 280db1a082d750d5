"""Forms. Each setting is a sub-form of a value and its *Use default* box; the server decides what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from werkzeug.datastructures import FileStorage, MultiDict
from wtforms import BooleanField, Form, FormField, HiddenField, PasswordField, SelectField, StringField

from flask_ms365.settings import CATALOG, USE_DEFAULT, Changes, SettingSpec, UseDefault
from flask_ms365.settings.catalog import as_text
from flask_ms365.settings.snapshot import Snapshot

try:
    from wtforms import SelectChoice as _choice
except ImportError:  # WTForms 3.3 brought it and deprecated tuples, but wants Python 3.11

    def _choice(value: str, label: str) -> tuple[str, str]:
        return value, label


_LONGEST_FILE = 200_000  # bytes; more of it is not looked at, and the check says that it is too long


class CsrfForm(FlaskForm):  # type: ignore[misc]
    """A button. The token is checked whatever the host's ``WTF_CSRF_ENABLED`` says: these posts change grants."""

    class Meta:
        csrf = True


def _value_field(spec: SettingSpec) -> Any:
    if spec.kind == "toggle":
        return BooleanField(spec.label)
    if spec.is_secret:
        return PasswordField(spec.label)
    if spec.kind == "choice":
        return SelectField(spec.label, choices=[_choice(*each) for each in spec.choices], validate_choice=False)
    return StringField(spec.label)


def _sub_form(spec: SettingSpec) -> type[Form]:
    return type(f"{spec.key}_form", (Form,), {"use_default": BooleanField(), "value": _value_field(spec)})


_FIELDS = {spec.key: FormField(_sub_form(spec)) for spec in CATALOG}
SettingsForm: type[CsrfForm] = type("SettingsForm", (CsrfForm,), {"version": HiddenField(), **_FIELDS})


def settings_form(snapshot: Snapshot, posted: Mapping[str, str] | None = None) -> CsrfForm:
    """Return the form of the settings page, filled from ``snapshot``, or from ``posted``, or from the request."""
    shown = {spec.key: _shown(spec, snapshot) for spec in CATALOG}
    given = {} if posted is None else {"formdata": MultiDict(posted)}
    form = SettingsForm(data={"version": str(snapshot.version), **shown}, **given)
    for spec in CATALOG:
        if snapshot.deployment.is_locked(spec.key):
            del form[spec.key]
    return form


def can_inherit(snapshot: Snapshot, key: str) -> bool:
    """Tell whether there is anything that *Use default* would fall back to."""
    return snapshot.inherited(key).value not in (None, "")


def posted() -> Mapping[str, str]:
    """Return what the request's form holds, with the text of each file that was chosen."""
    files = {name: _text_of(file) for name, file in request.files.items() if file.filename}
    return {**request.form, **files}


def _text_of(file: FileStorage) -> str:
    return file.stream.read(_LONGEST_FILE).decode("utf-8", errors="replace")


def posted_changes(posted: Mapping[str, str], snapshot: Snapshot) -> Changes:
    """Return what a post asks for; what it does not mention, and what it leaves to somebody else, stays as it is."""
    changes = {}
    for spec in CATALOG:
        change = None if snapshot.deployment.is_locked(spec.key) else _change(spec, posted, snapshot)
        if change is not None and posted.get(f"{spec.key}-take") != "theirs":
            changes[spec.key] = change
    return changes


def _change(spec: SettingSpec, posted: Mapping[str, str], snapshot: Snapshot) -> str | UseDefault | None:
    if posted.get(f"{spec.key}-use_default"):
        return USE_DEFAULT
    value = posted.get(f"{spec.key}-value")
    is_absent = snapshot.stored(spec.key) is None
    if spec.is_secret:
        return value or None  # an empty box keeps the stored one
    if spec.kind == "toggle" and not value:
        # a browser sends nothing for an unticked box; off without an override is no new override
        is_asked = f"{spec.key}-shown" in posted or spec.default != "1"  # what is on by itself goes off by no oversight
        return "0" if is_asked and not (is_absent and _is_simply_off(spec, snapshot)) else None
    if not value and is_absent and not spec.is_required and not can_inherit(snapshot, spec.key):
        return None  # absent it was, absent it stays
    return value


def _shown(spec: SettingSpec, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the controls of a setting show before anybody typed."""
    row = snapshot.stored(spec.key)
    # a toggle that is simply off stays operable; a ticked box in front of it would only be in the way
    is_in_the_way = _is_simply_off(spec, snapshot)
    shown = {"use_default": row is None and can_inherit(snapshot, spec.key) and not is_in_the_way}
    if spec.is_secret:
        return shown
    text = row.value if row else as_text(snapshot.inherited(spec.key).value)
    return {**shown, "value": spec.typed(text) if spec.kind == "toggle" else text}


def _is_simply_off(spec: SettingSpec, snapshot: Snapshot) -> bool:
    """Tell a toggle that is off because nobody has said anything."""
    inherited = snapshot.inherited(spec.key)
    return spec.kind == "toggle" and inherited.source == "default" and not inherited.value
