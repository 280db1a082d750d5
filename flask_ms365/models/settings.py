"""Settings as they were saved, and what a check refused to save."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.crypto import Sealed
from flask_ms365.models.base import AnySession, Base, HostId
from flask_ms365.models.upsert import upsert


class Setting(Base):
    """An override of one setting. No row means default; an empty value is a value."""

    __tablename__ = "ms365_setting"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str | None]
    # secrets lie here, and value is null
    sealed: Mapped[str | None] = mapped_column(Sealed)
    # the secret that this one replaced; it serves until the new one has worked once
    previous: Mapped[str | None] = mapped_column(Sealed)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str | None]


class SettingsVersion(Base):
    """One row that grows with every save: it guards concurrent saves and tells running syncs to look again."""

    __tablename__ = "ms365_settings_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    # the base address that an admin confirmed while MS365_PUBLIC_BASE_URL is not set
    confirmed_base_url: Mapped[str | None]
    # key id -> a sealed canary: the keys that this database was used with. Another ring must not write here.
    key_canaries: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


def lock_version(session: AnySession) -> SettingsVersion:
    """Within a transaction: return the one row, which all saves meet at, and keep others waiting until it ends."""
    first: dict[str, Any] = {"id": 1, "version": 0, "key_canaries": {}}
    # it locks the row that is there; to look for one that is not, and then insert it, is a deadlock in MariaDB
    table: Any = SettingsVersion.__table__
    upsert(session, table, [first], lambda _: {"version": table.c.version})
    return session.scalars(select(SettingsVersion), execution_options={"populate_existing": True}).one()


class SettingsDraft(Base):
    """Changes that failed their check, kept for a while for the admin who may save them all the same."""

    __tablename__ = "ms365_settings_draft"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(HostId)
    # of the settings that the changes were made from
    version: Mapped[int]
    # key -> text, null for the default, true for a secret: those lie apart, in the order of the catalog
    changes: Mapped[dict[str, Any]] = mapped_column(JSON)
    sealed: Mapped[str | None] = mapped_column(Sealed)
    expires_at: Mapped[datetime] = mapped_column(index=True)
