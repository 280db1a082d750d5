"""The audit log: what happened, who did it, and by which door they came in."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from flask import g

from flask_ms365.models import AuditEvent
from flask_ms365.models.base import AnySession

Door = Literal["page", "cli", "code"]


def came_in_by(door: Door, *, ip: str | None = None) -> None:
    """Remember, for the rest of this app context, how whoever acts in it came in. Unless told it is the host's code."""
    g.ms365_door, g.ms365_ip = door, ip


def record(
    session: AnySession, action: str, *, at: datetime, actor: str | None, target: str | None = None, **detail: Any
) -> None:
    """Write one event with the transaction under way. No secret may be among ``detail``."""
    session.add(
        AuditEvent(
            at=at,
            actor=actor,
            door=g.get("ms365_door", "code"),
            ip=g.get("ms365_ip"),
            action=action,
            target=target,
            detail=detail,
        )
    )
