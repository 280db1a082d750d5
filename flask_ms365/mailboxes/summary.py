"""How all mailboxes are together, counted by the database: no mailbox is loaded and no secret opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

from sqlalchemy import Case, Select, and_, bindparam, case, func, select

from flask_ms365.mailboxes.overdue import are_overdue
from flask_ms365.models import Mailbox, Message, Tenant
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.report import NEEDS_A_PERSON, Result

# nobody looks at these by themselves
AT_REST = ("sign_in_needed", "paused", *DISCONNECTED)
_NOT_CONNECTED = (*DISCONNECTED, "delete_failed")
BAD = ("sign_in_needed", "failed", "delete_failed")
# messages; a page must not wait until a database has counted millions of rows
MOST_COUNTED = 100_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mailboxes by state, in the words of ``status.py``, whether the sync is on or off; and the times that matter."""

    counts: Mapping[str, int]
    # by state, those that have had no success for long
    overdue: Mapping[str, int]
    # that somebody holds now
    leases: int
    last_success_at: datetime | None
    # the longest ago of those that are looked at; one that has had none does not count
    oldest_success_at: datetime | None
    next_due_at: datetime | None
    # of those that nobody reads now, too
    waits_since: datetime | None
    # the states that any mailbox of the visitor is in
    own_states: frozenset[str]

    @property
    def total(self) -> int:
        """How many mailboxes there are."""
        return sum(self.counts.values())

    @property
    def connected(self) -> int:
        """How many of them were not disconnected."""
        return self.total - sum(self.counts.get(state, 0) for state in _NOT_CONNECTED)

    @property
    def need_a_person(self) -> int:
        """How many of them will not go on by themselves, or have not gone on for long."""
        return sum(self.counts.get(state, 0) for state in BAD) + self.stalled

    @property
    def may_need_owner(self) -> bool:
        """Whether one of the visitor's own mailboxes may be among them."""
        return any(state in BAD or self.overdue.get(state, 0) for state in self.own_states)

    @property
    def stalled(self) -> int:
        """How many are overdue, though nothing is known to be wrong with them."""
        return sum(count for state, count in self.overdue.items() if state not in BAD)


def summarise(session: AnySession, *, now: datetime, limit: datetime | None, user_id: str | None = None) -> Summary:
    """Count the mailboxes by state; one statement. ``limit`` is that of :func:`overdue_before`."""
    rows = session.execute(_by_state(), {"now": now, "limit": limit or _LONG_AGO, "user_id": user_id}).all()
    awake = [row for row in rows if row.kind not in (*AT_REST, *_NOT_CONNECTED)]
    return Summary(
        counts={row.kind: row.many for row in rows},
        overdue={row.kind: int(row.overdue) for row in rows},
        leases=int(sum(row.leases for row in rows)),
        last_success_at=max((row.last_success_at for row in rows if row.last_success_at), default=None),
        oldest_success_at=min((row.oldest_success_at for row in awake if row.oldest_success_at), default=None),
        next_due_at=min((row.next_due_at for row in awake), default=None),
        waits_since=min((row.next_due_at for row in awake if row.kind != "syncing"), default=None),
        own_states=frozenset(row.kind for row in rows if row.own),
    )


def state_in(now: Any, *, is_on: bool = True) -> Case[Any]:
    """Return how a mailbox is, as :func:`~flask_ms365.mailboxes.status.state_of` says it, for the database."""
    failed = and_(Mailbox.fail_count > 0, Mailbox.last_result.in_([str(result) for result in NEEDS_A_PERSON]))
    # the worst that holds comes first, as for a single mailbox
    at_rest: list[Any] = [
        (and_(Mailbox.state == "deleting", Mailbox.fail_count > 0), "delete_failed"),
        (Mailbox.state.in_(AT_REST), Mailbox.state),
    ]
    if not is_on:
        return case(*at_rest, else_="off")
    return case(
        *at_rest,
        (Mailbox.lease_expires_at > now, "syncing"),
        (failed, "failed"),
        (Mailbox.fail_count > 0, "waiting"),
        (Mailbox.last_result == str(Result.UNDER_WAY), "syncing"),  # it waits for its next turn
        (Mailbox.last_success_at.is_not(None), "up_to_date"),
        else_="never_synced",
    )


@cache
def _by_state() -> Select[Any]:
    """Return the statement, made once: every page of the admins runs it, and making it takes longer than that."""
    each = select(
        state_in(bindparam("now")).label("kind"),
        case((are_overdue(bindparam("limit")), 1), else_=0).label("is_overdue"),
        case((Mailbox.lease_expires_at > bindparam("now"), 1), else_=0).label("is_held"),
        case((Mailbox.owner_id == bindparam("user_id"), 1), else_=0).label("is_own"),
        Mailbox.last_success_at,
        Mailbox.next_due_at,
    ).subquery()
    return select(
        each.c.kind,
        func.count().label("many"),
        func.sum(each.c.is_overdue).label("overdue"),
        func.sum(each.c.is_held).label("leases"),
        func.sum(each.c.is_own).label("own"),
        func.max(each.c.last_success_at).label("last_success_at"),
        func.min(each.c.last_success_at).label("oldest_success_at"),
        func.min(each.c.next_due_at).label("next_due_at"),
    ).group_by(each.c.kind)


def count_held_tenants(session: AnySession, *, now: datetime) -> int:
    """Return of how many organisations no mailbox is read now, since Microsoft has enough of them; one statement."""
    return session.scalar(select(func.count()).where(Tenant.held_until > now)) or 0


def count_messages(session: AnySession) -> int:
    """Return how many messages are stored, up to one more than :data:`MOST_COUNTED`; one statement."""
    some = select(Message.id).limit(MOST_COUNTED + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
