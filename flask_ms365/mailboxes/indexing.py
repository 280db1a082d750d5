"""Fill what search looks in: after mail is stored, never with it, and a little at each tick, before and after its runs.

Which messages lack their words is a query, so nothing is lost with a worker that is killed. Several may be at it: of
two that took up the same messages, one writes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, delete, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from flask_ms365.mailboxes.fulltext import Fulltext, fulltext_of
from flask_ms365.mailboxes.tokens import MOST_HTML, words_of_message
from flask_ms365.models import Mailbox, Message, SearchDue, SearchMark, SearchText, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.insert import insert_rows

_log = logging.getLogger(__name__)

_AT_ONCE = 200  # messages a transaction: others wait for it
_A_WHILE = 2.0  # seconds of a tick, which has mailboxes to sync too
# longer than any page of mail is under way
_SETTLES = timedelta(minutes=10)
UNDATED = datetime(1, 1, 2, tzinfo=timezone.utc)


class _Standing(NamedTuple):
    """The mark as it was read, the last message there is, and whether some have changed."""

    turn: int
    upto: int
    settled: int
    noted: int
    noted_at: datetime
    last: int
    has_due: bool


_MARK = ("turn", "upto", "settled", "noted", "noted_at")


class _Batch(NamedTuple):
    """Messages to take up, what the mark says then, and the rows of ``SearchDue`` that this answers."""

    ids: Sequence[int]
    mark: dict[str, Any]
    due: Sequence[int] = ()


@dataclass(kw_only=True)
class Indexing:
    """Keeps the words of one app's messages."""

    session: AnySession
    clock: Callable[[], datetime]

    def chore(self) -> None:
        """Go on for a while; one small statement where all is indexed."""
        try:
            self._go_on(until=time.monotonic() + _A_WHILE)
            self.session.commit()
        except (IntegrityError, OperationalError) as exc:  # mail was deleted under our hands, or the database is busy
            self.session.rollback()
            _log.info("indexing.postponed", extra={"event": "indexing.postponed", "error": type(exc).__name__})

    def _go_on(self, *, until: float) -> None:
        """Index what is lacking, batch by batch, until time is over or somebody else turns out to be at it."""
        standing = self._standing()
        for find in (self._due, self._late, self._new):
            while standing and (batch := find(standing)):
                standing = self._take_up(standing, batch)
                if time.monotonic() > until:
                    return

    def _standing(self) -> _Standing | None:
        last = select(func.coalesce(func.max(Message.id), 0)).scalar_subquery()
        mark = [getattr(SearchMark, name) for name in _MARK]
        row = self.session.execute(select(*mark, last, exists().select_from(SearchDue))).first()
        if row is None:
            return self._first_standing()
        standing = _Standing._make(row)
        return standing if standing.upto <= standing.last else self._step_back(standing)

    def _step_back(self, standing: _Standing) -> _Standing | None:
        """Begin again at the last message: somebody deleted later ones, and SQLite will give their ids again."""
        lower = {name: min(getattr(standing, name), standing.last) for name in ("upto", "settled", "noted")}
        return self._take_up(standing, _Batch([], lower))

    def _first_standing(self) -> _Standing | None:
        with write_transaction(self.session):
            self.session.execute(insert(SearchMark).values(id=1, noted_at=self.clock()))
        return self._standing()

    def _due(self, standing: _Standing) -> _Batch | None:
        """Return messages that changed, or were removed."""
        if not standing.has_due:
            return None
        due = select(SearchDue.id, SearchDue.message_id).order_by(SearchDue.id).limit(_AT_ONCE)
        rows = self.session.execute(due).all()
        return _Batch([row.message_id for row in rows], {}, [row.id for row in rows]) if rows else None

    def _late(self, standing: _Standing) -> _Batch | None:
        """Return messages that were stored after some with higher ids."""
        if standing.settled == standing.upto:
            return None
        is_indexed = exists().where(SearchText.message_id == Message.id)
        late = self._some(Message.id > standing.settled, Message.id <= standing.upto, ~is_indexed)
        return _Batch(late, {}) if late else None

    def _new(self, standing: _Standing) -> _Batch | None:
        """Return messages that came since, once none is late."""
        mark = self._settled(standing)
        new = self._some(Message.id > standing.upto) if standing.last > standing.upto else []
        if standing.last > standing.upto:
            mark["upto"] = new[-1] if new else standing.last
        return _Batch(new, mark) if mark else None

    def _settled(self, standing: _Standing) -> dict[str, Any]:
        """Return from where on messages may still come late, if that has changed."""
        now = self.clock()
        if standing.settled == standing.upto or now - standing.noted_at < _SETTLES:
            return {}
        return {"settled": standing.noted, "noted": standing.upto, "noted_at": now}

    def _some(self, *which: ColumnElement[bool]) -> Sequence[int]:
        """Return ids of messages in order; those on their way out are not worth it."""
        leaving = select(Mailbox.id).where(Mailbox.state == "deleting")
        some = select(Message.id).where(*which, Message.removed_at.is_(None), Message.mailbox_id.not_in(leaving))
        return self.session.scalars(some.order_by(Message.id).limit(_AT_ONCE)).all()

    def _take_up(self, standing: _Standing, batch: _Batch) -> _Standing | None:
        """Index a batch; return how things stand then, or None where somebody else did something meanwhile."""
        rows = self._rows(batch.ids)  # outside of the transaction: it takes longer than all the rest
        after = standing._replace(turn=standing.turn + 1, **batch.mark)
        with write_transaction(self.session):
            if not self._move(standing, after):
                return None
            # also what a host's SQLite kept of a deleted message that had the same id
            rows_changed(self.session, delete(SearchText).where(SearchText.message_id.in_(batch.ids)))
            rows_changed(self.session, delete(SearchDue).where(SearchDue.id.in_(batch.due)))
            there = set(self.session.scalars(_live(Message.id).where(Message.id.in_(batch.ids))))
            kept = [row for row in rows if row["message_id"] in there]
            insert_rows(self.session, SearchText.__table__, kept)
        return after

    def _move(self, before: _Standing, after: _Standing) -> int:
        """Within a transaction: write how things stand, unless somebody did since."""
        mine = update(SearchMark).where(SearchMark.turn == before.turn)
        return rows_changed(self.session, mine.values({name: getattr(after, name) for name in _MARK}))

    def _rows(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return the rows of ``SearchText`` of messages, and leave no transaction open."""
        fulltext = fulltext_of(self.session)
        found = self.session.execute(_live(*_READ).where(Message.id.in_(ids))).all() if ids else []
        self.session.commit()
        return [_row(fulltext, message) for message in found]


_READ = (
    Message.id,
    Message.mailbox_id,
    Message.received_at,
    Message.subject,
    Message.from_name,
    Message.from_address,
    Message.sender_name,
    Message.sender_address,
    Message.recipients,
    Message.preview,
    Message.body_content_type,
    func.substr(Message.body, 1, MOST_HTML).label("body"),
)


def _live(*columns: Any) -> Select[Any]:
    return select(*columns).where(Message.removed_at.is_(None))


def _row(fulltext: Fulltext, message: Row[Any]) -> dict[str, Any]:
    people = [message.from_name, message.from_address, message.sender_name, message.sender_address]
    people += [part for one in message.recipients for part in (one["name"], one["address"])]
    words = words_of_message(
        message.subject,
        dict.fromkeys(people),
        message.preview if message.body is None else message.body,
        is_html=message.body is not None and message.body_content_type == "html",
    )
    return {
        "message_id": message.id,
        "mailbox_id": message.mailbox_id,
        "received_at": message.received_at or UNDATED,
        "words": fulltext.stored(words, message.mailbox_id),
    }


def is_behind() -> ColumnElement[bool]:
    """Return the condition that some mail that is stored is not searched yet."""
    last = select(func.coalesce(func.max(Message.id), 0)).scalar_subquery()
    upto = select(func.coalesce(func.max(SearchMark.upto), 0)).scalar_subquery()
    return or_(last > upto, exists().select_from(SearchDue))
