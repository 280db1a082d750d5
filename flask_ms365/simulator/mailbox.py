"""A mailbox and the verbs that change it while a client is watching."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from .compose import AnyMail, compose, fabricate, read
from .delta import SYNC_STATE_NOT_FOUND
from .errors import GraphError
from .loader import LoadReport, load_directory
from .message import Mail, MessageRecord, record
from .store import Store, locked
from .traffic import Traffic, throttled

_READ_TOGGLE = frozenset({"isRead", "parentFolderId"})


class Mailbox(Store):
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
        is_read: bool = False,
        is_draft: bool = False,
        flag: str = "notFlagged",
        categories: Iterable[str] = (),
        **written: Any,
    ) -> str:
        """Put a message into a folder and return its id.

        The mail is an `EmailMessage`, bytes, a path, or is written from keywords (`subject`, `text`, `html`, `sender`,
        `to`, `cc`, `bcc`, `reply_to`, `attachments`, …: see `compose`).
        """
        content = read(mail) if mail is not None else self._written(written)
        with self._lock:
            return self._add(
                content,
                self.folders.find(folder).id,
                received_at or content.received_at or content.sent_at or self._clock(),
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
        self._log_folder("updated", self.folders.change(self.folders.find(folder), name=name))

    @locked
    def move_folder(self, folder: str, parent: str | None) -> None:
        """Put a folder below another one; None is the top."""
        parent_id = self.folders.find(parent).id if parent else self.folders.root.id
        self._log_folder("updated", self.folders.change(self.folders.find(folder), parent_id=parent_id))

    @locked
    def delete_folder(self, folder: str) -> None:
        """Delete a folder, the folders below it and all their messages, for good."""
        for gone in self.folders.remove(self.folders.find(folder)):
            for message in [m for m in self._messages.values() if m.folder_id == gone.id]:
                del self._messages[message.id], self._movable[message.movable_id]
            self._feeds.pop(gone.id, None)
            self._counts[gone.id, True] = self._counts[gone.id, False] = 0
            self._log_folder("removed", gone)

    # faults

    @locked
    def expire_cursors(self, folder: str | None = None, status: int = 410, code: str = "SyncStateNotFound") -> None:
        """Let the delta and next links given out so far die; without a folder those of the whole mailbox."""
        feeds = {self.folders.find(folder).id} if folder else None
        self._cursors.expire(feeds, GraphError(status, code, SYNC_STATE_NOT_FOUND))

    def throttle(
        self,
        times: int | None = 1,
        retry_after: float | str | None = 1,
        status: int = 429,
        code: str | None = "ApplicationThrottled",
    ) -> None:
        """Refuse the next calls. `retry_after` goes out as it is: a number, a date, nonsense, or None for no header."""
        self.traffic.fail(throttled(None if retry_after is None else str(retry_after), status, code), times)

    def fail(self, status: int, code: str | None = None, message: str = "", times: int | None = 1) -> None:
        """Answer the next calls with an error; `times` None means until `stop_failing`."""
        self.traffic.fail(GraphError(status, code, message), times)

    def drop_connection(self, times: int | None = 1) -> None:
        """Hang up on the next calls."""
        self.traffic.fail(None, times)

    def stop_failing(self) -> None:
        """Forget the scripted faults of the mailbox and of its messages."""
        self.traffic.clear()
        self._failures.clear()

    @locked
    def fail_message(self, message_id: str, status: int = 500, code: str = "ErrorCorruptData") -> None:
        """Let every read of one message fail; lists and deltas still name it."""
        error = GraphError(status, code, "The data of the item is corrupt.")
        self._failures[self.message(message_id).id] = error

    def hold(self) -> AbstractContextManager[Traffic]:
        """Keep calls waiting inside the mailbox while the block runs."""
        return self.traffic.hold()

    @property
    def max_concurrency(self) -> int | None:
        """How many calls of one app are let in at a time; None is no limit."""
        return self.traffic.max_concurrency

    @max_concurrency.setter
    def max_concurrency(self, calls: int | None) -> None:
        self.traffic.max_concurrency = calls

    @property
    def quota(self) -> int | None:
        """How many calls of one app are let in within ten minutes (Microsoft: 10,000); None is no limit."""
        return self.traffic.quota

    @quota.setter
    def quota(self, calls: int | None) -> None:
        self.traffic.quota = calls

    def _written(self, written: dict[str, Any]) -> Mail:
        return compose(**{"to": [self.address], "sent_at": self._clock().replace(microsecond=0), **written})
