"""The embedded engine: APScheduler in the web process, on its own thread. Several processes may each run one."""

from __future__ import annotations

import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from flask_ms365.errors import ConfigurationError
from flask_ms365.jobs.gate import Gate
from flask_ms365.jobs.hook import EmailSyncJob, HookStatus
from flask_ms365.jobs.worker import has_more

if TYPE_CHECKING:
    from flask_ms365.jobs.scheduler import Scheduler


class EmbeddedHook:
    """Ticks from the first call in a process on. Each tick obeys the toggle, so the thread goes on while it is off.

    That is how a process learns that another one, or somebody at the command line, has turned it on; and sign-ins that
    nobody uses are kept alive meanwhile.
    """

    def __init__(self) -> None:
        self.gate = Gate()
        self._lock = threading.Lock()
        self._scheduler: Scheduler | None = None

    def register(self, job: EmailSyncJob) -> None:
        """Tick at once and then at every interval."""
        with self._lock:
            self._scheduler = self._scheduler or self._started(job)
            self._scheduler.tick_now()

    def unregister(self, job: EmailSyncJob) -> None:
        """Tick on, idly."""
        with self._lock:
            self._scheduler = self._scheduler or self._started(job)

    def wake(self, mailbox_id: int | None = None) -> None:
        """Tick once more, now."""
        with self._lock:
            if self._scheduler is not None:
                self._scheduler.tick_now()

    def status(self) -> HookStatus:
        """Tell whether this process ticks."""
        return HookStatus(engine="apscheduler", is_registered=self._scheduler is not None)

    def stop(self, patience: float = 0) -> bool:
        """Tick no more, and wait so many seconds for ticks under way; tell whether all have ended."""
        with self._lock:
            scheduler, self._scheduler = self._scheduler, None
        return scheduler is None or scheduler.stop(patience)

    def begin_anew(self) -> None:
        """In a process that was forked: a fork copies locks and objects, but not the thread."""
        self.gate, self._lock, self._scheduler = Gate(), threading.Lock(), None

    def _started(self, job: EmailSyncJob) -> Scheduler:
        _refuse_without_threads()
        try:
            from flask_ms365.jobs.scheduler import Scheduler
        except ImportError as exc:
            raise ConfigurationError(f"APScheduler cannot be imported ({exc}): pip install APScheduler.") from exc
        return Scheduler(job, partial(self._tick, job))

    def _tick(self, job: EmailSyncJob) -> None:
        with self.gate.inside():
            is_due = has_more(job.tick)
        if is_due:
            self.wake()


def _refuse_without_threads() -> None:
    """Within uWSGI no thread of Python runs unless it was asked for. It would never tick, and nobody would say so."""
    uwsgi: Any = sys.modules.get("uwsgi")  # there within uWSGI alone
    if uwsgi is not None and not {"enable-threads", "threads"} & set(uwsgi.opt):
        raise ConfigurationError("uWSGI runs without threads: start it with --enable-threads.")
