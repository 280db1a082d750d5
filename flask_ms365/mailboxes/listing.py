"""The list of all mailboxes, of people and the team: what needs a person first, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, case, false, or_, select

from flask_ms365.mailboxes.overdue import are_overdue, overdue_before
from flask_ms365.mailboxes.summary import BAD, state_in
from flask_ms365.models import Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.settings.snapshot import Snapshot

PAGE = 25

# no state of its own, and worse than most: nothing is known to be wrong, and nothing comes
OVERDUE = "overdue"
# all that is worse than waiting
NEEDS_YOU = "needs_you"
# worst first
STATES = (
    "sign_in_needed",
    "failed",
    "delete_failed",
    OVERDUE,
    "waiting",
    "syncing",
    "paused",
    "off",
    "never_synced",
    "up_to_date",
    "deleting",
    "disconnected",
)
_RANK = {state: rank for rank, state in enumerate(STATES)}

# rows, not objects, and without the secrets
_COLUMNS = (
    Mailbox.id,
    Mailbox.kind,
    Mailbox.access,
    Mailbox.owner_id,
    Mailbox.label,
    Mailbox.address,
    Mailbox.created_at,
    Mailbox.last_success_at,
    Mailbox.failing_since,
    Mailbox.next_due_at,
    Mailbox.paused_at,
    Mailbox.paused_by,
    # moves with every page that is stored
    Mailbox.lease_expires_at,
)


class Place(NamedTuple):
    """Where in the list a mailbox stands: by its state, and among those of the same state by its id."""

    rank: int
    id: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which mailboxes: of a state (or :data:`NEEDS_YOU`), with ``text`` in address or label, or of these owners."""

    state: str = ""
    text: str = ""
    owners: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class MailboxList:
    """One page of mailboxes, worst first: the columns above, ``state``, ``is_overdue`` and ``rank``."""

    mailboxes: Sequence[Row[Any]]
    has_before: bool
    has_after: bool


def list_mailboxes(
    session: AnySession,
    wanted: Wanted,
    *,
    settings: Snapshot,
    now: datetime,
    before: Place | None = None,
    after: Place | None = None,
) -> MailboxList:
    """Return the mailboxes next to the place ``before`` or ``after``, or the worst of all; one statement."""
    found, rank = _ranked(settings, now)
    page = found.where(*_conditions(wanted, rank)).limit(PAGE + 1)
    if before is not None:
        is_before = or_(rank < before.rank, and_(rank == before.rank, Mailbox.id < before.id))
        rows = session.execute(page.where(is_before).order_by(rank.desc(), Mailbox.id.desc())).all()
        return MailboxList(mailboxes=rows[:PAGE][::-1], has_before=len(rows) > PAGE, has_after=True)
    if after is not None:
        page = page.where(or_(rank > after.rank, and_(rank == after.rank, Mailbox.id > after.id)))
    rows = session.execute(page.order_by(rank, Mailbox.id)).all()
    return MailboxList(mailboxes=rows[:PAGE], has_before=after is not None, has_after=len(rows) > PAGE)


def these_mailboxes(
    session: AnySession, ids: Sequence[int], *, settings: Snapshot, now: datetime
) -> Sequence[Row[Any]]:
    """Return some mailboxes of the list in the order of ``ids``; one statement."""
    found, _ = _ranked(settings, now)
    rows = session.execute(found.where(Mailbox.id.in_(ids[:PAGE]))).all()
    return sorted(rows, key=lambda row: ids.index(row.id))


def _ranked(settings: Snapshot, now: datetime) -> tuple[Select[Any], ColumnElement[int]]:
    """Return the statement for all mailboxes, and what orders them."""
    limit = overdue_before(settings, now)
    state = state_in(now, is_on=settings.is_sync_on)
    is_overdue = case((are_overdue(limit), 1), else_=0) if limit else case((false(), 1), else_=0)
    each = select(Mailbox.id, state.label("state"), is_overdue.label("is_overdue")).subquery()
    is_stalled = and_(each.c.is_overdue == 1, each.c.state.not_in(BAD))
    rank: ColumnElement[int] = case(
        (is_stalled, _RANK[OVERDUE]),
        *((each.c.state == state, rank) for state, rank in _RANK.items()),
        else_=len(_RANK),
    )
    columns = (*_COLUMNS, each.c.state, each.c.is_overdue, rank.label("rank"))
    return select(*columns).join(each, each.c.id == Mailbox.id), rank


def _conditions(wanted: Wanted, rank: ColumnElement[int]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.state == NEEDS_YOU:
        conditions.append(rank <= _RANK[OVERDUE])
    elif wanted.state:
        conditions.append(rank == _RANK[wanted.state])
    if wanted.text:
        columns = (Mailbox.address, Mailbox.label)
        has_text = [column.icontains(wanted.text, autoescape=True) for column in columns]
        conditions.append(or_(*has_text, Mailbox.owner_id.in_(wanted.owners)))
    return conditions
