"""Six workers over one database, of which one is killed or put to sleep every moment, and what came of it."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from flask_ms365.models import Folder, Mailbox, Message, write_transaction
from flask_ms365.sync.report import Result
from tests.conftest import Host
from tests.jobs.soak.microsoft import Letter, processes
from tests.jobs.soak.place import LONG_AGO, mailbox_ids, place_of, session_of
from tests.jobs.soak.worker import JOURNAL, keeper, tick_until_killed
from tests.sync.conftest import READ_FOLDERS
from tests.sync.world import KEPT

WORKERS = 6
LEASE = 1  # seconds
_A_MOMENT = 1.0  # seconds between two blows, on average
_AT_MOST = 10  # syncs of a mailbox until nothing changes any more
_STORED = (
    select(Message.graph_id, Folder.graph_id, Message.subject, Message.is_read)
    .join(Folder, Folder.id == Message.folder_id)
    .where(Message.removed_at.is_(None), Folder.name.in_(READ_FOLDERS))
)
_OURS = select(Message.id, Message.folder_id, Message.subject, Message.is_read, Message.removed_at.is_not(None))


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    # when one that sleeps is woken
    wakes_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a soak of one database came to. ``told`` is what workers said; ``faults`` must be empty."""

    database: str
    kills: int
    stops: int
    pages: int
    told: dict[str, int]
    faults: dict[str, int]


@dataclass
class Soak:
    """The workers of one database, and who makes them suffer."""

    host: Host
    chance: random.Random
    is_fenced: bool = True
    kills: int = 0
    stops: int = 0
    ended: int = 0
    told: Counter[str] = field(default_factory=Counter)
    _workers: list[_Worker] = field(default_factory=list)
    _next_blow: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make the host's own tables, and run workers while time goes by."""
        ended = threading.Event()
        self.host.ms365.on_message(keeper(session_of(self.host)))
        with self.host.app.app_context():
            for table in (KEPT, JOURNAL):
                table.drop(session_of(self.host).connection(), checkfirst=True)
                table.create(session_of(self.host).connection())
            session_of(self.host).commit()
        time_goes_by = threading.Thread(target=self._let_time_go_by, args=(ended,))
        time_goes_by.start()
        try:
            self._workers = [self._start() for _ in range(WORKERS)]
            yield
        finally:
            ended.set()
            for worker in self._workers:
                worker.process.kill()
                worker.process.join()
                self._hear(worker)
            time_goes_by.join()

    def pipes(self) -> list[Connection]:
        """Return what its workers are heard by."""
        return [worker.pipe for worker in self._workers]

    def suffer(self) -> None:
        """Hear the workers, wake who slept long enough, and deal a blow if it is time for one."""
        now = time.monotonic()
        for worker in self._workers:
            self._hear(worker)
            if worker.wakes_at is not None and worker.wakes_at <= now:
                self._send(worker, signal.SIGCONT)
                worker.wakes_at = None
        if now >= self._next_blow:
            self._next_blow = now + self.chance.expovariate(1 / _A_MOMENT)
            self._deal_blow(self.chance.randrange(WORKERS), now)

    def _deal_blow(self, number: int, now: float) -> None:
        worker = self._workers[number]
        if self.chance.random() < 0.4:
            self.kills += 1
            worker.process.kill()
            worker.process.join()
            self._hear(worker)
            self._workers[number] = self._start()
        elif worker.wakes_at is None:
            self.stops += 1
            self._send(worker, signal.SIGSTOP)
            worker.wakes_at = now + self.chance.uniform(0.2, 3 * LEASE)

    def _start(self) -> _Worker:
        ours, theirs = processes.Pipe()
        process = processes.Process(
            target=tick_until_killed,
            args=(place_of(self.host, lease_seconds=LEASE), theirs),
            kwargs={"is_fenced": self.is_fenced},
            daemon=True,
        )
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _send(self, worker: _Worker, number: int) -> None:
        assert worker.process.pid is not None
        os.kill(worker.process.pid, number)

    def _hear(self, worker: _Worker) -> None:
        """Note what a worker told; one that ended by itself tells by that."""
        try:
            while worker.pipe.poll():
                self.told[worker.pipe.recv()] += 1
        except (EOFError, OSError):
            if worker.process.exitcode != -signal.SIGKILL:
                self.ended += 1

    def _let_time_go_by(self, ended: threading.Event) -> None:
        """Make all mailboxes due every moment, as minutes would."""
        while not ended.wait(0.5):
            with suppress(OperationalError), self.host.app.app_context():
                self._make_due()

    def _make_due(self) -> None:
        session = session_of(self.host)
        with write_transaction(session):
            session.execute(update(Mailbox).values(next_due_at=LONG_AGO, fail_count=0))

    def late_writes(self) -> int:
        """Return how many transactions were committed under a lease that somebody else had by then."""
        with self.host.app.app_context():
            rows = session_of(self.host).execute(select(JOURNAL).order_by(JOURNAL.c.id)).all()
        newest: Counter[int] = Counter()
        late = 0
        for row in rows:
            late += row.lease_epoch != row.mailbox_epoch or row.lease_epoch < newest[row.mailbox_id]
            newest[row.mailbox_id] = max(newest[row.mailbox_id], row.lease_epoch)
        return late

    def _come_to_rest(self) -> None:
        """Sync each mailbox until two syncs in a row find nothing: the first may only end what was begun."""
        for mailbox_id in mailbox_ids(self.host):
            quiet = 0
            for _ in range(_AT_MOST):
                quiet = quiet + 1 if self._is_at_rest(mailbox_id) else 0
                if quiet == 2:
                    break
            else:
                raise AssertionError("A mailbox does not come to rest.")

    def _is_at_rest(self, mailbox_id: int) -> bool:
        with self.host.app.app_context():
            with write_transaction(session_of(self.host)):
                free = {"lease_owner": None, "lease_expires_at": None, "fail_count": 0}
                session_of(self.host).execute(update(Mailbox).values(free))
            report = self.host.ms365.sync_mailbox(mailbox_id)
        return report.result is Result.DONE and not report.changes

    def outcome(self, expected: Counter[Letter]) -> Outcome:
        """Bring every mailbox to its end, and compare."""
        self._come_to_rest()
        with self.host.app.app_context():
            session = session_of(self.host)
            stored = Counter(Letter(*row) for row in session.execute(_STORED).all())
            ours = Counter(tuple(row) for row in session.execute(_OURS).all())
            kept = Counter(tuple(row) for row in session.execute(select(KEPT)).all())
            pages = session.scalar(select(func.count()).select_from(JOURNAL))
        faults = {
            "lost": (expected - stored).total(),
            "doubled": (stored - expected).total(),
            "written too late": self.late_writes(),
            "unlike the host's own rows": (ours - kept).total() + (kept - ours).total(),
            "workers that ended by themselves": self.ended,
        }
        return Outcome(
            database=self.host.app.name,
            kills=self.kills,
            stops=self.stops,
            pages=pages or 0,
            told=dict(self.told),
            faults={name: count for name, count in faults.items() if count},
        )
