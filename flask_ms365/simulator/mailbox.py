"""A mailbox and the verbs that change it while a client is watching."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .compose import AnyMail, compose, fabricate, read
from .loader import LoadReport, load_directory
from .message import Mail, MessageRecord, record
from .store import locked
from .troubles import Troubles

_READ_TOGGLE = frozenset({"isRead", "parentFolderId"})
_RENAMED, _MOVED = frozenset({"displayName"}), frozenset({"parentFolderId"})


class Mailbox(Troubles):
    """A mailbox of Exchange Online.

    A `folder` is a well-known name ("inbox"), a folder id, a display name or a path ("Projects/2026"). A message is
    known by its immutable id; every verb takes the other kind of id, too.
    """

    # messages

    def deliver(
        self,
        mail: AnyMail | None = None,
        *,
        folder: str = "inbox",
        received_at: datetime | None = None,
        is_undated: bool = False,
        is_read: bool = False,
        is_draft: bool = False,
        flag: str = "notFlagged",
        categories: Iterable[str] = (),
        message_id: str | None = None,
        **written: Any,
    ) -> str:
        """Put a message into a folder and return its id.

        The mail is an `EmailMessage`, bytes, a path, or is written from keywords (`subject`, `text`, `html`, `sender`,
        `to`, `cc`, `bcc`, `reply_to`, `attachments`, …: see `compose`). `message_id` is an id of your own, of any
        length and any letters; `is_undated` leaves out when it was received.
        """
        content = read(mail) if mail is not None else self._written(written)
        with self._lock:
            return self._add(
                content,
                self.folders.find(folder).id,
                None if is_undated else received_at or content.received_at or content.sent_at or self._clock(),
                message_id=message_id,
                is_read=is_read,
                is_draft=is_draft,
                flag=flag,
                categories=tuple(categories),
            )

    @locked
    def deliver_many(self, count: int, body_size: int = 8000, folders: Sequence[str] = ("inbox",)) -> list[str]:
        """Fabricate distinct, plausible messages, spread over the folders in turn."""
        targets = itertools.cycle([self.folders.find(name).id for name in folders])
        mails = fabricate(count, body_size, self._clock().replace(microsecond=0))
        return [self._add(mail, next(targets), received_at) for mail, received_at in mails]

    @locked
    def move(self, message_id: str, folder: str) -> str:
        """Move a message and return the id it has then: the same one, with immutable ids."""
        message = self.message(message_id)
        target = self.folders.find(folder)
        if target.id == message.folder_id:
            return self.shown_id(message)
        self._log(message.folder_id, "removed", message)
        del self._movable[message.movable_id]
        moved = replace(message, folder_id=target.id, movable_id=self._ids.movable())
        self._store(message, moved, "created")
        return self.shown_id(moved)

    @locked
    def delete(self, message_id: str, permanently: bool = True) -> None:
        """Delete a message for good, or move it to Deleted Items."""
        if not permanently:
            self.move(message_id, "deleteditems")
            return
        message = self.message(message_id)
        del self._messages[message.id], self._movable[message.movable_id]
        self._counts[message.folder_id, message.is_read] -= 1
        self._log(message.folder_id, "removed", message)

    @locked
    def mark_read(self, message_id: str, is_read: bool = True) -> None:
        """Mark a message read or unread. Exchange leaves its modification time alone."""
        message = self.message(message_id)
        fields = _READ_TOGGLE if self.partial_updates else None
        self._store(message, replace(message, is_read=is_read), "updated", fields)

    @locked
    def update(
        self,
        message_id: str,
        *,
        subject: str | None = None,
        flag: str | None = None,
        categories: Iterable[str] | None = None,
        importance: str | None = None,
    ) -> None:
        """Change a message as a person in Outlook does; what is None stays."""
        message = self.message(message_id)
        mail = message.mail
        changed = replace(
            message,
            mail=replace(
                mail,
                subject=mail.subject if subject is None else subject,
                importance=importance or mail.importance,
            ),
            flag_status=flag or message.flag_status,
            categories=message.categories if categories is None else tuple(categories),
            modified_at=self._clock(),
        )
        self._store(message, changed, "updated")

    @locked
    def messages(self, folder: str | None = None) -> list[MessageRecord]:
        """Every message as Graph would tell it, the oldest delivery first."""
        only = self.folders.find(folder).id if folder else None
        found = [m for m in self._messages.values() if only is None or m.folder_id == only]
        return [record(m, self.shown_id(m), self.folders.get(m.folder_id).name) for m in found]

    def load(self, directory: str | Path) -> LoadReport:
        """Read .eml, .mbox and Maildir below a directory; what cannot be read is reported, never raised."""
        return load_directory(self, Path(directory))

    # folders

    @locked
    def create_folder(self, name: str, parent: str | None = None, *, hidden: bool = False, search: bool = False) -> str:
        """Make a folder and return its id."""
        parent_id = self.folders.find(parent).id if parent else self.folders.root.id
        folder = self.folders.add(name, parent_id, is_hidden=hidden, is_search=search)
        self._log_folder("created", folder)
        return folder.id

    @locked
    def rename_folder(self, folder: str, name: str) -> None:
        """Give a folder another display name."""
        self._log_folder("updated", self.folders.change(self.folders.find(folder), name=name), _RENAMED)

    @locked
    def move_folder(self, folder: str, parent: str | None) -> None:
        """Put a folder below another one; None is the top."""
        parent_id = self.folders.find(parent).id if parent else self.folders.root.id
        self._log_folder("updated", self.folders.change(self.folders.find(folder), parent_id=parent_id), _MOVED)

    @locked
    def delete_folder(self, folder: str) -> None:
        """Delete a folder, the folders below it and all their messages, for good."""
        for gone in self.folders.remove(self.folders.find(folder)):
            for message in [m for m in self._messages.values() if m.folder_id == gone.id]:
                del self._messages[message.id], self._movable[message.movable_id]
            self._feeds.pop(gone.id, None)
            self._counts[gone.id, True] = self._counts[gone.id, False] = 0
            self._gone_folders[gone.id] = gone
            self._log_folder("removed", gone)

    def _written(self, written: dict[str, Any]) -> Mail:
        return compose(**{"to": [self.address], "sent_at": self._clock().replace(microsecond=0), **written})
