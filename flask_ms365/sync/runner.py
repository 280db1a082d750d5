"""From "tick" to finished runs: who is due, who may run, and what is written down afterwards.

This is the job boundary. Any engine may call it late, twice or in parallel; the lease sorts that out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flask_ms365 import signals
from flask_ms365.errors import (
    Locked,
    MS365Error,
)
from flask_ms365.heartbeat import beat
from flask_ms365.models import Mailbox, write_transaction
from flask_ms365.models.base import AnySession, hide_parameters
from flask_ms365.models.counts import write_tally
from flask_ms365.processes.process import Process, ProcessFailed
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.changes import Handler
from flask_ms365.sync.lease import DISCONNECTED, Lease, Owners, claim, release, shared_now
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.sync.outcome import log_run, note_trouble, outcome, sync_run
from flask_ms365.sync.poll import FOLDERS_AGE, Poll, jittered
from flask_ms365.sync.report import Result, RunReport, TickReport
from flask_ms365.sync.since import since_for, since_of
from flask_ms365.sync.tenants import Place, Tenants
from flask_ms365.sync.tick import Tick
from flask_ms365.sync.toggle import Toggle
from flask_ms365.sync.turn import endless, turn
from flask_ms365.tally import Tally

if TYPE_CHECKING:
    from flask_ms365.content.missing import MissingContents
    from flask_ms365.graph import GraphClient
    from flask_ms365.sync.engine import MailboxSync
    from flask_ms365.sync.reading import Following

_log = logging.getLogger(__name__)

_NO_PAGES: Mapping[int, Following] = MappingProxyType({})
# so many failed runs, and the next one finds out over which message
_CAREFUL_AFTER = 2


@dataclass(kw_only=True)
class Runner:
    """Runs the mailboxes of one app."""

    app: Flask
    session: AnySession
    settings: Settings
    clients: MailboxClients
    missing: MissingContents
    handlers: Sequence[Handler]
    processes: Mapping[str, Process]
    clock: Callable[[], datetime]
    # who ticks here
    engine: Callable[[], str]
    tally: Tally
    # what is due with time rather than with mail, given the settings; each returns at once where nothing is
    chores: Sequence[Callable[[Snapshot], None]] = ()
    # what follows runs that have changed mail
    after_mail: Callable[[], None] = lambda: None
    is_stopping: Callable[[], bool] = lambda: False
    # mailbox id -> what a run of this process has brought so far
    under_way: dict[int, RunReport] = field(default_factory=dict, init=False, repr=False)
    _owners: Owners = field(default_factory=Owners, init=False, repr=False)

    def tick(self, at_once: int = 1) -> TickReport:
        """Run what is due now, up to ``at_once`` mailboxes at a time, each in an app context of its own."""
        snapshot = self.beat()
        if not snapshot.is_sync_on:
            return TickReport(is_on=False)
        if snapshot.missing_keys:  # told once a tick, not once a mailbox
            _log.error("locked", extra={"event": "locked", "missing_keys": snapshot.missing_keys})
            return TickReport(is_on=True)
        report = Tick(runner=self, poll=self._poll(snapshot), at_once=at_once).run()
        self.follow(report.runs)
        self._write_idle()
        return report

    def follow(self, runs: Sequence[RunReport]) -> None:
        """Do what follows mail, once for many runs; nothing where they changed none, or where time is short."""
        if any(run.changes for run in runs) and not self.is_stopping():
            self.after_mail()

    def let_go(self) -> None:
        """Give back at once every mailbox that this process holds: it has to end, whatever it waits for.

        Runs that still go on are fenced off: what they write is rolled back.
        """
        with self.app.app_context():
            self._owners.let_go(self.session, shared_now(self.session, self.clock()))

    def _poll(self, settings: Snapshot) -> Poll:
        return Poll(
            session=self.session,
            clients=self.clients,
            registration=partial(self.clients.registration, settings),
            clock=self.clock,
            since=self._since(settings),
            lacks_contents=self.missing.lacking(settings),
            interval=settings.sync_interval,
            lease_seconds=self._lease_seconds,
            owners=self._owners,
            tenants=self._tenants(settings),
        )

    def run(
        self,
        mailbox_id: int,
        *,
        only_due: bool = False,
        is_turn: bool = False,
        is_long: bool = False,
        pages: Mapping[int, Following] = _NO_PAGES,
    ) -> RunReport:
        """Sync one mailbox if the toggle is on and nobody else has it.

        A turn may end before the mailbox is read to its end; ticks go on with it. ``pages`` are those that a look has
        read.
        """
        report = RunReport(mailbox_id=mailbox_id, address=self._address(mailbox_id))
        snapshot = self._read_settings()
        if not snapshot.is_sync_on:
            report.result = Result.SWITCHED_OFF
            return report
        if snapshot.missing_keys:
            report.result, report.error = Result.LOCKED, str(Locked(snapshot.missing_keys))
            return report
        with self._owners.name() as owner:
            place = self._tenants(snapshot).place_of(mailbox_id, is_long=is_long)
            lease = self._claim(mailbox_id, owner, place, only_due=only_due)
            if lease is None:
                report.result = self._why_not(mailbox_id)
                return report
            started_at = self.clock()
            since = since_for(self._sync_from(mailbox_id), self._since(snapshot))
            folders_age = FOLDERS_AGE if only_due else timedelta(0)
            is_enough = turn(report) if is_turn else endless
            self._sync(
                lease,
                report,
                pages,
                since=since,
                keeps_bodies=snapshot.effective("store_bodies").value is True,
                folders_age=folders_age,
                is_enough=is_enough,
            )
            self._finish(lease, report, started_at, jittered(snapshot.sync_interval))
            place.leave(report, shared_now(self.session, self.clock()))
        return report

    def beat(self) -> Snapshot:
        """Write down who ticks, since silence is told on the pages; do what is due with time; return the settings."""
        snapshot = self._read_settings()
        with write_transaction(self.session):
            beat(self.session, engine=self.engine(), at=self.clock(), interval=snapshot.sync_interval)
        for chore in self.chores:
            chore(snapshot)
        return snapshot

    def _read_settings(self) -> Snapshot:
        """Return the settings apart from the session: after each commit it would read each row anew."""
        snapshot = self.settings.read()
        self.session.expunge_all()
        return snapshot

    def _claim(self, mailbox_id: int, owner: str, place: Place, *, only_due: bool) -> Lease | None:
        now, seconds = shared_now(self.session, self.clock()), self._lease_seconds
        return claim(
            self.session,
            mailbox_id,
            owner=owner,
            seconds=seconds,
            now=now,
            only_due=only_due,
            tenant=place.tenant,
            has_room=lambda: place.take(now, seconds),
        )

    def _sync(
        self,
        lease: Lease,
        report: RunReport,
        pages: Mapping[int, Following],
        *,
        since: datetime | None,
        keeps_bodies: bool,
        folders_age: timedelta,
        is_enough: Callable[[], bool],
    ) -> None:
        """Run, and turn whatever stopped it into the report's result."""
        self.under_way[lease.mailbox_id] = report
        try:
            graph = self.clients.of(lease.mailbox_id)
            sync = self._mailbox_sync(graph, lease, report, since, is_enough, keeps_bodies=keeps_bodies)
            if sync.run(folders_age=folders_age, pages=pages):
                report.has_more = self.missing.fetch(lease.mailbox_id, graph, lease, is_stopping=self.is_stopping)
            else:
                report.result, report.has_more = Result.UNDER_WAY, True
        except MS365Error as exc:
            note_trouble(report, exc)
        except Exception as exc:  # a handler of the host, or its database: one mailbox must not stop the others
            hide_parameters(exc)
            told = {"event": "run.failed", "mailbox_id": lease.mailbox_id, "lease_epoch": lease.epoch}
            _log.exception("run.failed", extra=told)
            report.result = Result.FAILED
            report.error = f"{_name_of(exc.__cause__ or exc)} while storing mail; the log has the details."
        finally:
            self.under_way.pop(lease.mailbox_id, None)

    def _mailbox_sync(
        self,
        graph: GraphClient,
        lease: Lease,
        report: RunReport,
        since: datetime | None,
        is_enough: Callable[[], bool],
        *,
        keeps_bodies: bool,
    ) -> MailboxSync:
        # imported late: the engine brings Graph's client, which a process that shows pages never needs
        from flask_ms365.processes.calling import Calling
        from flask_ms365.sync.engine import MailboxSync
        from flask_ms365.sync.listing import FolderListing
        from flask_ms365.sync.store import Store

        check_toggle = Toggle(self.settings).check
        store = Store(
            session=self.session,
            lease=lease,
            handlers=self.handlers,
            calling=Calling(
                session=self.session, processes=self.processes, mailbox_id=lease.mailbox_id, clock=self.clock
            ),
            check_toggle=check_toggle,
            clock=self.clock,
            quota=graph.quota,
        )
        store.keeps_bodies = keeps_bodies
        store.is_careful = (self._fail_count(lease.mailbox_id) or 0) >= _CAREFUL_AFTER
        self.session.commit()  # no transaction is open while Graph is asked
        return MailboxSync(
            app=self.app,
            graph=graph,
            store=store,
            listing=FolderListing(self.session, graph, lease, check_toggle=check_toggle, clock=self.clock),
            report=report,
            since=since,
            clock=self.clock,
            is_stopping=self.is_stopping,
            is_enough=is_enough,
        )

    def _finish(self, lease: Lease, report: RunReport, started_at: datetime, interval: timedelta) -> None:
        try:
            run_id = self._write_end(lease, report, started_at, interval)
        except OperationalError:  # a deadlock with whoever deletes the mailbox: MariaDB asks to try once more
            run_id = self._write_end(lease, report, started_at, interval)
        log_run(report, lease, run_id=run_id, seconds=(self.clock() - started_at).total_seconds())
        if report.result is Result.SIGN_IN_NEEDED:
            signals.reconnect_needed.send(self.app, mailbox_id=lease.mailbox_id, code=report.error_code)
        signals.run_finished.send(self.app, report=report)

    def _write_end(self, lease: Lease, report: RunReport, started_at: datetime, interval: timedelta) -> int | None:
        """Let go and write down how it went; return the row id of the run, where it is kept."""
        with write_transaction(self.session):
            now = shared_now(self.session, self.clock())
            fail_count = self._fail_count(lease.mailbox_id, is_locked=True)
            told = outcome(
                report,
                claimed_at=lease.claimed_at,
                now=now,
                finished_at=self.clock(),
                fail_count=fail_count or 0,
                interval=interval,
            )
            if not release(self.session, lease, **told):
                report.result = Result.TAKEN
            # a mailbox may be deleted meanwhile; and a refused app would fill the table, mailbox by mailbox
            is_kept = fail_count is not None and not report.is_held
            run_id = self._keep_run(report, started_at) if is_kept else None
            self._write_tally(report)
        return run_id

    def _keep_run(self, report: RunReport, started_at: datetime) -> int:
        run = sync_run(report, started_at, self.clock())
        self.session.add(run)
        self.session.flush()
        return run.id

    def _write_idle(self) -> None:
        """Write down what looks have counted: once a tick, whatever number of mailboxes had nothing new."""
        if not self.tally.is_empty:
            with write_transaction(self.session):
                write_tally(self.session, self.tally, {}, at=self.clock())

    def _write_tally(self, report: RunReport) -> None:
        """Within the transaction that ends a run: write down what was counted since, and the run."""
        runs = {("sync_runs", str(report.result)): 1}
        if report.result is Result.TAKEN:
            runs["fenced_writes", ""] = 1
        write_tally(self.session, self.tally, runs, at=self.clock())

    def _tenants(self, settings: Snapshot) -> Tenants:
        return Tenants(session=self.session, of_app=settings.text("tenant_id").lower())

    def _since(self, settings: Snapshot) -> datetime | None:
        return since_of(settings.number("sync_since"), self.clock())

    def _sync_from(self, mailbox_id: int) -> datetime | None:
        """Return from when on people want mail of a mailbox; what they choose later takes the lease away."""
        return self.session.scalar(select(Mailbox.sync_from).where(Mailbox.id == mailbox_id))

    @property
    def _lease_seconds(self) -> int:
        return int(self.app.config["MS365_LEASE_SECONDS"])

    def _fail_count(self, mailbox_id: int, *, is_locked: bool = False) -> int | None:
        """Return how many runs failed since the last good one; None where the mailbox is gone.

        With ``is_locked`` nobody deletes it until the transaction ends.
        """
        count = select(Mailbox.fail_count).where(Mailbox.id == mailbox_id)
        return self.session.scalar(count.with_for_update() if is_locked else count)

    def _address(self, mailbox_id: int) -> str:
        return self.session.scalar(select(Mailbox.address).where(Mailbox.id == mailbox_id)) or ""

    def _why_not(self, mailbox_id: int) -> Result:
        mailbox = self.session.get(Mailbox, mailbox_id, populate_existing=True)
        if mailbox is not None and mailbox.state == "sign_in_needed":
            return Result.SIGN_IN_NEEDED
        if mailbox is not None and mailbox.state in DISCONNECTED:
            return Result.DISCONNECTED
        is_resting = mailbox is None or mailbox.state == "paused" or mailbox.lease_owner is None
        return Result.RESTING if is_resting else Result.TAKEN


def _name_of(error: BaseException) -> str:
    if isinstance(error, ProcessFailed):
        return f"{type(error.__cause__).__name__} in the process {error.process}"
    return type(error).__name__
