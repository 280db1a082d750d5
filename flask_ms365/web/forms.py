"""Forms. Each setting is a sub-form of a value and its *Use default* box; the server decides what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from wtforms import BooleanField, Form, FormField, HiddenField, PasswordField, SelectField, StringField

from flask_ms365.settings import CATALOG, USE_DEFAULT, SettingSpec, Snapshot, UseDefault

try:
    from wtforms import SelectChoice as _choice
except ImportError:  # WTForms 3.3 brought it and deprecated tuples, but wants Python 3.11

    def _choice(value: str, label: str) -> tuple[str, str]:
        return value, label


class CsrfForm(FlaskForm):  # type: ignore[misc]
    """A button. The token is checked whatever the host's ``WTF_CSRF_ENABLED`` says: these posts change grants."""

    class Meta:
        csrf = True


def settings_form(snapshot: Snapshot, *, is_locked: Mapping[str, bool]) -> CsrfForm:
    """Return the form of the settings page, filled from ``snapshot`` or from what was posted."""
    fields: dict[str, Any] = {"version": HiddenField(default=str(snapshot.version))}
    for spec in CATALOG:
        if not is_locked[spec.key]:
            fields[spec.key] = FormField(_sub_form(spec, snapshot))
    form: CsrfForm = type("SettingsForm", (CsrfForm,), fields)()
    return form


def posted_changes(
    posted: Mapping[str, str], snapshot: Snapshot, *, is_locked: Mapping[str, bool]
) -> dict[str, str | UseDefault]:
    """Return what a post asks for; what it does not mention stays as it is."""
    changes: dict[str, str | UseDefault] = {}
    for spec in CATALOG:
        if not is_locked[spec.key]:
            change = _change(spec, posted, snapshot)
            if change is not None:
                changes[spec.key] = change
    return changes


def _change(spec: SettingSpec, posted: Mapping[str, str], snapshot: Snapshot) -> str | UseDefault | None:
    if posted.get(f"{spec.key}-use_default"):
        return USE_DEFAULT
    value = posted.get(f"{spec.key}-value")
    if spec.kind == "secret":
        return value or None  # an empty box keeps the stored one
    if spec.kind == "toggle" and not value:
        # a browser sends nothing for an unticked box; off without an override is no new override
        is_plain = snapshot.stored(spec.key) is None and snapshot.effective(spec.key).source == "default"
        return None if is_plain else "0"
    return value


def _sub_form(spec: SettingSpec, snapshot: Snapshot) -> type[Form]:
    row, inherited = snapshot.stored(spec.key), snapshot.inherited(spec.key)
    # a toggle that is simply off stays operable; a box in front of it would only be in the way
    has_default = inherited.source == "config" or (spec.default is not None and spec.kind != "toggle")
    fields = {
        "use_default": BooleanField("Use default", default=row is None and has_default),
        "value": _value_field(spec, row.value if row else _text(inherited.value)),
    }
    return type(f"{spec.key}_form", (Form,), fields)


def _value_field(spec: SettingSpec, text: str | None) -> Any:
    if spec.kind == "toggle":
        return BooleanField(spec.label, default=spec.typed(text) is True)
    if spec.kind == "secret":
        return PasswordField(spec.label)
    if spec.kind == "choice":
        choices = [_choice(value, label) for value, label in spec.choices]
        return SelectField(spec.label, choices=choices, default=text, validate_choice=False)
    return StringField(spec.label, default=text)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
