"""Changes that failed their check, kept for a quarter of an hour: the admin may save them all the same.

A secret that was typed cannot be shown again, so without this it would have to be pasted a second time.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from flask_ms365.crypto import Keyring
from flask_ms365.keys.canary import keep_canary
from flask_ms365.models import SettingsDraft, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.settings.catalog import CATALOG
from flask_ms365.settings.values import USE_DEFAULT, Changes, UseDefault

_LIFE = timedelta(minutes=15)
_SECRETS = [spec.key for spec in CATALOG if spec.is_secret]


@dataclass(kw_only=True)
class Drafts:
    """The drafts of one app's admins."""

    session: AnySession
    keyring: Keyring
    clock: Callable[[], datetime]

    def keep(self, changes: Changes, *, version: int, user_id: str) -> str:
        """Store ``changes``, secrets sealed, and return what names them to ``user_id`` alone."""
        draft_id, now = secrets.token_hex(16), self.clock()
        texts = {key: None if isinstance(value, UseDefault) else value for key, value in changes.items()}
        typed = {key: texts[key] for key in _SECRETS if texts.get(key)}
        draft = SettingsDraft(
            id=draft_id,
            user_id=user_id,
            version=version,
            changes={**texts, **dict.fromkeys(typed, True)},  # in place of each secret: it lies apart
            sealed=self.keyring.seal(json.dumps([*typed.values()]), _context(draft_id)) if typed else None,
            expires_at=now + _LIFE,
        )
        with write_transaction(self.session):
            keep_canary(self.session, self.keyring)
            self.session.execute(delete(SettingsDraft).where(SettingsDraft.expires_at < now))
            self.session.add(draft)
        return draft_id

    def take(self, draft_id: str, *, user_id: str) -> tuple[Changes, int] | None:
        """Return the changes of a draft with the version they were made from, once; None where there is none."""
        wanted = select(SettingsDraft).where(SettingsDraft.id == draft_id, SettingsDraft.user_id == user_id)
        with write_transaction(self.session):
            draft = self.session.scalar(wanted.where(SettingsDraft.expires_at >= self.clock()))
            if draft is None:
                return None
            texts, version = dict(draft.changes), draft.version
            if draft.sealed:
                typed = json.loads(self.keyring.open(draft.sealed, _context(draft_id)))
                texts |= zip((key for key in _SECRETS if texts.get(key) is True), typed, strict=True)
            self.session.delete(draft)
        return {key: USE_DEFAULT if text is None else text for key, text in texts.items()}, version


def _context(draft_id: str) -> str:
    return f"ms365_settings_draft:{draft_id}:sealed"
