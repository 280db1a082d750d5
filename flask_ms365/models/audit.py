"""What happened, for those who ask later: the audit log, the last checks, and who was told what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, event
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.errors import AppendOnly
from flask_ms365.models.base import Base, HostId


class AuditEvent(Base):
    """Something that an admin should be able to find out later. Written, never changed; holds no secret."""

    __tablename__ = "ms365_audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str | None]
    # how the actor came in: page, cli, or code of the host
    door: Mapped[str] = mapped_column(String(8), default="code")
    ip: Mapped[str | None] = mapped_column(String(45))
    action: Mapped[str] = mapped_column(String(64), index=True)
    target: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


# statements in bulk pass these by: a guard for those would cost every statement of the host
@event.listens_for(AuditEvent, "before_update")
@event.listens_for(AuditEvent, "before_delete")
def _refuse(*_: object) -> None:
    raise AppendOnly


class CheckRun(Base):
    """One run of the connection check, step by step; unfinished while ``finished_at`` is null."""

    __tablename__ = "ms365_check_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    actor: Mapped[str | None]
    # one object a step, in order, as check/ makes and reads them
    steps: Mapped[list[Any]] = mapped_column(JSON)


class Heartbeat(Base):
    """A row for each engine that each of its ticks touches: it tells whether anybody ticks at all."""

    __tablename__ = "ms365_heartbeat"

    # apscheduler, celery, worker, sync (a single pass), or what the host's own hook says
    engine: Mapped[str] = mapped_column(String(64), primary_key=True)
    # since when it has ticked without a long silence
    since: Mapped[datetime]
    at: Mapped[datetime]


class Told(Base):
    """Who was told what, so that nobody is told twice. An empty ``user_id`` stands for the host, told by a signal."""

    __tablename__ = "ms365_told"

    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    user_id: Mapped[str] = mapped_column(HostId, primary_key=True)
    at: Mapped[datetime]
