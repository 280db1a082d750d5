"""Settings as they were saved, and who changed what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.crypto import Sealed
from flask_ms365.models.base import Base


class Setting(Base):
    """An override of one setting. No row means default; an empty value is a value."""

    __tablename__ = "ms365_setting"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str | None]
    # secrets lie here, and value is null
    sealed: Mapped[str | None] = mapped_column(Sealed)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str | None]


class SettingsVersion(Base):
    """One row that grows with every save: it guards concurrent saves and tells running syncs to look again."""

    __tablename__ = "ms365_settings_version"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]
    # the base address that an admin confirmed while MS365_PUBLIC_BASE_URL is not set
    confirmed_base_url: Mapped[str | None]


class AuditEvent(Base):
    """Something that an admin should be able to find out later. Written, never changed; holds no secret."""

    __tablename__ = "ms365_audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str | None]
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
