"""The fields of the settings page, as its template shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_ms365.errors import EncryptionError
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.settings import CATALOG, Effective, SettingSpec, spec_of
from flask_ms365.settings.cautions import cautions
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.settings.values import Source
from flask_ms365.state import current_state
from flask_ms365.web.forms import CsrfForm, can_inherit
from flask_ms365.web.snapshot import current_summary
from flask_ms365.words import Words, counted

# the settings that belong to one kind of credential
_OF_KIND = {
    "client_secret": "secret",
    "client_secret_expires_on": "secret",
    "client_certificate": "certificate",
}


@dataclass(frozen=True, kw_only=True)
class StoredSecret:
    """What the page says of a secret that is stored. ``is_overlapping``: the one before it may still serve.

    ``details`` are what may be known of a certificate: labels and values.
    """

    prefix: str
    details: Sequence[tuple[str, object]] = ()
    replaced_at: datetime
    replaced_by: str | None
    is_overlapping: bool


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A setting that this visitor and somebody else both changed: which of the two is to hold?"""

    theirs: object
    mine: object
    by: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class FieldView:
    """A setting as the template shows it; ``use_default`` is None where there is nothing to inherit."""

    key: str
    id: str
    label: str
    help: str
    kind: str
    unit: str
    mono: bool
    choices: Sequence[tuple[str, str]]
    use_default: Any
    value: Any
    inherited: object
    source: str
    locked: str | None = None
    stored: StoredSecret | None = None
    errors: Sequence[str] = ()
    cautions: Sequence[str] = ()
    # what a change would mean for the mailboxes there are
    impact: str = ""
    choice: Choice | None = None
    # the kind of credential that it belongs to; and where another one is in use, a sentence that says so
    of_kind: str = ""
    unused: str = ""


def field_views(
    snapshot: Snapshot, form: CsrfForm, *, problems: Mapping[str, str], choices: Mapping[str, Choice]
) -> dict[str, FieldView]:
    """Return the fields by setting, in the order of the catalog."""
    pointed_out, mailboxes = _cautions(snapshot), current_summary().connected
    return {
        spec.key: _view(
            spec,
            snapshot,
            form,
            errors=[problems[spec.key]] if spec.key in problems else (),
            cautions=pointed_out.get(spec.key, ()),
            impact=_impact(spec.key, mailboxes) if mailboxes else "",
            choice=choices.get(spec.key),
        )
        for spec in CATALOG
    }


def shown_value(spec: SettingSpec, effective: Effective, snapshot: Snapshot) -> object:
    """Return a value as people read it; a day stays a day, for the page to write in its own way."""
    value = effective.value
    if value is None or value == "":
        return Words("Not set")
    if spec.is_secret:
        mark = snapshot.deployment.shown_mark(spec, str(value))
        in_words = _certificate_in_words if spec.kind == "certificate" else _secret_in_words
        return in_words(mark, effective.source)
    if spec.kind == "toggle":
        return Words("On") if value else Words("Off")
    if spec.kind == "choice":
        return dict(spec.choices)[str(value)]
    if isinstance(value, tuple):
        return ", ".join(value)
    if value == 0 and spec.zero:
        return spec.zero
    return Words("%(number)s %(unit)s", number=value, unit=spec.unit) if spec.unit else value


def _cautions(snapshot: Snapshot) -> dict[str, list[Words]]:
    """Return what to point out, by setting, with what only the app knows."""
    state = current_state()
    found = cautions(snapshot, state.clock())
    if snapshot.effective("sign_in").value is True and state.host_sign_in.handler is None:
        words = Words("It stays off: this app has no code that takes people in (@ms365.sign_in).")
        found.setdefault("sign_in", []).append(words)
    return found


def _impact(key: str, mailboxes: int) -> str:
    """Say before a save what it means: a sign-in belongs to one application id and one cloud, and to its tenant."""
    if key == "client_id":
        return counted(
            "%(count)s mailbox is connected with it, and must sign in again if you change it.",
            "%(count)s mailboxes are connected with it, and must sign in again if you change it.",
            mailboxes,
        )
    if key == "cloud":
        return counted(
            "%(count)s mailbox is connected in this cloud, and cannot be read from another one until its owner signs "
            "in there.",
            "%(count)s mailboxes are connected in this cloud, and cannot be read from another one until their owners "
            "sign in there.",
            mailboxes,
        )
    if key == "tenant_id":
        return counted(
            "%(count)s mailbox is connected, and stays so in its own tenant if you change this.",
            "%(count)s mailboxes are connected, and stay so in their own tenants if you change this.",
            mailboxes,
        )
    return ""


def _secret_in_words(prefix: str, source: Source) -> Words:
    if source == "stored":
        return Words("Stored, starts with %(prefix)s", prefix=prefix) if prefix else Words("Stored")
    if not prefix:
        return Words("Stored in app.config")
    return Words("Stored in app.config, starts with %(prefix)s", prefix=prefix)


def _certificate_in_words(thumbprint: str, source: Source) -> Words:
    if source == "stored":
        return Words("Stored, thumbprint %(thumbprint)s", thumbprint=thumbprint)
    return Words("Stored in app.config, thumbprint %(thumbprint)s", thumbprint=thumbprint)


def _view(spec: SettingSpec, snapshot: Snapshot, form: CsrfForm, **more: Any) -> FieldView:
    is_locked = snapshot.deployment.is_locked(spec.key)
    controls = None if is_locked else form[spec.key].form
    inherited = snapshot.inherited(spec.key)
    return FieldView(
        key=spec.key,
        id=f"{spec.key}-value",
        label=spec.label,
        help=spec.help,
        kind=spec.kind,
        unit=spec.unit,
        mono=spec.kind in {"text", "list"},
        choices=spec.choices,
        use_default=controls.use_default if controls and can_inherit(snapshot, spec.key) else None,
        value=controls.value if controls else None,
        inherited=shown_value(spec, inherited, snapshot),
        source=_source(spec, inherited, snapshot),
        locked=Words("Set by the deployment (MS365_LOCKED_SETTINGS).") if is_locked else None,
        stored=_stored_secret(spec, snapshot) if spec.is_secret else None,
        of_kind=_OF_KIND.get(spec.key, ""),
        unused=_unused(spec.key, snapshot),
        **more,
    )


def _unused(key: str, snapshot: Snapshot) -> str:
    """Say that a field belongs to a credential that is not in use: without JavaScript all of them are shown."""
    kind = snapshot.credential_kind
    if _OF_KIND.get(key, kind) == kind:
        return ""
    return Words("Not in use while the credential is: %(kind)s.", kind=dict(spec_of("credential").choices)[kind])


def _source(spec: SettingSpec, inherited: Effective, snapshot: Snapshot) -> str:
    if inherited.source == "config":
        return Words("%(key)s in app.config", key=snapshot.deployment.source_key(spec.key))
    return Words("built-in") if inherited.value is not None else ""


def _stored_secret(spec: SettingSpec, snapshot: Snapshot) -> StoredSecret | None:
    row = snapshot.stored(spec.key)
    if row is None or not row.sealed:
        return None
    try:
        value = str(snapshot.effective(spec.key).value)
    except EncryptionError:
        value = ""  # sealed with a key that is not here: stored, but locked
    is_certificate = spec.kind == "certificate"
    return StoredSecret(
        prefix="" if is_certificate else snapshot.deployment.shown_mark(spec, value),
        details=certificate_details(value) if is_certificate and value else (),
        replaced_at=row.changed_at,
        replaced_by=row.changed_by,
        is_overlapping=snapshot.previous(spec.key) is not None,
    )


def certificate_details(pem: str) -> Sequence[tuple[str, object]]:
    """Return what may be known of a certificate: how Entra names it, whose it is, and its last day."""
    certificate = read_certificate(pem)
    return (
        (Words("Thumbprint"), certificate.thumbprint),
        (Words("Subject"), certificate.subject),
        (Words("Expires on"), certificate.expires_on),
    )
