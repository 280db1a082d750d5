"""What may be saved, and what a save says of itself: pure, over snapshots."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_ms365.errors import EncryptionError, InvalidSettings
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.settings.catalog import SettingSpec, as_text, spec_of
from flask_ms365.settings.deployment import Deployment
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.settings.values import USE_DEFAULT, Changes, UseDefault
from flask_ms365.words import Words

_EXPIRY = "client_secret_expires_on"


def candidate(before: Snapshot, changes: Changes, *, today: date) -> Snapshot:
    """Return the settings with ``changes``; raise :exc:`InvalidSettings` with a problem for each refused key."""
    problems: dict[str, str] = {}
    checked: dict[str, str | UseDefault] = {}
    for key, value in changes.items():
        try:
            checked[key] = _checked(before.deployment, key, value, today)
        except ValueError as exc:
            problems[key] = exc.args[0]
    after = before.with_changes(checked)
    problems |= _problems_together(before, after)
    if problems:
        raise InvalidSettings(problems)
    return after


def with_consequences(before: Snapshot, changes: Changes) -> Changes:
    """Return ``changes`` with what follows from them: the expiry date of a secret that is replaced goes with it."""
    row = before.stored(_EXPIRY)
    is_untouched = row is not None and changes.get(_EXPIRY, row.value) == row.value
    return {**changes, _EXPIRY: USE_DEFAULT} if changes.get("client_secret") and is_untouched else changes


def differs(before: Snapshot, after: Snapshot, key: str) -> bool:
    """Tell whether a change of ``key`` changes anything; a secret that is entered counts, whatever it is."""
    row, value = before.stored(key), after.changes[key]
    if isinstance(value, UseDefault) or row is None:
        return row is not None or not isinstance(value, UseDefault)
    return spec_of(key).is_secret or row.value != value


def told(snapshot: Snapshot, key: str) -> Any:
    """Return an override as the audit log tells it: text, null for none, and of a secret no more than pages show."""
    spec = spec_of(key)
    own, row = snapshot.own(key), snapshot.stored(key)
    if isinstance(own, UseDefault) or (own is None and row is None):
        return None
    if not spec.is_secret:
        return own if own is not None else row and row.value
    name = "thumbprint" if spec.kind == "certificate" else "starts_with"
    try:
        return {name: snapshot.deployment.shown_mark(spec, str(snapshot.effective(key).value))}
    except EncryptionError:  # sealed with a key that is not here
        return {name: ""}


def told_default(snapshot: Snapshot, key: str) -> str | None:
    """Return what *Use default* gives now, as text: the audit log must not change when ``app.config`` does."""
    return None if spec_of(key).is_secret else as_text(snapshot.inherited(key).value)


def _checked(deployment: Deployment, key: str, value: str | UseDefault, today: date) -> str | UseDefault:
    """Return what may be stored; raise ValueError with what to do."""
    spec = spec_of(key)
    if deployment.is_locked(key):
        raise ValueError(Words("%(label)s is fixed by MS365_LOCKED_SETTINGS", label=spec.label))
    if isinstance(value, UseDefault):
        return value
    text = spec.checked(value)
    if spec.is_required and not text:
        has_default = deployment.inherited(key).value is not None
        missing = Words("Enter the %(label)s, or tick Use default", label=spec.label)
        raise ValueError(missing if has_default else Words("Enter the %(label)s", label=spec.label))
    _refuse_useless(deployment, spec, text, today)
    return text


def _refuse_useless(deployment: Deployment, spec: SettingSpec, text: str, today: date) -> None:
    """Raise ValueError for what has the right shape and could never work."""
    if spec.kind == "certificate" and text and (ended := read_certificate(text).expires_on) < today:
        raise ValueError(Words("This certificate expired on %(day)s. Make a new one", day=ended.isoformat()))
    if spec.key == "credential" and text == "federated" and not deployment.token_file:
        raise ValueError(
            Words(
                "The deployment names no file of a federated token yet. "
                "Set MS365_FEDERATED_TOKEN_FILE in app.config, then choose it here"
            )
        )


def _problems_together(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """Return what is wrong with switching on without credentials, or emptying those of a sync that is on."""
    missing = after.missing_credentials
    if not missing or not after.is_sync_on:
        return {}
    if not before.is_sync_on:
        return {"email_sync": _needs(missing)}
    return {key: _still_needed(before, key) for key in missing if key not in before.missing_credentials}


def _still_needed(before: Snapshot, key: str) -> Words:
    label = spec_of(key).label
    if before.is_set(key):
        return Words("Emails sync is on and needs the %(label)s. Switch it off first", label=label)
    return Words("Emails sync is on and would need the %(label)s. Add it in the same save", label=label)


def _needs(missing: list[str]) -> str:
    """Name what the toggle waits for; a sentence for each number, since languages join lists in their own ways."""
    labels = {f"label{number}": spec_of(key).label for number, key in enumerate(missing, 1)}
    if len(missing) == 1:
        return Words("Emails sync needs %(label1)s first", **labels)
    if len(missing) == 3:
        return Words("Emails sync needs %(label1)s, %(label2)s, %(label3)s first", **labels)
    return Words("Emails sync needs %(label1)s, %(label2)s first", **labels)
