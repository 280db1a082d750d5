"""What mailboxes of one organisation share: how many run at once, and a circuit for when Microsoft has enough of it.

Mailboxes are throttled one by one, and each waits for itself. Where one after the other is, it is the organisation:
then all of its mailboxes rest, in all processes, until one has tried. Others are not late for that.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from flask_ms365.models import Connection, Mailbox, Tenant, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.sync.report import Result, RunReport

_log = logging.getLogger(__name__)

# runs of one organisation at a time, over all processes; of these, long readings, which leave room for new mail
AT_ONCE, LONG_AT_ONCE = 10, 5
_STRIKES = 5
_BASE, _CAP = 30.0, 3600.0  # seconds, where Microsoft does not say how long

_TROUBLE = (Result.THROTTLED, Result.UNAVAILABLE)
# Microsoft has answered, whatever it was
_ANSWERED = (Result.DONE, Result.UNDER_WAY, Result.FAILED, Result.SIGN_IN_NEEDED)
_tenants: Any = Tenant.__table__


@dataclass(kw_only=True)
class Tenants:
    """The organisations of one app's mailboxes."""

    session: AnySession
    # that of mailboxes which the app reads without a sign-in
    of_app: str

    def place_of(self, mailbox_id: int, *, is_long: bool) -> Place:
        """Return the place that a run of a mailbox takes among those of its tenant."""
        tenant = case((Mailbox.access == "application", self.of_app), else_=Connection.tid)
        found = (
            select(tenant, Tenant.id, Mailbox.fail_count)
            .outerjoin(Connection, Connection.id == Mailbox.connection_id)
            .outerjoin(Tenant, Tenant.id == tenant)
        )
        row = self.session.execute(found.where(Mailbox.id == mailbox_id)).one_or_none()
        name, known, fail_count = row or (None, None, 0)
        if name and not known:
            self._add(name)
        limit = LONG_AT_ONCE if is_long else AT_ONCE
        return Place(session=self.session, tenant=name, limit=limit, was_well=not fail_count)

    def held(self) -> dict[str, datetime]:
        """Return the tenants whose mailboxes rest, and until when: from then on one may try."""
        held = select(_tenants.c.id, _tenants.c.held_until).where(_tenants.c.held_until.is_not(None))
        return {row.id: row.held_until for row in self.session.execute(held)}

    def full(self, now: datetime) -> list[str]:
        """Return the tenants that have no room for one more long reading."""
        live = select(Mailbox.running_for).where(Mailbox.running_for.is_not(None), Mailbox.lease_expires_at >= now)
        return list(self.session.scalars(live.group_by(Mailbox.running_for).having(func.count() >= LONG_AT_ONCE)))

    def have(self, tenants: Collection[str]) -> ColumnElement[bool]:
        """Return the condition on :class:`Mailbox` that it belongs to one of ``tenants``; it is never null."""
        signed_in = exists().where(Connection.id == Mailbox.connection_id, Connection.tid.in_(tenants))
        return or_(signed_in, Mailbox.access == "application") if self.of_app in tenants else signed_in

    def _add(self, name: str) -> None:
        with suppress(IntegrityError), write_transaction(self.session):  # another process was first
            self.session.execute(insert(_tenants).values(id=name, strikes=0, fail_count=0))


@dataclass(kw_only=True)
class Place:
    """One run's place among those of its tenant; without a tenant there is always room."""

    session: AnySession
    tenant: str | None
    limit: int
    # whether the mailbox's last run went well: one that is in trouble anyway is not a new sign of it
    was_well: bool
    _is_probe: bool = field(default=False, init=False)
    _had_strikes: bool = field(default=False, init=False)

    def take(self, now: datetime, seconds: int) -> bool:
        """Within the claim's transaction: tell whether there is room; until its end nobody else of the tenant claims.

        Where the tenant was held, the run is to try for all of them, for ``seconds`` at most.
        """
        if not self.tenant:
            return True
        row = self.session.execute(self._locked).one()
        self._had_strikes = bool(row.strikes)
        if row.held_until is None:
            return self._count_live(now) < self.limit
        self._is_probe = row.held_until <= now
        if self._is_probe:
            self._set(held_until=now + timedelta(seconds=seconds))
        return self._is_probe

    def leave(self, report: RunReport, now: datetime) -> None:
        """Draw from the run what it means for the tenant; mostly nothing, and no statement."""
        is_trouble = report.result in _TROUBLE and not report.is_held
        if is_trouble and self.tenant and (self._is_probe or self.was_well):
            self._strike(report, now)
        elif self._is_probe:
            is_answered = report.result in _ANSWERED
            self._write(**(_CLOSED if is_answered else {"held_until": now}))
        elif self._had_strikes and report.result in _ANSWERED:
            self._write(strikes=case((_tenants.c.strikes > 0, _tenants.c.strikes - 1), else_=0))

    def _strike(self, report: RunReport, now: datetime) -> None:
        """Count one more in trouble, and hold the tenant where they are many, or where the probe was one."""
        with write_transaction(self.session):
            row = self.session.execute(self._locked).one()
            if row.held_until is not None and not self._is_probe:
                return  # others found out before
            if not self._is_probe and row.strikes + 1 < _STRIKES:
                self._set(strikes=row.strikes + 1)
                return
            seconds = _wait(report.retry_after, row.fail_count)
            self._set(strikes=0, fail_count=row.fail_count + 1, held_until=now + timedelta(seconds=seconds))
        told = {"event": "tenant.held", "tenant": self.tenant, "seconds": round(seconds)}
        _log.warning("tenant.held", extra=told)

    @property
    def _locked(self) -> Any:
        columns = (_tenants.c.strikes, _tenants.c.held_until, _tenants.c.fail_count)
        return select(*columns).where(_tenants.c.id == self.tenant).with_for_update()

    def _count_live(self, now: datetime) -> int:
        live = select(func.count()).where(Mailbox.running_for == self.tenant, Mailbox.lease_expires_at >= now)
        return self.session.scalar(live) or 0

    def _set(self, **values: Any) -> None:
        rows_changed(self.session, update(_tenants).where(_tenants.c.id == self.tenant).values(values))

    def _write(self, **values: Any) -> None:
        with write_transaction(self.session):
            self._set(**values)


_CLOSED: dict[str, Any] = {"held_until": None, "strikes": 0, "fail_count": 0}


def _wait(retry_after: float | None, fail_count: int) -> float:
    """Return for how many seconds to hold a tenant: as Microsoft says, and not all processes to the second."""
    if retry_after:
        return retry_after * random.uniform(1.0, 1.1)
    return random.uniform(0.0, min(_CAP, _BASE * 2 ** min(fail_count, 30)))
