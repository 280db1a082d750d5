"""Runs of the connection check, stored step by step: they can be linked, and watched while they run."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365 import audit
from flask_ms365.check import microsoft
from flask_ms365.check.chain import READINESS, Step, run_step, steps_with
from flask_ms365.check.connections import read_inbox, try_forbidden
from flask_ms365.check.outcome import HostCheck, Outcome, StepResult
from flask_ms365.check.subject import Address, Subject
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.models import CheckRun, Mailbox, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.words import Words

_log = logging.getLogger(__name__)

_KEPT = 20
_PAUSE = timedelta(seconds=10)
_LONGEST = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as pages and the command line show it. ``waiting`` are the titles of steps that have not run.

    It has no ``id`` where the database did not take it.
    """

    id: int | None
    started_at: datetime
    actor: str | None
    results: tuple[StepResult, ...]
    waiting: tuple[str, ...]
    is_running: bool

    @property
    def counts(self) -> Mapping[str, int]:
        """How many steps ended in which state."""
        return Counter(result.outcome.state for result in self.results)


@dataclass(kw_only=True)
class Check:
    """The connection check of one app."""

    session: AnySession
    clock: Callable[[], datetime]
    subject: Callable[..., Subject]  # (address, forbidden="")
    host_checks: Sequence[HostCheck]

    def first_failure(self, registration: AppRegistration) -> StepResult | None:
        """Return what Microsoft has against values that are not saved yet, or None."""
        self.session.commit()  # no transaction is open while Microsoft is asked
        asked: tuple[tuple[str, str, Callable[[], Outcome]], ...] = (
            ("reach", Words("Reach Microsoft"), lambda: microsoft.reach(registration.authority, self.clock)),
            ("tenant", Words("Tenant"), lambda: microsoft.tenant(registration)),
            ("credentials", Words("Credentials"), lambda: microsoft.credentials(registration)),
        )
        for name, title, ask in asked:
            outcome = ask()
            if outcome.state == "failed":
                return StepResult(name=name, title=title, outcome=outcome)
        return None

    def recent(self) -> int | None:
        """Return the id of a run that began a moment ago: nobody needs another one yet."""
        began = self.clock() - _PAUSE
        return self.session.scalar(select(CheckRun.id).where(CheckRun.started_at > began).order_by(CheckRun.id.desc()))

    def begin(self, *, actor: str | None) -> int | None:
        """Begin a run and return its id; None where the database cannot be written, which is what a step is about."""
        now = self.clock()
        try:
            with write_transaction(self.session):
                run = CheckRun(started_at=now, actor=actor, steps=[])
                self.session.add(run)
                self.session.flush()
                self.session.execute(delete(CheckRun).where(CheckRun.id <= run.id - _KEPT))
                audit.record(self.session, "check.run", at=now, actor=actor)
                return run.id
        except SQLAlchemyError:
            _log.warning("check.not_stored", extra={"event": "check.not_stored"}, exc_info=True)
            return None

    def advance(self, run_id: int, address: Address | None, *, forbidden: str = "") -> bool:
        """Run the next step of a run; return whether there are more."""
        steps, done = self._steps, self._done(run_id)
        if done is None or len(done) >= len(steps):
            return False
        subject = self.subject(address, forbidden)
        self.session.commit()  # no transaction is open while Microsoft is asked
        result = run_step(steps[len(done)], subject, done)
        return self._store(run_id, len(done), result) < len(steps)

    def run_all(self, *, actor: str | None, address: Address | None, forbidden: str = "") -> Run:
        """Run every step now; ``forbidden`` is an address that the app must not read by itself."""
        run_id = self.begin(actor=actor)
        if run_id is None:
            return self._run_unstored(actor, address, forbidden)
        self.finish(run_id, address, forbidden=forbidden)
        return self.find(run_id) or self._run_unstored(actor, address, forbidden)

    def finish(self, run_id: int, address: Address | None, *, forbidden: str = "") -> None:
        """Run the steps of a run that are left."""
        while self.advance(run_id, address, forbidden=forbidden):
            pass

    def one_mailbox(self, mailbox: Mailbox, *, forbidden: str = "") -> list[StepResult]:
        """Read one mailbox now, and try one that the app must not read by itself; nothing is stored."""
        subject = self.subject(None, forbidden)
        look = Step(name="mailbox", title=Words("Mailbox through Graph"), run=lambda it: read_inbox(it, mailbox))
        try_it = Step(name="forbidden", title=Words("Out of reach"), run=lambda it: try_forbidden(it, it.forbidden))
        return [run_step(step, subject, ()) for step in ([look, try_it] if forbidden else [look])]

    def find(self, run_id: int | None = None) -> Run | None:
        """Return a run, or the last one."""
        wanted = select(CheckRun).order_by(CheckRun.id.desc()).limit(1)
        row = self.session.scalar(wanted if run_id is None else wanted.where(CheckRun.id == run_id))
        if row is None:
            return None
        is_running = row.finished_at is None and self.clock() - row.started_at < _LONGEST
        return Run(
            id=row.id,
            started_at=row.started_at,
            actor=row.actor,
            results=tuple(StepResult.from_json(step) for step in row.steps),
            waiting=tuple(step.title for step in self._steps[len(row.steps) :]) if row.finished_at is None else (),
            is_running=is_running,
        )

    def readiness(self) -> dict[str, str]:
        """Return the states of what mail needs here, by name; nobody outside is asked."""
        try:
            subject = self.subject(None)
            # a sync that is off needs no more than the database, but keys that are wrong are wrong all the same
            is_needed = subject.snapshot.is_sync_on or subject.snapshot.missing_keys
            steps = READINESS if is_needed else READINESS[-1:]
        except SQLAlchemyError:
            return {"database": "failed"}
        return {step.name: run_step(step, subject, ()).outcome.state for step in steps}

    def _run_unstored(self, actor: str | None, address: Address | None, forbidden: str) -> Run:
        results: list[StepResult] = []
        subject = self.subject(address, forbidden)
        self.session.commit()
        for step in self._steps:
            results.append(run_step(step, subject, results))
        return Run(id=None, started_at=self.clock(), actor=actor, results=tuple(results), waiting=(), is_running=False)

    @property
    def _steps(self) -> tuple[Step, ...]:
        return steps_with(self.host_checks)

    def _done(self, run_id: int) -> list[StepResult] | None:
        steps = self.session.scalar(select(CheckRun.steps).where(CheckRun.id == run_id))
        return None if steps is None else [StepResult.from_json(step) for step in steps]

    def _store(self, run_id: int, number: int, result: StepResult) -> int:
        """Add the result of step ``number``, unless another request was faster; return how many there are."""
        with write_transaction(self.session):
            run = self.session.get_one(CheckRun, run_id, populate_existing=True, with_for_update=True)
            if len(run.steps) == number:
                steps: list[Any] = [*run.steps, result.as_json()]
                run.steps = steps
                if len(steps) == len(self._steps):
                    run.finished_at = self.clock()
            return len(run.steps)
