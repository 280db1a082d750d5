"""APScheduler with the one job. It is imported by processes that tick, and by no others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import Any
from weakref import WeakSet

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler

from flask_ms365.jobs.hook import EmailSyncJob

_AT_ONCE = 4  # ticks in one process: other mailboxes must not wait while one is read for the first time


class _DaemonExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler is not typed
    """Runs each job on a daemon thread; for APScheduler's own pool a process would wait at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: WeakSet[threading.Thread] = WeakSet()

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        thread = threading.Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True)
        self.threads.add(thread)
        thread.start()

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))


class Scheduler:
    """Calls ``tick`` at every interval of ``job``, from one interval from now on."""

    def __init__(self, job: EmailSyncJob, tick: Callable[[], object]) -> None:
        self._job_id = job.id
        self._executor = _DaemonExecutor()
        self._scheduler: Any = BackgroundScheduler(timezone="UTC", daemon=True, executors={"default": self._executor})
        self._scheduler.add_job(
            tick,
            "interval",
            seconds=job.interval.total_seconds(),
            id=job.id,
            coalesce=True,
            max_instances=_AT_ONCE,
            misfire_grace_time=None,
        )
        self._scheduler.start()

    def tick_now(self) -> None:
        """Tick once more, at once."""
        self._scheduler.modify_job(self._job_id, next_run_time=datetime.now(timezone.utc))

    def stop(self, patience: float) -> bool:
        """Tick no more, and wait so many seconds for ticks under way; tell whether all have ended."""
        self._scheduler.shutdown(wait=False)
        until = time.monotonic() + patience
        threads = [thread for thread in self._executor.threads if thread is not threading.current_thread()]
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in threads)
