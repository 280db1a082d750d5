"""The embedded engine: APScheduler in the web process, on its own thread. Several processes may each run one."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.background import BackgroundScheduler

from flask_ms365.jobs.hook import EmailSyncJob, HookStatus

_AT_ONCE = 4  # ticks in one process: other mailboxes must not wait while one is read for the first time


class _DaemonExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler is not typed
    """Runs each job on a daemon thread; for APScheduler's own pool a process would wait at its end."""

    def _do_submit_job(self, job: Any, run_times: Sequence[datetime]) -> None:
        threading.Thread(target=self._run, args=(job, run_times), name=job.id, daemon=True).start()

    def _run(self, job: Any, run_times: Sequence[datetime]) -> None:
        self._run_job_success(job.id, run_job(job, job._jobstore_alias, run_times, self._logger.name))


class EmbeddedHook:
    """Starts its thread with the first registration, and again in a process that was forked from one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scheduler: Any = None
        self._pid = 0
        self._job: EmailSyncJob | None = None

    def register(self, job: EmailSyncJob) -> None:
        """Tick at once and then at every interval."""
        with self._lock:
            self._job = job
            self._running_scheduler().add_job(
                job.tick,
                "interval",
                seconds=job.interval.total_seconds(),
                id=job.id,
                next_run_time=datetime.now(timezone.utc),
                replace_existing=True,
                coalesce=True,
                max_instances=_AT_ONCE,
                misfire_grace_time=None,
            )

    def unregister(self, job: EmailSyncJob) -> None:
        """Stop the thread: there is only this one job on it."""
        with self._lock:
            self._job = None
            if self._is_running:
                self._scheduler.shutdown(wait=False)

    def wake(self, mailbox_id: int | None = None) -> None:
        """Tick once more, now."""
        with self._lock:
            if self._job is not None and self._is_running:
                self._scheduler.modify_job(self._job.id, next_run_time=datetime.now(timezone.utc))

    def status(self) -> HookStatus:
        """Tell whether this process ticks."""
        return HookStatus(engine="apscheduler", is_registered=self._job is not None and self._is_running)

    @property
    def _is_running(self) -> bool:
        # a fork copies the object but not the thread
        return self._scheduler is not None and self._pid == os.getpid() and bool(self._scheduler.running)

    def _running_scheduler(self) -> Any:
        if not self._is_running:
            self._scheduler = BackgroundScheduler(timezone="UTC", daemon=True, executors={"default": _DaemonExecutor()})
            self._pid = os.getpid()
            self._scheduler.start()
        return self._scheduler
