"""Which value of a setting holds, where it comes from, and how it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from flask_ms365 import signals
from flask_ms365.config import secret_text
from flask_ms365.crypto import Keyring
from flask_ms365.errors import ConfigurationError, InvalidSettings, SettingsChanged
from flask_ms365.models import AuditEvent, Setting, SettingsVersion, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.settings.catalog import CATALOG, CREDENTIALS, SettingSpec, Value, spec_of

Source = Literal["stored", "config", "default"]


class UseDefault:
    """The wish to have no value of one's own; None and the empty text are values."""

    def __repr__(self) -> str:
        return "USE_DEFAULT"


USE_DEFAULT: Final = UseDefault()


@dataclass(frozen=True)
class Effective:
    """The value that holds, and where it comes from. The value may be secret, so its repr does not show it."""

    value: Value = field(repr=False)
    source: Source


def secret_context(key: str) -> str:
    """Return the place that a stored secret setting is sealed for."""
    return f"ms365_setting:{key}:sealed"


class Snapshot:
    """All settings as they were at one moment, from one read."""

    def __init__(self, rows: Mapping[str, Setting], version: SettingsVersion | None, owner: Settings) -> None:
        self._rows = rows
        self._owner = owner
        self.version = version.version if version else 0
        self.confirmed_base_url = version.confirmed_base_url if version else None

    def stored(self, key: str) -> Setting | None:
        """Return the override of ``key``, or None where the default holds."""
        return None if self._owner.is_locked(key) else self._rows.get(key)

    def effective(self, key: str) -> Effective:
        """Return the value of ``key``; raise an EncryptionError where a stored secret cannot be opened."""
        spec = spec_of(key)
        row = self.stored(key)
        if row is None:
            return self._owner.inherited(spec)
        text = self._owner.keyring.open(row.sealed, secret_context(key)) if row.sealed else row.value
        return Effective(spec.typed(text), "stored")

    def inherited(self, key: str) -> Effective:
        """Return what *Use default* gives for ``key``."""
        return self._owner.inherited(spec_of(key))

    def is_set(self, key: str) -> bool:
        """Tell whether ``key`` has a value that is not empty, without opening secrets."""
        row = self.stored(key)
        if row is not None:
            return bool(row.sealed or row.value)
        return self._owner.inherited(spec_of(key)).value not in (None, "")

    @property
    def is_sync_on(self) -> bool:
        """Tell whether emails are to be synced."""
        return self.effective("email_sync").value is True

    @property
    def last_change(self) -> Setting | None:
        """The override that was saved last."""
        return max(self._rows.values(), key=lambda row: row.changed_at, default=None)


class Settings:
    """The settings of one app: overrides in its database over defaults in its config."""

    def __init__(
        self,
        *,
        app: Flask,
        session: AnySession,
        keyring: Keyring,
        clock: Callable[[], datetime],
        after_toggle: Callable[[bool], None],
    ) -> None:
        self._app = app
        self._session = session
        self._clock = clock
        self._after_toggle = after_toggle
        self.keyring = keyring

    def effective(self, key: str) -> Effective:
        """Return the value of ``key`` that holds now, with its source."""
        spec_of(key)
        return self.read().effective(key)

    def read(self) -> Snapshot:
        """Return all settings at once: two small statements."""
        fresh = {"populate_existing": True}
        rows = self._session.scalars(select(Setting), execution_options=fresh).all()
        version = self._session.scalar(select(SettingsVersion), execution_options=fresh)
        return Snapshot({row.key: row for row in rows}, version, self)

    def is_locked(self, key: str) -> bool:
        """Tell whether the deployment forbids to change ``key`` here."""
        return key in self._app.config["MS365_LOCKED_SETTINGS"]

    def inherited(self, spec: SettingSpec) -> Effective:
        """Return what *Use default* gives; raise ConfigurationError for a default that cannot hold."""
        if spec.kind == "secret":
            given: Any = secret_text(self._app.config, spec.config_key)
        else:
            given = self._app.config.get(spec.config_key)
        if given is None or (spec.is_required and not str(given).strip()):
            return Effective(spec.typed(spec.default), "default")
        try:
            return Effective(spec.typed(self._check_one(spec, str(given).strip())), "config")
        except ValueError as exc:
            raise ConfigurationError(f"{spec.config_key} in app.config: {exc}.") from exc

    def check_defaults(self) -> None:
        """Raise ConfigurationError for a default that the page would refuse, or a lock on what does not exist."""
        for spec in CATALOG:
            self.inherited(spec)
        try:
            for key in self._app.config["MS365_LOCKED_SETTINGS"]:
                spec_of(key)
        except KeyError as exc:
            raise ConfigurationError(f"MS365_LOCKED_SETTINGS: {exc.args[0]}") from None

    def save(
        self, changes: Mapping[str, str | UseDefault], *, version: int | None = None, actor: str | None = None
    ) -> list[str]:
        """Store overrides and delete those that are to use the default, all or none; return the changed keys.

        ``version`` is that of the snapshot the changes were made from. Raise :exc:`InvalidSettings` with a problem for
        each refused key, or :exc:`SettingsChanged` when somebody else saved since.
        """
        checked, problems = self._checked(changes)
        with write_transaction(self._session):
            row = self._lock_version()
            if version is not None and version != row.version:
                raise SettingsChanged
            before = self.read()
            was_on, had = before.is_sync_on, {key for key in CREDENTIALS if before.is_set(key)}
            changed = [key for key, value in checked.items() if self._apply(before, key, value, actor)]
            self._session.flush()
            after = self.read()
            problems |= self._problems_together(after, had, was_on=was_on)
            if problems:
                raise InvalidSettings(problems)
            is_on = after.is_sync_on
            if changed:
                row.version += 1
                self._audit(changed, checked, actor)
        self._announce(changed, was_on, is_on, actor)
        return changed

    def hold_version(self) -> int:
        """Within a transaction: keep saves waiting until it ends, and return the version that holds till then."""
        held = select(SettingsVersion.version).with_for_update(read=True)
        version = self._session.scalar(held)
        return self._first_version().version if version is None else version

    def confirm_base_url(self, url: str, *, actor: str | None = None) -> None:
        """Keep the address that an admin said people use; it fixes the redirect URI."""
        with write_transaction(self._session):
            row = self._lock_version()
            row.confirmed_base_url = url
            row.version += 1
            self._session.add(
                AuditEvent(at=self._clock(), actor=actor, action="base_url.confirmed", target=url, detail={})
            )

    def _checked(self, changes: Mapping[str, str | UseDefault]) -> tuple[dict[str, str | UseDefault], dict[str, str]]:
        """Return what may be stored, and a problem for each key that may not."""
        problems: dict[str, str] = {}
        checked: dict[str, str | UseDefault] = {}
        for key, value in changes.items():
            spec = spec_of(key)
            if self.is_locked(key):
                problems[key] = f"{spec.label} is fixed by MS365_LOCKED_SETTINGS"
                continue
            try:
                checked[key] = value if isinstance(value, UseDefault) else self._check_one(spec, value.strip())
            except ValueError as exc:
                problems[key] = str(exc)
        return checked, problems

    def _check_one(self, spec: SettingSpec, text: str) -> str:
        if text:
            return spec.check(text)
        if spec.is_required:
            raise ValueError(f"Enter the {spec.label}, or tick Use default")
        return text

    def _problems_together(self, after: Snapshot, had: set[str], *, was_on: bool) -> dict[str, str]:
        """Return what is wrong with switching on without credentials, or emptying those of a sync that is on."""
        missing = {key: spec_of(key).label for key in CREDENTIALS if not after.is_set(key)}
        if not after.is_sync_on or not missing:
            return {}
        if not was_on:
            return {"email_sync": f"Emails sync needs {', '.join(missing.values())} first"}
        return {
            key: f"Emails sync is on and needs the {label}. Switch it off first"
            for key, label in missing.items()
            if key in had
        }

    def _apply(self, before: Snapshot, key: str, value: str | UseDefault, actor: str | None) -> bool:
        """Write one override; return whether anything changed."""
        row = before.stored(key)
        if isinstance(value, UseDefault):
            if row is not None:
                self._session.delete(row)
            return row is not None
        spec = spec_of(key)
        if row is not None and spec.kind != "secret" and row.value == value:
            return False
        if row is None:
            row = Setting(key=key)
            self._session.add(row)
        if spec.kind == "secret" and value:
            row.sealed, row.value = self.keyring.seal(value, secret_context(key)), None
        else:
            row.sealed, row.value = None, value
        row.changed_at, row.changed_by = self._clock(), actor
        return True

    def _lock_version(self) -> SettingsVersion:
        row = self._session.scalar(select(SettingsVersion).where(SettingsVersion.id == 1).with_for_update())
        return row if row is not None else self._first_version()

    def _first_version(self) -> SettingsVersion:
        """Make the row that all saves meet at; of two first saves at the same instant one finds the other's."""
        try:
            with self._session.begin_nested():
                row = SettingsVersion(id=1, version=0)
                self._session.add(row)
        except IntegrityError:
            return self._lock_version()
        return row

    def _audit(self, changed: list[str], checked: Mapping[str, str | UseDefault], actor: str | None) -> None:
        for key in changed:
            value = checked[key]
            shown = "default" if isinstance(value, UseDefault) else value
            if spec_of(key).kind == "secret" and not isinstance(value, UseDefault):
                shown = "replaced"
            self._session.add(
                AuditEvent(at=self._clock(), actor=actor, action="setting.saved", target=key, detail={"new": shown})
            )

    def _announce(self, changed: list[str], was_on: bool, is_on: bool, actor: str | None) -> None:
        if changed:
            signals.settings_saved.send(self._app, changed=changed, actor=actor)
        if was_on == is_on:
            return
        self._after_toggle(is_on)
        toggled = signals.email_sync_enabled if is_on else signals.email_sync_disabled
        toggled.send(self._app, actor=actor)
