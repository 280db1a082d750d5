"""What is on its way out goes on at each tick, also while emails sync is off: mailboxes, and what folders hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import null, select, union_all

from flask_ms365.mailboxes.deletion import Deletion
from flask_ms365.mailboxes.folder_mail import FolderMail
from flask_ms365.models import Folder, Mailbox
from flask_ms365.models.base import AnySession

_A_WHILE = 10.0  # seconds of a tick, which has mailboxes to sync too


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Goes on with deletions that people began."""

    session: AnySession
    clock: Callable[[], datetime]
    deletion: Deletion
    folder_mail: FolderMail

    def chore(self) -> None:
        """Go on for a while with each; a tick with nothing to delete costs one statement."""
        mailboxes = select(Mailbox.id, null()).where(Mailbox.state == "deleting", Mailbox.next_due_at <= self.clock())
        folders = select(Folder.mailbox_id, Folder.id).where(Folder.deleted_to.is_not(None))
        waiting: Sequence[Any] = self.session.execute(union_all(mailboxes, folders)).all()
        until = time.monotonic() + _A_WHILE
        for mailbox_id, folder_id in waiting:
            left = max(0.0, until - time.monotonic())
            if folder_id is None:
                self.deletion.go_on(mailbox_id, seconds=left)
            else:
                self.folder_mail.go_on(mailbox_id, folder_id, seconds=left)
