"""Start over: read a mailbox again from the start. What is stored stays, and is recognised when it is met again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from flask_ms365.mailboxes.pausing import locked, record
from flask_ms365.models import Folder, Sighting, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.sync.folders import FROM_THE_START
from flask_ms365.sync.lease import hurry, take_away


def restart(session: AnySession, mailbox_id: int, *, now: datetime, actor: str | None, **detail: Any) -> bool:
    """Forget how far a mailbox was read, also the list of its folders; return False where there is no such mailbox.

    No row of mail is touched: the next runs match what they read with what is stored, tell the host of what is new and
    what has changed, and ask Microsoft for whatever they did not meet. ``detail`` goes into the audit log.
    """
    with write_transaction(session):
        mailbox = locked(session, mailbox_id)
        if mailbox is None:
            return False
        take_away(session, mailbox.id, folders_link=None, folders_asked_at=None, folders_listed_at=None)
        folders = select(Folder.id).where(Folder.mailbox_id == mailbox.id)
        rows_changed(session, delete(Sighting).where(Sighting.folder_id.in_(folders)))
        anew = update(Folder).where(Folder.mailbox_id == mailbox.id)
        rows_changed(session, anew.values(**FROM_THE_START, round=Folder.round + 1, error_code=None))
        hurry(session, mailbox.id, now)
        record(session, "mailbox.restarted", mailbox, at=now, actor=actor, **detail)
    return True
