"""Give up what only a lost key could open: the way out when a key is gone for good."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.sql import Delete, Update

from flask_ms365 import audit
from flask_ms365.crypto import key_id_in
from flask_ms365.models import (
    Connection,
    Mailbox,
    OAuthFlow,
    Setting,
    SettingsDraft,
    lock_version,
    write_transaction,
)
from flask_ms365.models.base import AnySession, rows_changed

# without a connection already, or on their way out
_WITHOUT = ("disconnected", "deleting")


def forget_key(session: AnySession, key_id: str, *, now: datetime, actor: str | None) -> int:
    """Delete all that lies sealed under ``key_id`` and return how much: people must sign in and enter it again."""
    with write_transaction(session):
        version = lock_version(session)
        count = sum(_forget(session, key_id))
        version.key_canaries = {kid: kept for kid, kept in version.key_canaries.items() if kid != key_id}
        version.version += 1
        audit.record(session, "keys.forgotten", at=now, actor=actor, target=key_id, secrets=count)
    return count


def _forget(session: AnySession, key_id: str) -> list[int]:
    lost = or_(key_id_in(Connection.access_token) == key_id, key_id_in(Connection.refresh_token) == key_id)
    ended = Mailbox.connection_id.in_(select(Connection.id).where(lost)), Mailbox.state.not_in(_WITHOUT)
    dead = {"is_dead": True, "access_token": None, "refresh_token": None, "version": Connection.version + 1}
    statements: list[Update | Delete] = [
        update(Mailbox).where(*ended).values(state="sign_in_needed"),
        update(Connection).where(lost).values(dead),
        delete(Setting).where(key_id_in(Setting.sealed) == key_id),
        update(Setting).where(key_id_in(Setting.previous) == key_id).values(previous=None),
        delete(SettingsDraft).where(key_id_in(SettingsDraft.sealed) == key_id),
        delete(OAuthFlow).where(key_id_in(OAuthFlow.code_verifier) == key_id),
    ]
    return [rows_changed(session, statement) for statement in statements][1:]
