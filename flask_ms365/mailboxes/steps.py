"""Long chores in small steps: a transaction each, by any process, on after a kill, and no step twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from flask_ms365.models import write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.chores import Chore
from flask_ms365.models.upsert import upsert

_log = logging.getLogger(__name__)

A_SECOND = 1.0  # of a tick, which has mailboxes to sync too

Place = dict[str, Any]
# from where it is to where it is then, within a transaction; None at the end
Step = Callable[[Place], Place | None]


@dataclass(frozen=True, kw_only=True)
class LongChore:
    """A chore in steps. It begins anew where the settings want something else, and so long after it came to its end.

    ``step`` is None where they want nothing.
    """

    name: str
    wanted: str
    step: Step | None
    again: timedelta = timedelta(days=1)


@dataclass(kw_only=True)
class Steps:
    """Goes on with long chores."""

    session: AnySession
    clock: Callable[[], datetime]

    def go_on(self, chores: Sequence[LongChore]) -> None:
        """Make the steps that are due, a second for each chore; one statement where none is."""
        known = {row.name: row for row in self.session.execute(select(Chore.__table__))}
        self.session.commit()
        for chore in chores:
            row = known.get(chore.name)
            if row is None or row.wanted != chore.wanted:
                self._begin(chore, is_known=row is not None)
            elif row.due_at <= self.clock():
                self._walk(chore, row.step, row.place)

    def _begin(self, chore: LongChore, *, is_known: bool) -> None:
        if chore.step is None and not is_known:
            return
        first = {"name": chore.name, "wanted": chore.wanted, "step": 0, "place": {}, "due_at": self.clock()}
        begun = Chore.__table__.c
        with write_transaction(self.session):
            upsert(
                self.session,
                Chore.__table__,
                [first],
                lambda new: {
                    "step": begun.step + 1,
                    "wanted": new.wanted,
                    "place": new.place,
                    "due_at": new.due_at,
                },
            )
            step = self.session.scalar(select(Chore.step).where(Chore.name == chore.name)) or 0
        self._walk(chore, step, {})

    def _walk(self, chore: LongChore, step: int, place: Place | None) -> None:
        until = time.monotonic() + A_SECOND
        try:
            while chore.step and place is not None:
                moved, place = self._make(chore, chore.step, step, place)
                step += 1
                if not moved or time.monotonic() > until:
                    return
        except OperationalError:  # locked up with a sync, or the database is busy: the next tick tries again
            _log.warning("chore.postponed", extra={"event": "chore.postponed", "chore": chore.name})

    def _make(self, chore: LongChore, make: Step, step: int, place: Place) -> tuple[bool, Place | None]:
        """Make one step, unless another process has made it."""
        seen = update(Chore).where(Chore.name == chore.name, Chore.step == step, Chore.wanted == chore.wanted)
        with write_transaction(self.session):
            if not rows_changed(self.session, seen.values(step=step + 1)):
                return False, place
            place_then = make(place)
            rest = timedelta(0) if place_then is not None else chore.again
            mine = update(Chore).where(Chore.name == chore.name)
            rows_changed(self.session, mine.values(place=place_then or {}, due_at=self.clock() + rest))
        return True, place_then
