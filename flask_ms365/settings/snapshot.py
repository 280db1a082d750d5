"""All settings at one moment, from one read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask_ms365.crypto import Keyring
from flask_ms365.errors import EncryptionError
from flask_ms365.keys.canary import missing_keys, refuse_if_locked
from flask_ms365.models import Setting, SettingsVersion
from flask_ms365.settings.catalog import HELD_IN, spec_of
from flask_ms365.settings.deployment import Deployment
from flask_ms365.settings.values import Changes, Effective, UseDefault

_APP = ("client_id", "tenant_id", "cloud")


def secret_context(key: str, column: str = "sealed") -> str:
    """Return the place that a stored secret setting is sealed for."""
    return f"ms365_setting:{key}:{column}"


class Snapshot:
    """The settings as they were read, or as they would be with ``changes``."""

    def __init__(
        self,
        rows: Mapping[str, Setting],
        version: SettingsVersion | None,
        *,
        deployment: Deployment,
        keyring: Keyring,
        changes: Changes | None = None,
    ) -> None:
        self._rows = rows
        self._version = version
        self._keyring = keyring
        self.deployment = deployment
        self.changes: Changes = changes or {}

    @property
    def version(self) -> int:
        """Grows with every save."""
        return self._version.version if self._version else 0

    @property
    def key_canaries(self) -> Mapping[str, Any]:
        """The keys that this database was used with: see ``keys/canary.py``."""
        return (self._version.key_canaries if self._version else None) or {}

    @property
    def missing_keys(self) -> list[str]:
        """The ids of keys that the ring lacks; while there are any, everything is locked."""
        return missing_keys(self.key_canaries, self._keyring)

    def refuse_if_locked(self) -> None:
        """Raise :exc:`~flask_ms365.errors.Locked` where the ring lacks a key."""
        refuse_if_locked(self.key_canaries, self._keyring)

    @property
    def confirmed_base_url(self) -> str | None:
        """The address that an admin confirmed while ``MS365_PUBLIC_BASE_URL`` is not set."""
        return self._version.confirmed_base_url if self._version else None

    def with_changes(self, changes: Changes) -> Snapshot:
        """Return the settings as they would be with ``changes``, which were checked."""
        return Snapshot(self._rows, self._version, deployment=self.deployment, keyring=self._keyring, changes=changes)

    def stored(self, key: str) -> Setting | None:
        """Return the override of ``key`` as it was read, or None where the default holds."""
        return None if self.deployment.is_locked(key) else self._rows.get(key)

    def own(self, key: str) -> str | UseDefault | None:
        """Return what is to change of ``key``; None where nothing is."""
        return self.changes.get(key)

    def effective(self, key: str) -> Effective:
        """Return the value of ``key``; raise an EncryptionError where a stored secret cannot be opened."""
        spec, own, row = spec_of(key), self.own(key), self.stored(key)
        if isinstance(own, str):
            return Effective(spec.typed(own), "stored")
        if row is None or own is not None:
            return self.inherited(key)
        text = self._keyring.open(row.sealed, secret_context(key)) if row.sealed else row.value
        return Effective(spec.typed(text), "stored")

    def text(self, key: str) -> str:
        """Return the value of ``key`` as text, empty where there is none; raise as :meth:`effective` does."""
        return str(self.effective(key).value or "")

    def number(self, key: str) -> int:
        """Return the value of ``key`` as a number, 0 where there is none; raise as :meth:`effective` does."""
        return int(self.text(key) or 0)

    def inherited(self, key: str) -> Effective:
        """Return what *Use default* gives for ``key``."""
        return self.deployment.inherited(key)

    def is_set(self, key: str) -> bool:
        """Tell whether ``key`` has a value that is not empty, without opening secrets."""
        row = self.stored(key)
        if row is not None and self.own(key) is None:
            return bool(row.sealed or row.value)
        return self.effective(key).value not in (None, "")

    def previous(self, key: str) -> str | None:
        """Return the secret that the stored one of ``key`` replaced, while the new one has not worked yet.

        It serves the app that it was stored for and no other one, and is not missed where it cannot be opened.
        """
        row = self.stored(key)
        if row is None or row.previous is None or self.own(key) is not None:
            return None
        try:
            return self._keyring.open(row.previous, self.previous_context(key))
        except EncryptionError:
            return None

    @property
    def app_identity(self) -> tuple[str, ...]:
        """What an app registration is known by; a secret belongs to one."""
        return tuple(str(self.effective(key).value) for key in _APP)

    def previous_context(self, key: str) -> str:
        """The place that a replaced secret is sealed for."""
        return f"{secret_context(key, 'previous')}:{'/'.join(self.app_identity)}"

    @property
    def credential_kind(self) -> str:
        """What the app proves itself with: ``secret``, ``certificate`` or ``federated``."""
        return self.text("credential")

    @property
    def credential_key(self) -> str:
        """The setting that holds the credential in use."""
        return HELD_IN[self.credential_kind]

    @property
    def has_credential(self) -> bool:
        """Tell whether there is what the app is to prove itself with."""
        return (
            bool(self.deployment.token_file)
            if self.credential_kind == "federated"
            else self.is_set(self.credential_key)
        )

    @property
    def missing_credentials(self) -> list[str]:
        """The keys without which nobody can sign in and nothing can be synced."""
        is_there = {
            "client_id": self.is_set("client_id"),
            self.credential_key: self.has_credential,
            "tenant_id": self.is_set("tenant_id"),
        }
        return [key for key, is_set in is_there.items() if not is_set]

    @property
    def is_sync_on(self) -> bool:
        """Tell whether emails are to be synced."""
        return self.effective("email_sync").value is True

    @property
    def sync_interval(self) -> timedelta:
        """How long a mailbox rests between two syncs."""
        return timedelta(minutes=self.number("sync_interval"))

    @property
    def last_change(self) -> Setting | None:
        """The override that was saved last."""
        return max(self._rows.values(), key=lambda row: row.changed_at, default=None)
