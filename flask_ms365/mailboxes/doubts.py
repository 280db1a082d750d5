"""A folder whose mail is all gone, says Microsoft, though much is stored: nothing is removed until people say so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from flask_ms365 import audit
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.mail import ASKED, BELIEVED
from flask_ms365.sync.lease import hurry
from flask_ms365.words import Words, counted


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A folder that people are asked about, with the number of messages that are stored of it."""

    folder_id: int
    name: str
    stored: int

    @property
    def words(self) -> Words:
        """What people need to know before they answer."""
        return counted(
            "Microsoft says that %(folder)s is empty. %(count)s message of it is stored here. Nothing was removed.",
            "Microsoft says that %(folder)s is empty. %(count)s messages of it are stored here. Nothing was removed.",
            self.stored,
            folder=self.name,
        )


def believe(
    session: AnySession, mailbox: Mailbox, *, folder_id: int | None = None, now: datetime, actor: str | None
) -> int:
    """Take it that the mail of a doubted folder is gone, or of all such folders; return of how many.

    The next sync marks it as removed. A folder that is not asked about (any more) stays as it is.
    """
    mailbox_id, address = mailbox.id, mailbox.address
    believed = 0
    with write_transaction(session):
        # the mailbox before its folders: a sync under way locks them in this order
        hurry(session, mailbox_id, now)
        for asked in _asked_about(session, mailbox_id) if folder_id is None else [folder_id]:
            answered = update(Folder).where(Folder.id == asked, Folder.mailbox_id == mailbox_id, Folder.doubt == ASKED)
            if rows_changed(session, answered.values(doubt=BELIEVED)):
                believed += 1
                detail = {"mailbox_id": mailbox_id, "folder_id": asked}
                audit.record(session, "mailbox.removal_believed", at=now, actor=actor, target=address, **detail)
    return believed


def _asked_about(session: AnySession, mailbox_id: int) -> list[int]:
    asked = select(Folder.id).where(Folder.mailbox_id == mailbox_id, Folder.doubt == ASKED)
    return list(session.scalars(asked.order_by(Folder.id)))
