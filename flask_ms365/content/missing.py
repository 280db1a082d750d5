"""Store by policy what is attached: after the page that stored its message, one attachment a transaction.

What is missing is a query, so a run that was killed, throttled or cut short needs nothing to go on from.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, false, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import ColumnElement

from flask_ms365.errors import GraphError, Throttled, Unauthorized
from flask_ms365.models import Attachment, AttachmentContent, Mailbox, Message, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.lease import Lease, renew
from flask_ms365.sync.toggle import Toggle
from flask_ms365.waiting import backoff

if TYPE_CHECKING:
    from flask_ms365.graph import GraphClient

_log = logging.getLogger(__name__)

ATTEMPTS = 8  # over about two days
_BACKOFF_BASE, _BACKOFF_CAP = 600.0, 86400.0
_AT_ONCE = 50
_A_WHILE = 20.0  # seconds of a run: other mailboxes wait
_FAILURES = 3  # of one run: then it is Microsoft rather than the attachments
# asked again, these answer the same
_FINAL = {"tooLarge", "ErrorCannotOpenFileAttachment", "ErrorCorruptData"}


@dataclass(kw_only=True)
class MissingContents:
    """Fetches what the setting ``store_attachments`` asks for."""

    session: AnySession
    settings: Settings
    toggle: Toggle
    clock: Callable[[], datetime]

    def fetch(
        self, mailbox_id: int, graph: GraphClient, lease: Lease, *, is_stopping: Callable[[], bool] = lambda: False
    ) -> bool:
        """Store what is missing, for a while; return True where more can be stored at once.

        Raise what concerns the mailbox rather than an attachment: :exc:`Throttled`, :exc:`Unauthorized`, a
        :exc:`TokenError`, :exc:`LeaseLost` or :exc:`SyncSwitchedOff`. What was stored before stays stored.
        """
        limit = _limit(self.settings.read())
        self.session.commit()
        if not limit:
            return False
        until, failures = time.monotonic() + _A_WHILE, 0
        missing = self._missing(mailbox_id, limit)
        for row in missing:
            if is_stopping() or time.monotonic() > until:
                return True
            failures += not self._store(row, graph, lease, limit)
            if failures == _FAILURES:
                return False
        return len(missing) == _AT_ONCE

    def lacking(self, settings: Snapshot) -> ColumnElement[bool]:
        """Return the condition on :class:`Mailbox` that a run has contents to store; it is false where none are."""
        limit = _limit(settings)
        return select_missing(Mailbox.id, limit, self.clock()).order_by(None).exists() if limit else false()

    def _missing(self, mailbox_id: int, limit: int) -> list[Row[Any]]:
        rows = list(self.session.execute(select_missing(mailbox_id, limit, self.clock()).limit(_AT_ONCE)))
        self.session.commit()  # no transaction is open while Graph is asked
        return rows

    def _store(self, row: Row[Any], graph: GraphClient, lease: Lease, limit: int) -> bool:
        """Fetch one and write it, or what went wrong; tell whether it is stored."""
        try:
            content = b"".join(graph.content.attachment(row.message_id, row.graph_id, limit=limit))
            self._write(row.id, lease, content)
            return True
        except (Throttled, Unauthorized):
            raise
        except GraphError as exc:
            self._note(row, lease, exc.code or f"http{exc.status}")
        except SQLAlchemyError:  # larger than the database takes; or it is down, and then the next line says so
            _log.warning("content.not_stored", extra={"event": "content.not_stored", "attachment_id": row.id})
            self._note(row, lease, "notStored")
        return False

    def _write(self, attachment_id: int, lease: Lease, content: bytes) -> None:
        with write_transaction(self.session):
            self._hold(lease)
            stored = {"content_stored_at": self.clock(), "content_error": None, "content_retry_at": None}
            missing = (Attachment.id == attachment_id, Attachment.content_stored_at.is_(None))
            if rows_changed(self.session, update(Attachment).where(*missing).values(stored)):  # it may be gone by now
                self.session.execute(insert(AttachmentContent).values(attachment_id=attachment_id, content=content))

    def _note(self, row: Row[Any], lease: Lease, code: str) -> None:
        attempts = ATTEMPTS if code in _FINAL else row.content_attempts + 1
        rest = timedelta(seconds=backoff(row.content_attempts, base=_BACKOFF_BASE, cap=_BACKOFF_CAP))
        failed = update(Attachment).where(Attachment.id == row.id)
        with write_transaction(self.session):
            self._hold(lease)
            values = {"content_error": code, "content_attempts": attempts, "content_retry_at": self.clock() + rest}
            rows_changed(self.session, failed.values(values))

    def _hold(self, lease: Lease) -> None:
        renew(self.session, lease, self.clock())
        self.toggle.check()


def select_missing(mailbox_id: Any, limit: int, now: datetime) -> Any:
    """Select the attachments that should be stored and can be tried now, those that wait longest first."""
    columns = (Attachment.id, Attachment.graph_id, Attachment.content_attempts, Message.graph_id.label("message_id"))
    return (
        select(*columns)
        .join(Message, Message.id == Attachment.message_id)
        .where(Attachment.mailbox_id == mailbox_id, Attachment.content_stored_at.is_(None))
        .where(Attachment.kind != "reference", Attachment.size <= limit, Attachment.content_attempts < ATTEMPTS)
        .where(or_(Attachment.content_retry_at.is_(None), Attachment.content_retry_at <= now))
        .where(Message.removed_at.is_(None))
        .order_by(Attachment.id)
    )


def _limit(settings: Snapshot) -> int:
    """Return the largest size in bytes that is stored."""
    return settings.number("store_attachments") * 1024 * 1024
