"""Delete the mail of a mailbox that was disconnected: in small transactions, by any process, on after a kill.

A host's own tables may refer to our messages. Where its foreign keys refuse, nothing of that batch is deleted, the
mailbox says why, and it is tried again later.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Delete, Update

from flask_ms365.models import (
    Attachment,
    AttachmentContent,
    Connection,
    Folder,
    Mailbox,
    Message,
    OAuthFlow,
    Processed,
    Reader,
    SetAside,
    Sighting,
    SyncRun,
    write_transaction,
)
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.search import forget_words
from flask_ms365.words import Words

_log = logging.getLogger(__name__)

_AT_ONCE = 500  # rows a transaction: others wait for it
_AGAIN = timedelta(hours=1)
_REFUSED = Words(
    "Records of this app still refer to this mail, so the database refused to delete it. Nothing of the app was lost. "
    "Once they no longer do, the deletion goes on by itself."
)


@dataclass(kw_only=True)
class Deletion:
    """Deletes mailboxes in the state ``deleting``."""

    session: AnySession
    clock: Callable[[], datetime]

    def go_on(self, mailbox_id: int, *, seconds: float) -> None:
        """Delete a batch, and more until ``seconds`` are over or nothing is left."""
        until = time.monotonic() + seconds
        try:
            while self._delete_batch(mailbox_id) and time.monotonic() < until:
                pass
        except IntegrityError:
            _log.warning("deletion.refused", extra={"event": "deletion.refused", "mailbox_id": mailbox_id})
            self._tell_refusal(mailbox_id)

    def _delete_batch(self, mailbox_id: int) -> bool:
        """Delete some rows of one kind; return False once there is nothing more to do."""
        with write_transaction(self.session):
            # locks out other processes, and takes back what a refusal said
            mine = update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.state == "deleting")
            if not self._execute(mine.values(fail_count=0, last_error=None)):
                return False
            if self._delete_messages(mailbox_id) or self._delete_runs(mailbox_id):
                return True
            self._delete_mailbox(mailbox_id)
            return False

    def _delete_messages(self, mailbox_id: int) -> int:
        some = self.session.scalars(select(Message.id).where(Message.mailbox_id == mailbox_id).limit(_AT_ONCE)).all()
        if some:
            delete_messages(self.session, some)
        return len(some)

    def _delete_runs(self, mailbox_id: int) -> int:
        some = self.session.scalars(select(SyncRun.id).where(SyncRun.mailbox_id == mailbox_id).limit(_AT_ONCE)).all()
        if some:
            self._execute(delete(SyncRun).where(SyncRun.id.in_(some)))
        return len(some)

    def _delete_mailbox(self, mailbox_id: int) -> None:
        """Delete the rest, and the connection where no other mailbox has it. A host's SQLite cascades nothing."""
        connection_id = self.session.scalar(select(Mailbox.connection_id).where(Mailbox.id == mailbox_id))
        self._execute(update(Folder).where(Folder.mailbox_id == mailbox_id).values(parent_id=None))
        folders = select(Folder.id).where(Folder.mailbox_id == mailbox_id)
        self._execute(delete(Sighting).where(Sighting.folder_id.in_(folders)))
        for theirs in (SetAside, Reader, Processed):
            self._execute(delete(theirs).where(theirs.mailbox_id == mailbox_id))
        self._execute(delete(Folder).where(Folder.mailbox_id == mailbox_id))
        self._execute(delete(OAuthFlow).where(OAuthFlow.mailbox_id == mailbox_id))
        self._execute(delete(Mailbox).where(Mailbox.id == mailbox_id))
        is_used = select(Mailbox.id).where(Mailbox.connection_id == connection_id).exists()
        self._execute(delete(Connection).where(Connection.id == connection_id, ~is_used))

    def _tell_refusal(self, mailbox_id: int) -> None:
        told = update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.state == "deleting")
        with write_transaction(self.session):
            self._execute(
                told.values(
                    last_error=str(_REFUSED), fail_count=Mailbox.fail_count + 1, next_due_at=self.clock() + _AGAIN
                )
            )

    def _execute(self, statement: Delete | Update) -> int:
        return rows_changed(self.session, statement)


def delete_messages(session: AnySession, ids: Sequence[int]) -> None:
    """Within a transaction: delete messages, as many as an IN list takes, with what is attached to them."""
    theirs = select(Attachment.id).where(Attachment.message_id.in_(ids))
    rows_changed(session, delete(AttachmentContent).where(AttachmentContent.attachment_id.in_(theirs)))
    rows_changed(session, delete(Attachment).where(Attachment.message_id.in_(ids)))
    rows_changed(session, delete(Message).where(Message.id.in_(ids)))
    forget_words(session, ids)
