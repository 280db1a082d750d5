"""Tell the host of what waits for its people: once a cause, and once more when it is over, from one of all processes.

What befell the app, or most of its mailboxes, is one message and not one a mailbox. Whom a message goes to, and how, is
for the host to say: see ``delivery.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, case, false, or_, select, union, update

from flask_ms365.errors import AppRefused, MS365Error, TokenError
from flask_ms365.identity.circuit import in_words
from flask_ms365.mailboxes.delivery import Delivery
from flask_ms365.mailboxes.overdue import are_overdue, has_ticked, overdue_before
from flask_ms365.mailboxes.trouble import APP_REFUSED, FAILED, OVERDUE, SIGN_IN_NEEDED
from flask_ms365.mailboxes.troubles import cause_of, count_causes, many_in_words, of_app, of_mailbox
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.mail import ASKED
from flask_ms365.settings.catalog import spec_of
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.lease import RUNNABLE
from flask_ms365.told import forget, tell, told_of
from flask_ms365.words import Words

_AT_A_TICK = 50
# a mailbox that fails and heals within minutes is nobody's concern
_QUIET = timedelta(minutes=15)
# more than so many mailboxes, and more than this part of all, are one trouble; it is over when fewer than that are left
_MANY, _BEGINS, _ENDS = 3, 0.5, 0.1
# causes of the whole app -> the page where people see what to do
_OF_APP = {APP_REFUSED: "settings", FAILED: "check", OVERDUE: "check"}

# returns the address of one of our pages: endpoint, and what its path names
PageAddress = Callable[[Snapshot, str, Mapping[str, int]], str]


@dataclass(kw_only=True)
class Notices:
    """Watches the mailboxes of one app. ``held`` returns why no mailbox gets tokens."""

    session: AnySession
    delivery: Delivery
    held: Callable[[], TokenError | None]
    page: PageAddress
    engine: Callable[[], str]
    clock: Callable[[], datetime]

    def chore(self, snapshot: Snapshot) -> None:
        """Tell what is new or over: three small statements where nothing is, and none where nobody listens."""
        # while the sync is off nobody waits for mail, and what is locked is told elsewhere
        if not self.delivery.hearers or not snapshot.is_sync_on or snapshot.missing_keys:
            return
        limit = overdue_before(snapshot, self.clock())
        rows = self._find(snapshot, limit)
        silenced = self._tell_shared(snapshot, {row.cause for row in rows}, limit)
        for row in rows:
            if row.cause not in silenced:
                self._tell_mailbox(snapshot, row)

    def _find(self, snapshot: Snapshot, limit: datetime | None) -> Sequence[Row[Any]]:
        """Return mailboxes whose cause is another than was told."""
        # an outage makes all of them overdue within an interval: by then it is known how many they are
        is_overdue = self._overdue(limit, patience=snapshot.sync_interval)
        cause = cause_of(is_overdue, failing_before=self.clock() - _QUIET)
        rows = self.session.execute(_untold(cause, is_overdue, knows_overdue=limit is not None)).all()
        self.session.commit()
        return rows

    def _overdue(self, limit: datetime | None, patience: timedelta = timedelta(0)) -> ColumnElement[bool]:
        if limit is None:
            return false()
        return and_(are_overdue(limit - patience), has_ticked(self.engine(), limit))

    # the app

    def _tell_shared(self, snapshot: Snapshot, causes: Collection[str], limit: datetime | None) -> set[str]:
        """Tell what holds for the whole app; return the causes that are not told of single mailboxes."""
        told = {subject for subject, _ in told_of(self.session, [_subject(cause) for cause in _OF_APP])}
        open_ = {cause for cause in _OF_APP if _subject(cause) in told}
        shared = self._shared(snapshot, open_ | set(causes), open_, limit)
        # what comes of a refusal is not told beside it; and nobody knows yet what a sync just switched on misses
        silenced = {FAILED, OVERDUE} if APP_REFUSED in shared else {OVERDUE} if limit is None else set()
        for cause in _OF_APP.keys() - silenced:
            self._tell_app(snapshot, cause, shared.get(cause), is_open=cause in open_)
        return silenced | shared.keys()

    def _shared(
        self, snapshot: Snapshot, causes: Collection[str], open_: Collection[str], limit: datetime | None
    ) -> dict[str, Words]:
        """Return what holds for the whole app; mailboxes are counted only where some have such a cause."""
        refusal = self._refusal(snapshot)
        shared = {} if refusal is None else {APP_REFUSED: refusal}
        if not shared and {FAILED, OVERDUE}.intersection(causes):
            counts, total = count_causes(self.session, self._overdue(limit), failing_before=self.clock())
            for cause, count in counts.items():
                part = _ENDS if cause in open_ else _BEGINS
                if count > max(_MANY, part * total):
                    shared[cause] = many_in_words(cause, count)
        self.session.commit()
        return shared

    def _refusal(self, snapshot: Snapshot) -> Words | None:
        """Say why the app is refused, or soon will be."""
        for key in snapshot.missing_credentials:
            return Words("%(label)s is missing", label=spec_of(key).label)
        held = self.held()
        if isinstance(held, AppRefused):
            return in_words(held)
        try:
            expiry = credential_expiry(snapshot, self.clock())
        except MS365Error:  # told elsewhere
            return None
        return expiry.words if expiry is not None and expiry.has_ended else None

    def _tell_app(self, snapshot: Snapshot, cause: str, words: Words | None, *, is_open: bool) -> None:
        """Tell that something holds for the app, or no longer does; whoever writes that down first tells it."""
        if is_open == (words is not None):
            return
        subject, trouble = _subject(cause), of_app(cause, words, self.page(snapshot, _OF_APP[cause], {}))
        if words is not None:
            if tell(self.session, subject, at=self.clock()) and not self.delivery.deliver(trouble):
                forget(self.session, subject)
        elif forget(self.session, subject) and not self.delivery.deliver(trouble):
            tell(self.session, subject, at=self.clock())

    # a mailbox

    def _tell_mailbox(self, snapshot: Snapshot, row: Row[Any]) -> None:
        """Tell of one mailbox, unless another process is; where a handler failed, a later tick tells it again."""
        told_at = self.clock()
        if not self._swap(row.id, (row.told_cause, row.told_at), (row.cause, told_at)):
            return
        endpoint, values = ("my_email", {}) if row.kind == "user" else ("mailbox", {"mailbox_id": row.id})
        if not self.delivery.deliver(of_mailbox(row, self.page(snapshot, endpoint, values))):
            # the time stays: what is tried again goes behind what was not told at all
            self._swap(row.id, (row.cause, told_at), (row.told_cause, told_at))

    def _swap(self, mailbox_id: int, seen: tuple[Any, Any], new: tuple[Any, Any]) -> bool:
        """Write down what is told; False where another process has written since."""
        columns = zip((Mailbox.told_cause, Mailbox.told_at), seen, strict=True)
        is_as_seen = [column.is_(None) if value is None else column == value for column, value in columns]
        told = update(Mailbox).where(Mailbox.id == mailbox_id, *is_as_seen)
        with write_transaction(self.session):
            return rows_changed(self.session, told.values(told_cause=new[0], told_at=new[1])) == 1


def _untold(cause: ColumnElement[Any], is_overdue: ColumnElement[bool], *, knows_overdue: bool) -> Select[Any]:
    """Return how to find mailboxes whose cause is another than was told; each part of it has an index."""
    may_be = union(
        select(Mailbox.id).where(
            Mailbox.state == "sign_in_needed",
            or_(Mailbox.told_cause.is_(None), Mailbox.told_cause != SIGN_IN_NEEDED),
        ),
        select(Mailbox.id).where(Mailbox.fail_count > 0),
        select(Mailbox.id).where(Mailbox.told_cause.is_not(None)),
        select(Folder.mailbox_id).where(Folder.doubt == ASKED),
        select(Mailbox.id).where(is_overdue),
    ).subquery()
    is_new = and_(cause.is_not(None), or_(Mailbox.told_cause.is_(None), Mailbox.told_cause != cause))
    # a mailbox that Microsoft now asks to wait after a failure has not been read again
    is_well = or_(Mailbox.fail_count == 0, Mailbox.state.not_in(RUNNABLE))
    is_over = and_(Mailbox.told_cause.is_not(None), cause.is_(None), is_well)
    if not knows_overdue:
        is_over = and_(is_over, Mailbox.told_cause != OVERDUE)
    columns = (
        Mailbox.id,
        Mailbox.kind,
        Mailbox.access,
        Mailbox.address,
        Mailbox.owner_id,
        Mailbox.last_error,
        Mailbox.last_error_code,
        Mailbox.told_cause,
        Mailbox.told_at,
        cause.label("cause"),
    )
    found = select(*columns).join(may_be, may_be.c.id == Mailbox.id).where(or_(is_new, is_over))
    # what may turn out to be shared by most is not in the way of the rest
    may_be_shared = case((cause.in_((FAILED, OVERDUE)), 1), else_=0)
    return found.order_by(may_be_shared, Mailbox.told_at.is_not(None), Mailbox.told_at, Mailbox.id).limit(_AT_A_TICK)


def _subject(cause: str) -> str:
    """Return what is written down once the host was told this of the whole app."""
    return f"trouble:{cause}"
