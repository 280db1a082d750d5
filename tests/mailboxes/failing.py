"""Mailboxes that fail and are mended, and a host that hears of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from flask_ms365 import Trouble
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.models.base import Base
from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host
from tests.sync.many import Many

Heard = list[Trouble]


class Lost(Exception):
    """The host's mail server is away."""


@pytest.fixture
def many(configured: Host, simulator: Simulator, clock: Clock) -> Many:
    return up_to_date(Many(host=configured, simulator=simulator, clock=clock))


def up_to_date(many: Many) -> Many:
    """Add four mailboxes that are up to date and not looked at again for a day."""
    many.add(4)
    change(many, next_due_at=many.clock() + timedelta(days=1), last_success_at=many.clock())
    return many


@pytest.fixture
def told(configured: Host) -> Heard:
    """Return what the host was told."""
    heard: Heard = []
    configured.ms365.on_trouble(heard.append)
    return heard


def change(many: Many, *mailbox_ids: int, model: type[Base] = Mailbox, **values: Any) -> None:
    """Change the mailboxes that are named, or all of them; another model's row by its mailbox."""
    column = Mailbox.id if model is Mailbox else Folder.mailbox_id
    changed = update(model).values(**values)
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(changed.where(column.in_(mailbox_ids)) if mailbox_ids else changed)


def fail(many: Many, *mailbox_ids: int, result: str = "failed") -> None:
    """Let runs of these mailboxes have failed from now on."""
    error: dict[str, Any] = {"last_error": "ValueError while storing mail", "last_error_code": None}
    change(many, *mailbox_ids, fail_count=2, last_result=result, failing_since=many.clock(), **error)


def heal(many: Many, *mailbox_ids: int) -> None:
    """Let these mailboxes be read again."""
    well: dict[str, Any] = {"state": "connected", "fail_count": 0, "failing_since": None, "last_result": "done"}
    well["next_due_at"] = many.clock() + timedelta(days=1)
    change(many, *mailbox_ids, last_success_at=many.clock(), last_error=None, **well)


def tick_for(many: Many, minutes: int) -> None:
    for _ in range(max(1, minutes // 5)):
        many.clock.advance(minutes=5)
        many.tick()


def causes(told: Heard) -> list[tuple[int | None, str, bool]]:
    return [(each.mailbox_id, each.cause, each.is_over) for each in told]
