"""A canary for each key that the database was used with. Who cannot open one of them must not write here.

A database that was restored beside other keys, or a second node that was given another key, would otherwise seal new
secrets that the first cannot open, and take what it cannot open itself for lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_ms365.crypto import Keyring
from flask_ms365.errors import EncryptionError, Locked
from flask_ms365.models import lock_version
from flask_ms365.models.base import AnySession

_CONTEXT = "ms365_settings_version:key_canaries"
_SONG = "canary"


def missing_keys(canaries: Mapping[str, Any] | None, keyring: Keyring) -> list[str]:
    """Return the ids of the keys that this database was used with and that the ring does not have."""
    return sorted(key_id for key_id, sealed in (canaries or {}).items() if not _sings(sealed, keyring))


def refuse_if_locked(canaries: Mapping[str, Any] | None, keyring: Keyring) -> None:
    """Raise :exc:`Locked` where a key is missing."""
    if missing := missing_keys(canaries, keyring):
        raise Locked(missing)


def keep_canary(session: AnySession, keyring: Keyring) -> None:
    """Within a transaction, before the first secret is sealed: note the key that seals. Raise :exc:`Locked`."""
    version = lock_version(session)
    refuse_if_locked(version.key_canaries, keyring)
    if keyring and keyring.first not in (version.key_canaries or {}):
        version.key_canaries = {**(version.key_canaries or {}), keyring.first: keyring.seal(_SONG, _CONTEXT)}


def _sings(sealed: object, keyring: Keyring) -> bool:
    try:
        return keyring.open(str(sealed), _CONTEXT) == _SONG
    except EncryptionError:
        return False
