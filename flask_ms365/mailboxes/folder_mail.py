"""Delete what is stored of a folder that is read no more: in small transactions, by any process, on after a kill.

A host's own tables may refer to our messages. Those are kept, whatever the foreign key would have the database do with
the host's rows: the deletion passes them by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select, update

from flask_ms365.mailboxes.pausing import locked, record
from flask_ms365.mailboxes.referred import delete_allowed, is_referred_to
from flask_ms365.models import Folder, Message, SetAside, Sighting, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.sync.folders import FROM_THE_START, read_tree
from flask_ms365.sync.lease import take_away

_AT_ONCE = 500  # rows a transaction: others wait for it
_A_MOMENT = 2.0  # seconds that somebody waits for a page


@dataclass(frozen=True, kw_only=True)
class FolderProspect:
    """A folder that is read no more, with how many messages are stored of it, and how many of them records refer to."""

    folder_id: int
    name: str
    message_count: int
    kept_count: int
    is_under_way: bool


@dataclass(kw_only=True)
class FolderMail:
    """Deletes what is stored of folders."""

    session: AnySession
    clock: Callable[[], datetime]

    def look_at(self, mailbox_id: int, folder_id: int) -> FolderProspect | None:
        """Return what there is to lose; None where the mailbox has no such folder, or it is read."""
        tree = read_tree(self.session, mailbox_id)
        folder = next((row for row in tree.rows if row.id == folder_id and not tree.is_selected(row)), None)
        if folder is None:
            return None
        stored = select(func.count()).where(Message.folder_id == folder_id, Message.removed_at.is_(None))
        return FolderProspect(
            folder_id=folder_id,
            name=folder.name,
            message_count=self.session.scalar(stored) or 0,
            kept_count=self.session.scalar(stored.where(is_referred_to(self.session))) or 0,
            is_under_way=folder.deleted_to is not None,
        )

    def delete(self, mailbox_id: int, folder_id: int, *, actor: str | None) -> bool:
        """Delete what is stored of a folder: as much as takes a moment at once, the rest at each tick.

        Return False where there is no such folder, or it is read (again).
        """
        with write_transaction(self.session):
            mailbox = locked(self.session, mailbox_id)
            if mailbox is None or self.look_at(mailbox_id, folder_id) is None:
                return False
            take_away(self.session, mailbox_id)
            self._forget(folder_id)
            detail = {"folder_id": folder_id}
            record(self.session, "mailbox.folder_mail_deleted", mailbox, at=self.clock(), actor=actor, **detail)
        self.go_on(mailbox_id, folder_id, seconds=_A_MOMENT)
        return True

    def go_on(self, mailbox_id: int, folder_id: int, *, seconds: float) -> None:
        """Delete a batch, and more until ``seconds`` are over or nothing is left but what is kept."""
        until, is_kept = time.monotonic() + seconds, is_referred_to(self.session)
        while self._delete_batch(mailbox_id, folder_id, is_kept) and time.monotonic() < until:
            pass

    def _forget(self, folder_id: int) -> None:
        """Begin with it: should the folder be read again, it is from the start."""
        for theirs in (Sighting, SetAside):
            rows_changed(self.session, delete(theirs).where(theirs.folder_id == folder_id))
        folder = update(Folder).where(Folder.id == folder_id)
        anew = {**FROM_THE_START, "round": Folder.round + 1, "since": None, "synced_at": None, "doubt": None}
        rows_changed(self.session, folder.values(**anew, deleted_to=0))

    def _delete_batch(self, mailbox_id: int, folder_id: int, is_kept: ColumnElement[bool]) -> bool:
        """Delete some messages; return False once there is nothing more to do, or the folder is read again."""
        with write_transaction(self.session):
            # whoever syncs the mailbox may be about to file one of them elsewhere
            take_away(self.session, mailbox_id)
            reached = select(Folder.deleted_to).where(Folder.id == folder_id).with_for_update()
            after = self.session.scalar(reached)
            if after is None:
                return False
            some = select(Message.id, is_kept).where(Message.folder_id == folder_id, Message.id > after)
            rows = self.session.execute(some.order_by(Message.id).limit(_AT_ONCE)).all()
            delete_allowed(self.session, [message_id for message_id, kept in rows if not kept])
            now_at = update(Folder).where(Folder.id == folder_id)
            rows_changed(self.session, now_at.values(deleted_to=rows[-1][0] if rows else None))
            return bool(rows)
