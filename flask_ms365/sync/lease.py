"""Who may sync a mailbox now. Correct in SQL: engines may tick late, twice and in parallel.

A claim compares and swaps the *epoch*. Every page carries the epoch of its claim, so a worker that slept through its
lease writes nothing when it wakes: the epoch has moved on.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import and_, bindparam, case, literal, not_, or_, select, text, update
from sqlalchemy.sql import ColumnElement, Update

from flask_ms365.errors import LeaseLost
from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.models.base import AnySession, after_commit, rows_changed
from flask_ms365.models.counts import add_counts
from flask_ms365.sync.report import Result

_log = logging.getLogger(__name__)

# only these run; a mailbox that is paused or needs its owner waits for a person
RUNNABLE = ("connected",)
# these have no connection any more: their mail is kept, or on its way out
DISCONNECTED = ("disconnected", "deleting")
# two lanes: the new mail of all goes before what takes many turns, and before what was never read
IS_LONG = or_(Mailbox.folders_listed_at.is_(None), Mailbox.last_result == str(Result.UNDER_WAY))
IS_SHORT = and_(
    Mailbox.folders_listed_at.is_not(None),
    or_(Mailbox.last_result.is_(None), Mailbox.last_result != str(Result.UNDER_WAY)),
)

_SOON = (5.0, 15.0)  # seconds
_FREE: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None, "running_for": None}

_NOW = {
    "postgresql": "SELECT clock_timestamp()",
    "mysql": "SELECT UTC_TIMESTAMP(6)",
    "mariadb": "SELECT UTC_TIMESTAMP(6)",
}

_HELD_UNTIL = {
    "postgresql": text("clock_timestamp() + make_interval(secs => :held_for)"),
    "mysql": text("UTC_TIMESTAMP(6) + INTERVAL :held_for SECOND"),
    "mariadb": text("UTC_TIMESTAMP(6) + INTERVAL :held_for SECOND"),
}

_MAILBOX: Any = Mailbox.__table__


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One worker's hold on one mailbox."""

    mailbox_id: int
    owner: str
    epoch: int
    seconds: int
    # in the time that all workers share
    claimed_at: datetime


class Owners:
    """The names under which this process holds leases, so that it can let go of all of them when it has to end."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    @contextmanager
    def name(self) -> Iterator[str]:
        """Yield a new name, to hold leases by until the end of the block."""
        name = secrets.token_hex(16)
        self._names.add(name)
        try:
            yield name
        finally:
            self._names.discard(name)

    def let_go(self, session: AnySession, now: datetime) -> None:
        """Let others take at once whatever is held; those of us who still run write nothing more.

        Mailboxes in the middle of a write are left out: there is no time to wait for it.
        """
        held = select(Mailbox.id).where(Mailbox.lease_owner.in_(list(self._names))).with_for_update(skip_locked=True)
        with write_transaction(session):
            ours = update(Mailbox).where(Mailbox.id.in_(list(session.scalars(held))))
            rows_changed(session, ours.values(**_taken_away(), next_due_at=now))


def shared_now(session: AnySession, own: datetime) -> datetime:
    """Return the time that all workers share: the database's; on SQLite they share one machine's clock."""
    statement = _NOW.get(session.connection().dialect.name)
    if statement is None:
        return own
    now: datetime = session.execute(text(statement)).scalar_one()
    return now if now.tzinfo else now.replace(tzinfo=own.tzinfo)


def claim_due(
    session: AnySession,
    *,
    owner: str,
    seconds: int,
    now: datetime,
    limit: int,
    where: Sequence[ColumnElement[bool]] = (),
) -> list[int]:
    """Take mailboxes that are due and free, longest waiting first; return the ids of those that were tried.

    Another worker may have been faster with some of them: only rows with ``owner`` are ours.
    """
    is_due = (*_is_due(now), *where)
    with write_transaction(session):
        found = select(Mailbox.id, Mailbox.lease_owner).where(*is_due).order_by(Mailbox.next_due_at).limit(limit)
        # what another worker is about to take is not waited for: there is enough for both
        found = found.with_for_update(skip_locked=True)
        rows = session.execute(found).all()
        due = [mailbox_id for mailbox_id, _ in rows]
        taken = update(Mailbox).where(Mailbox.id.in_(due), *is_due)
        until = now + timedelta(seconds=seconds)
        claimed = {"lease_owner": owner, "lease_expires_at": until, "lease_epoch": Mailbox.lease_epoch + 1}
        swapped = taken.values(**claimed, running_for=None)
        if not due or not rows_changed(session, swapped):
            return []
        _note_takeovers(session, [mailbox_id for mailbox_id, before in rows if before], owner, now)
        return due


def due_long(session: AnySession, now: datetime, *, limit: int, where: Sequence[ColumnElement[bool]]) -> list[int]:
    """Return the ids of mailboxes whose long reading may have a turn: first what was never read, then as they wait."""
    found = select(Mailbox.id).where(*_is_due(now), IS_LONG, *where)
    in_order = found.order_by(Mailbox.last_success_at.is_not(None), Mailbox.next_due_at)
    return list(session.scalars(in_order.limit(limit)))


def due_first(session: AnySession, now: datetime, *, where: ColumnElement[bool]) -> int | None:
    """Return the id of one mailbox that is due, best one that was well the last time."""
    found = select(Mailbox.id).where(*_is_due(now), where).order_by(Mailbox.fail_count, Mailbox.next_due_at)
    return session.scalars(found.limit(1)).first()


def claim(
    session: AnySession,
    mailbox_id: int,
    *,
    owner: str,
    seconds: int,
    now: datetime,
    only_due: bool,
    tenant: str | None = None,
    has_room: Callable[[], bool] = lambda: True,
    states: Sequence[str] = RUNNABLE,
) -> Lease | None:
    """Take the mailbox, or return None where it is held, resting or not due (any more), or in none of ``states``.

    ``has_room`` tells within the transaction whether one more run of ``tenant`` may begin.
    """
    with write_transaction(session):
        if not has_room():
            _put_off(session, mailbox_id, now)
            return None
        held = select(Mailbox.lease_epoch, Mailbox.lease_owner).where(Mailbox.id == mailbox_id)
        epoch, before = session.execute(held).one_or_none() or (None, None)
        if epoch is None:
            return None
        # a mailbox that waits after a failure is not hurried, not even by hand
        is_time = Mailbox.next_due_at <= now
        may_run = is_time if only_due else or_(is_time, Mailbox.fail_count == 0)
        taken = update(Mailbox).where(
            Mailbox.id == mailbox_id, Mailbox.lease_epoch == epoch, Mailbox.state.in_(states), may_run, _is_free(now)
        )
        until = now + timedelta(seconds=seconds)
        claimed = {"lease_owner": owner, "lease_expires_at": until, "lease_epoch": epoch + 1}
        swapped = rows_changed(session, taken.values(**claimed, running_for=tenant))
        if swapped and before is not None:
            _note_takeovers(session, [mailbox_id], owner, now)
    lease = Lease(mailbox_id=mailbox_id, owner=owner, epoch=epoch + 1, seconds=seconds, claimed_at=now)
    return lease if swapped else None


def _put_off(session: AnySession, mailbox_id: int, now: datetime) -> None:
    """Let a mailbox that is due wait a little: whoever has it back at once asks Microsoft, and finds no room again."""
    soon = now + timedelta(seconds=random.uniform(*_SOON))
    waits = update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.next_due_at <= now, _is_free(now))
    rows_changed(session, waits.values(next_due_at=soon))


def _note_takeovers(session: AnySession, left: Sequence[int], owner: str, now: datetime) -> None:
    """Count those of the mailboxes, which somebody left without letting go, that ``owner`` has now."""
    if not left:
        return
    ours = select(Mailbox.id, Mailbox.lease_epoch).where(Mailbox.id.in_(left), Mailbox.lease_owner == owner)
    rows = session.execute(ours).all()
    for mailbox_id, epoch in rows:
        told = {"event": "lease.taken_over", "mailbox_id": mailbox_id, "lease_epoch": epoch}
        after_commit(session, partial(_log.info, "lease.taken_over", extra=told))
    add_counts(session, {("lease_takeovers", ""): len(rows)}, at=now)


def renew(session: AnySession, lease: Lease, own: datetime, **values: Any) -> None:
    """Go on holding, within the page's transaction, and write ``values`` of the mailbox.

    Raise :exc:`LeaseLost` when somebody else took over.
    """
    dialect = session.connection().dialect.name
    if dialect in _HELD_UNTIL:
        values["held_for"] = lease.seconds
    else:
        values["lease_expires_at"] = own + timedelta(seconds=lease.seconds)
    held = {"held_id": lease.mailbox_id, "held_epoch": lease.epoch, "held_owner": lease.owner}
    if not session.execute(_renewed(dialect), {**held, **values}).rowcount:  # type: ignore[attr-defined]
        raise LeaseLost


@lru_cache(maxsize=4)
def _renewed(dialect: str) -> Update:
    """Return the statement that renews, made once: it goes with every page. Time is what :func:`shared_now` tells."""
    renewed = update(_MAILBOX).where(
        _MAILBOX.c.id == bindparam("held_id"),
        _MAILBOX.c.lease_epoch == bindparam("held_epoch"),
        _MAILBOX.c.lease_owner == bindparam("held_owner"),
    )
    until = _HELD_UNTIL.get(dialect)
    return renewed if until is None else renewed.values(lease_expires_at=until)


def release(session: AnySession, lease: Lease, **outcome: Any) -> bool:
    """Let go and write how it went; return False when the lease was lost and nothing was written."""
    return bool(rows_changed(session, _held(lease).values(**_FREE, **outcome)))


def take_away(session: AnySession, mailbox_id: int, **values: Any) -> None:
    """Within a transaction: whoever holds the mailbox writes nothing more; ``values`` are written with it."""
    rows_changed(session, update(Mailbox).where(Mailbox.id == mailbox_id).values(**_taken_away(), **values))


def hurry(session: AnySession, mailbox_id: int, now: datetime) -> None:
    """Within a transaction: let the next tick take the mailbox, unless it waits after a failure.

    One that is held is taken once more afterwards: whoever has it may have asked before there was something new.
    """
    now = shared_now(session, now)
    waits = update(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.fail_count == 0)
    rows_changed(session, waits.where(or_(Mailbox.next_due_at > now, not_(_is_free(now)))).values(next_due_at=now))


def due_again(planned: datetime, *, claimed_at: datetime, now: datetime) -> ColumnElement[datetime]:
    """Return when a mailbox that is let go is due: as planned, or at once where somebody hurried it meanwhile.

    Only that writes a time between the claim and now: what was due then is earlier, and all else is yet to come.
    """
    is_hurried = and_(Mailbox.next_due_at > claimed_at, Mailbox.next_due_at <= now)
    return case((is_hurried, Mailbox.next_due_at), else_=literal(planned, Mailbox.next_due_at.type))


def _taken_away() -> dict[str, Any]:
    return {**_FREE, "lease_epoch": Mailbox.lease_epoch + 1}


def _held(lease: Lease) -> Update:
    return update(Mailbox).where(
        Mailbox.id == lease.mailbox_id, Mailbox.lease_epoch == lease.epoch, Mailbox.lease_owner == lease.owner
    )


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Mailbox.next_due_at <= now, _is_free(now), Mailbox.state.in_(RUNNABLE)


def _is_free(now: datetime) -> ColumnElement[bool]:
    return or_(Mailbox.lease_expires_at.is_(None), Mailbox.lease_expires_at < now)
