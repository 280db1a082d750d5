"""Every component in every state, on one page: for those who write a style sheet, and for the tests of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timezone
from typing import Any, get_args

from flask import current_app, render_template
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.charts import Days
from flask_ms365.mailboxes.doubts import Doubt
from flask_ms365.mailboxes.progress import Progress as Reading
from flask_ms365.mailboxes.set_aside import reason
from flask_ms365.mailboxes.status import MailboxStatus, Unreadable
from flask_ms365.settings import CATALOG, SettingSpec
from flask_ms365.web.forms import CsrfForm, SettingsForm
from flask_ms365.web.problem import not_found
from flask_ms365.web.setting_fields import Choice, FieldView, StoredSecret
from flask_ms365.web.setup_steps import Progress, Step
from flask_ms365.words import Words

_NOW = datetime(2026, 3, 3, 9, 2, tzinfo=timezone.utc)  # the same on every picture
_ONE_OF_A_KIND = tuple({spec.kind: spec for spec in CATALOG}.values())
_FIELD_STATES = ("own", "inherited", "error", "conflict", "locked")
_SAMPLES = {
    "text": "contoso.onmicrosoft.com",
    "list": "contoso.com, fabrikam.com",
    "choice": "global",
    "number": "5",
    "date": "2026-12-05",
    "toggle": True,
}
_STORED = StoredSecret(prefix="aB3", replaced_at=_NOW, replaced_by="ana", is_overlapping=True)
_STORED_CERTIFICATE = replace(
    _STORED,
    prefix="",
    details=(
        ("Thumbprint", "8F1C0A7E5B2D9463C1A0E7F85D3B6A9274C0E1FB"),
        ("Subject", "CN=Mail of app.example.com"),
        ("Expires on", date(2027, 3, 3)),
    ),
)
_READING = Reading(is_under_way=True, read=12_400, total=80_000, rate=200.0, oldest=_NOW)
_LONG = "A folder whose name is longer than what people usually write, and_one_word_that_is_as_long_as_a_sentence"
_MAILBOX = MailboxStatus(
    id=1,
    address="ana@contoso.example",
    state="syncing",
    words="Syncing",
    kind="info",
    message_count=12_400,
    progress=_READING,
    doubts=[Doubt(folder_id=1, name="Inbox", stored=1234), Doubt(folder_id=2, name=_LONG, stored=1)],
    unreadable=[Unreadable(name="Projects", code="ErrorAccessDenied"), Unreadable(name=_LONG, code="ErrorUnheardOf")],
    set_aside_count=100,
    skipped_count=1,
    connected_at=_NOW,
    last_success_at=_NOW,
    next_due_at=_NOW,
    error=None,
    error_code=None,
    is_overdue=False,
)


_DAYS = Days(last=_NOW.date(), counts=[0, 3, 14, 15, 9, 2, 6, 5, 35, 8, 0, 7, 9, 3])
_BOX = {"since": _NOW, "next_try_at": _NOW, "paused_at": None, "paused_by": None, "is_overdue": False}
_BOXES = (
    {**_BOX, "words": Words("Failed"), "kind": "bad"},
    {**_BOX, "words": Words("Waiting"), "kind": "warn", "since": None, "is_overdue": True},
    {
        **_BOX,
        "words": Words("Sign-in needed"),
        "kind": "bad",
        "next_try_at": None,
        "paused_at": _NOW,
        "paused_by": _LONG,
    },
)


def gallery() -> ResponseReturnValue:
    """Show the gallery; only in debug mode is there one."""
    if not current_app.debug:
        return not_found()
    return render_template(
        "ms365/gallery.html",
        now=_NOW,
        fields={state: [_field(spec, state) for spec in _ONE_OF_A_KIND] for state in _FIELD_STATES},
        steps=[
            Step(number=number, title=f"A step that is {progress}", progress=progress)
            for number, progress in enumerate(get_args(Progress), 1)
        ],
        form=CsrfForm(),
        mailbox=_MAILBOX,
        mailbox_since=replace(_MAILBOX, progress=replace(_READING, total=None)),
        set_aside=[
            _set_aside("ErrorCorruptData", "Re: offer", _NOW),
            _set_aside("ErrorUnheardOf", _LONG, None),
            {**_set_aside("tooLarge", "", _NOW), "is_hidden": True},
            {**_set_aside("tooLarge", "A film", _NOW), "skipped_at": _NOW},
        ],
        boxes=_BOXES,
        days=_DAYS,
    )


def _set_aside(code: str, subject: str, at: datetime | None) -> dict[str, Any]:
    why = {"reason": reason(code), "code": code, "attempts": 3}
    return {"subject": subject, "received_at": at, "next_try_at": at, **why}


def _field(spec: SettingSpec, state: str) -> FieldView:
    value = _SAMPLES.get(spec.kind)
    shown = {spec.key: {"use_default": state == "inherited", "value": value}}
    controls: Any = SettingsForm(formdata=None, prefix=state, data=shown)[spec.key].form
    is_secret, is_locked = spec.is_secret, state == "locked"
    return FieldView(
        key=f"{state}-{spec.key}",
        id=controls.value.id,
        label=spec.label,
        help=spec.help,
        kind=spec.kind,
        unit=spec.unit,
        mono=spec.kind in {"text", "list"},
        choices=spec.choices,
        use_default=None if is_locked else controls.use_default,
        value=None if is_locked else controls.value,
        inherited="Stored in app.config, starts with aB3" if is_secret else str(value),
        source=f"MS365_{spec.key.upper()} in app.config",
        locked="Set by the deployment (MS365_LOCKED_SETTINGS)." if is_locked else None,
        stored=_stored(spec) if state in {"own", "error"} else None,
        errors=(f"{spec.label} is not what Microsoft takes.",) if state == "error" else (),
        cautions=("This is unusual, and may still be right.",) if state == "own" else (),
        choice=Choice(theirs=str(value), mine="contoso.com", by="kim", at=_NOW) if state == "conflict" else None,
    )


def _stored(spec: SettingSpec) -> StoredSecret:
    return _STORED_CERTIFICATE if spec.kind == "certificate" else _STORED
