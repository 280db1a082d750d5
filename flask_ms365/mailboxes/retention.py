"""What is kept, and what the settings would rather not have kept: removed mail, texts, large attachments.

Chores go through the rows by their ids, a small transaction each, beside syncs and beside each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update

from flask_ms365.mailboxes.referred import delete_allowed, is_referred_to
from flask_ms365.mailboxes.sizes import Sizes
from flask_ms365.mailboxes.steps import LongChore, Place, Step, Steps
from flask_ms365.models import Attachment, AttachmentContent, Message
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.search import index_again
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.attachments import begin_afresh
from flask_ms365.sync.lease import take_away

_log = logging.getLogger(__name__)

_AT_ONCE = 500  # rows a transaction: others wait for it


@dataclass(kw_only=True)
class Retention:
    """Deletes what is not to be kept (any longer), and measures what is."""

    session: AnySession
    clock: Callable[[], datetime]

    def chore(self, settings: Snapshot) -> None:
        """Go on with whatever is due; asked at each tick, also while emails sync is off.

        What is locked stays as it is.
        """
        if settings.missing_keys:
            return
        days, megabytes = settings.number("keep_removed"), settings.number("store_attachments")
        keeps_texts = settings.effective("store_bodies").value is True
        steps = Steps(session=self.session, clock=self.clock)
        steps.go_on(
            [
                _chore("removed", days, partial(self._delete_removed, days) if days else None),
                _chore("texts", keeps_texts, None if keeps_texts else self._empty_texts),
                _chore("contents", megabytes, partial(self._empty_contents, megabytes * 1024 * 1024)),
                Sizes(session=self.session, clock=self.clock).chore(),
            ]
        )

    def _delete_removed(self, days: int, place: Place) -> Place | None:
        """Delete some messages that were removed so long ago, but none that records of the host refer to.

        These are passed by until the next round. Whoever syncs a mailbox just now may be about to bring one back, and
        begins again.
        """
        is_old = Message.removed_at <= self.clock() - timedelta(days=days)
        removed = select(Message.id, Message.mailbox_id, is_referred_to(self.session)).where(is_old)
        some = removed.where(Message.id > place.get("after", 0)).order_by(Message.id).limit(_AT_ONCE)
        rows = self.session.execute(some).all()
        for mailbox_id in sorted({mailbox_id for _, mailbox_id, is_kept in rows if not is_kept}):
            take_away(self.session, mailbox_id)
        ids = [message_id for message_id, _, is_kept in rows if not is_kept]
        still = select(Message.id).where(Message.id.in_(ids), is_old).order_by(Message.id).with_for_update()
        count = delete_allowed(self.session, self.session.scalars(still).all())
        if rows:
            told = {"event": "retention.deleted", "count": count, "refused": len(rows) - count}
            _log.info("retention.deleted", extra=told)
        return _next(rows)

    def _empty_texts(self, place: Place) -> Place | None:
        """Empty the texts of some messages, and let search forget them; what kind of text it was stays."""
        after = place.get("after", 0)
        some = select(Message.id).where(Message.id > after).order_by(Message.id).limit(_AT_ONCE).subquery()
        upto = self.session.scalar(select(func.max(some.c.id)))
        if upto is None:
            return None
        which = (Message.id > after, Message.id <= upto, Message.body.is_not(None))
        index_again(self.session, *which)
        rows_changed(self.session, update(Message).where(*which).values(body=None))
        return {"after": upto}

    def _empty_contents(self, limit: int, place: Place) -> Place | None:
        """Delete some contents that are larger than what is stored now; they are fetched when they are opened."""
        stored = (
            select(AttachmentContent.attachment_id, Attachment.size)
            .outerjoin(Attachment, Attachment.id == AttachmentContent.attachment_id)
            .where(AttachmentContent.attachment_id > place.get("after", 0))
        )
        rows = self.session.execute(stored.order_by(AttachmentContent.attachment_id).limit(_AT_ONCE)).all()
        begin_afresh(self.session, [row[0] for row in rows if not limit or (row.size or 0) > limit])
        return _next(rows)


def _chore(name: str, wanted: object, step: Step | None) -> LongChore:
    return LongChore(name=name, wanted=str(wanted), step=step)


def _next(rows: Any) -> Place | None:
    return {"after": rows[-1][0]} if len(rows) == _AT_ONCE else None
