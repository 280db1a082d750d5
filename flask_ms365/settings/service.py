"""The settings of one app: read, checked and saved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime

from flask import Flask
from sqlalchemy import select, true, update
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365 import audit, signals
from flask_ms365.crypto import Keyring
from flask_ms365.errors import EncryptionError, SettingsChanged
from flask_ms365.keys.canary import keep_canary, refuse_if_locked
from flask_ms365.models import AuditEvent, Setting, SettingsVersion, lock_version, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.settings import rules
from flask_ms365.settings.catalog import spec_of
from flask_ms365.settings.deployment import Deployment
from flask_ms365.settings.snapshot import Snapshot, secret_context
from flask_ms365.settings.values import Changes, Effective, TheirChange, UseDefault

_log = logging.getLogger(__name__)

_FRESH = {"populate_existing": True}
_LOOK_BACK = 200  # saves of single settings
# made once: these go with every page
_ALL = select(SettingsVersion, Setting).outerjoin(Setting, true())
_HELD_VERSION = select(SettingsVersion.__table__.c.version).with_for_update(read=True)


class Settings:
    """Overrides in the app's database over defaults in its config."""

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
        self._keyring = keyring
        self.clock = clock
        self._after_toggle = after_toggle
        self.deployment = Deployment(app.config)
        self._is_key_noted = False

    def effective(self, key: str) -> Effective:
        """Return the value of ``key`` that holds now, with its source."""
        spec_of(key)
        row = self._session.get(Setting, key, populate_existing=True)
        rows = {key: row} if row else {}
        return Snapshot(rows, None, deployment=self.deployment, keyring=self._keyring).effective(key)

    def read(self) -> Snapshot:
        """Return all settings at once: one small statement. Whoever writes one makes sure that there is a version."""
        rows = self._session.execute(_ALL, execution_options=_FRESH).all()
        version = rows[0][0] if rows else None
        return self._snapshot(version, [setting for _, setting in rows if setting is not None])

    def read_values(self) -> Snapshot:
        """Return all settings without their version, for those who only look: one small statement."""
        return self._snapshot(None, self._session.scalars(select(Setting), execution_options=_FRESH))

    def candidate(self, changes: Changes) -> Snapshot:
        """Return the settings as a save would leave them; raise :exc:`InvalidSettings` with a problem for each key."""
        return rules.candidate(self.read(), changes, today=self.clock().date())

    def save(self, changes: Changes, *, version: int | None = None, actor: str | None = None) -> list[str]:
        """Store overrides and delete those that are to use the default, all or none; return the changed keys.

        ``version`` is that of the snapshot the changes were made from. Raise :exc:`InvalidSettings` with a problem for
        each refused key, :exc:`SettingsChanged` when somebody else saved since, or :exc:`Locked`.
        """
        with write_transaction(self._session):
            row = self._unlocked_version()
            if version is not None and version != row.version:
                raise SettingsChanged
            before = self.read()
            changes = rules.with_consequences(before, changes)
            after = rules.candidate(before, changes, today=self.clock().date())
            was_on, is_on = before.is_sync_on, after.is_sync_on
            changed = [key for key in after.changes if rules.differs(before, after, key)]
            if any(_is_sealed(key, after.changes[key]) for key in changed):
                keep_canary(self._session, self._keyring)
            overlap = self._overlap(before, after)  # first of all: what is written shows in ``before`` too
            for key in changed:
                self._audit(before, after, key, actor, row.version + 1)
                self._write(before, after, key, overlap.get(key), actor)
            row.version += bool(changed)
        self._announce(changed, was_on, is_on, actor)
        return changed

    def note_key(self) -> None:
        """Leave a canary of the key that seals, before something is sealed without a save; it looks once a process."""
        if self._is_key_noted or not self._keyring:
            return
        version = self._session.scalar(select(SettingsVersion), execution_options=_FRESH)
        snapshot = Snapshot({}, version, deployment=self.deployment, keyring=self._keyring)
        if snapshot.missing_keys:
            return
        if self._keyring.first not in snapshot.key_canaries:
            with write_transaction(self._session):
                keep_canary(self._session, self._keyring)
        self._is_key_noted = True

    def changes_since(self, version: int) -> dict[str, TheirChange]:
        """Return what was saved after ``version``, by setting: from before the first such save to after the last.

        The audit log knows; what lies too far back in it is not told.
        """
        saves = select(AuditEvent).where(AuditEvent.action == "setting.saved").order_by(AuditEvent.id.desc())
        changes: dict[str, TheirChange] = {}
        for event in self._session.scalars(saves.limit(_LOOK_BACK)):
            if event.detail["version"] > version and event.target:
                last = changes.get(event.target)
                changes[event.target] = TheirChange(
                    old=event.detail["old"],
                    new=last.new if last else event.detail["new"],
                    by=last.by if last else event.actor,
                    at=last.at if last else event.at,
                )
        return changes

    def hold_version(self) -> int:
        """Within a transaction: keep saves waiting until it ends, and return the version that holds till then."""
        version = self._session.scalar(_HELD_VERSION)
        return lock_version(self._session).version if version is None else version

    def confirm_base_url(self, url: str, *, actor: str | None = None) -> None:
        """Keep the address that an admin said people use; it fixes the redirect URI."""
        with write_transaction(self._session):
            row = self._unlocked_version()
            row.confirmed_base_url = url
            row.version += 1
            audit.record(self._session, "base_url.confirmed", at=self.clock(), actor=actor, target=url)

    def credential_worked(self, key: str, sealed: str) -> None:
        """Forget what ``sealed`` replaced as the secret of ``key``: Microsoft has taken the new one.

        What it gave for it must not be lost over this, so a database that fails is left to the next answer.
        """
        worked = update(Setting).where(Setting.key == key, Setting.sealed == sealed).values(previous=None)
        try:
            with write_transaction(self._session):
                rows_changed(self._session, worked)
        except SQLAlchemyError as exc:
            _log.warning("credential.kept", extra={"event": "credential.kept", "error": type(exc).__name__})

    def _unlocked_version(self) -> SettingsVersion:
        """Within a transaction: return the row that all saves meet at; raise :exc:`Locked`."""
        row = lock_version(self._session)
        refuse_if_locked(row.key_canaries, self._keyring)
        return row

    def _snapshot(self, version: SettingsVersion | None, rows: Iterable[Setting]) -> Snapshot:
        by_key = {row.key: row for row in rows}
        return Snapshot(by_key, version, deployment=self.deployment, keyring=self._keyring)

    def _write(self, before: Snapshot, after: Snapshot, key: str, previous: str | None, actor: str | None) -> None:
        """Write one override, or delete it."""
        row, value = before.stored(key), after.changes[key]
        if isinstance(value, UseDefault):
            self._session.delete(row)
            return
        # sealed before the row is touched: an error of the database would tell what was about to be stored
        is_sealed = _is_sealed(key, value)
        sealed = self._keyring.seal(value, secret_context(key)) if is_sealed else None
        if row is None:
            row = Setting(key=key)
            self._session.add(row)
        row.value, row.sealed, row.previous = (None if is_sealed else value), sealed, previous if is_sealed else None
        row.changed_at, row.changed_by = self.clock(), actor

    def _overlap(self, before: Snapshot, after: Snapshot) -> dict[str, str]:
        """Return the last credential known to be good, sealed, where it may serve until the new one has worked.

        It is the one in use, of the same app and kind.
        """
        key = after.credential_key
        new = after.changes.get(key)
        is_same_app = before.app_identity == after.app_identity and before.credential_key == key
        if not new or isinstance(new, UseDefault) or not spec_of(key).is_secret or not is_same_app:
            return {}
        try:
            old = before.previous(key) or before.effective(key).value
        except EncryptionError:
            return {}
        return {key: self._keyring.seal(str(old), after.previous_context(key))} if old and old != new else {}

    def _audit(self, before: Snapshot, after: Snapshot, key: str, actor: str | None, version: int) -> None:
        told = {
            "old": rules.told(before, key),
            "new": rules.told(after, key),
            "default": rules.told_default(after, key),
        }
        audit.record(self._session, "setting.saved", at=self.clock(), actor=actor, target=key, version=version, **told)

    def _announce(self, changed: list[str], was_on: bool, is_on: bool, actor: str | None) -> None:
        if changed:
            signals.settings_saved.send(self._app, changed=changed, actor=actor)
        if was_on == is_on:
            return
        self._after_toggle(is_on)
        toggled = signals.email_sync_enabled if is_on else signals.email_sync_disabled
        toggled.send(self._app, actor=actor)


def _is_sealed(key: str, value: str | UseDefault) -> bool:
    return spec_of(key).is_secret and bool(value) and not isinstance(value, UseDefault)
