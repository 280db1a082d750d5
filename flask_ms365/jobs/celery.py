"""Celery as the engine: the host's own beat says "tick", its workers sync.

Set up as https://flask.palletsprojects.com/patterns/celery/ shows: tasks run in an app context, and
``app.extensions["celery"]`` is the Celery app. Tasks may be lost, doubled or late.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, shared_task  # type: ignore[import-untyped]
from celery.signals import worker_process_init  # type: ignore[import-untyped]
from flask import Flask, current_app

from flask_ms365.errors import ConfigurationError
from flask_ms365.jobs.hook import JOB_ID, TICK, EmailSyncJob, HookStatus
from flask_ms365.state import current_state
from flask_ms365.sync.report import RunReport, TickReport

_SECONDS = TICK.total_seconds()
# a task of a killed worker comes back; one that waited longer than a tick is not needed any more
_OPTIONS: dict[str, Any] = {"acks_late": True, "reject_on_worker_lost": True, "ignore_result": True}
_PATIENCE = 3.0  # seconds for a broker that does not answer
# RabbitMQ minds the time to connect; Redis these two, and would wait for ever
_IMPATIENT = {"max_retries": 0, "socket_connect_timeout": _PATIENCE, "socket_timeout": _PATIENCE}


def _tick() -> None:
    _go_on(current_app.extensions["ms365"].tick())


def _sync_mailbox(mailbox_id: int) -> None:
    """Give a mailbox a turn; the rest of a long reading is left to ticks, as others wait, too."""
    _go_on(current_state().runner.run(mailbox_id, is_turn=True))


def _go_on(report: TickReport | RunReport) -> None:
    """Where something is left, send a tick, behind all that wait already: no task may take hours."""
    if report.has_more:
        current_state().wake()


shared_task(name="ms365.tick", **_OPTIONS, expires=_SECONDS)(_tick)
shared_task(name="ms365.sync_mailbox", **_OPTIONS, expires=_SECONDS)(_sync_mailbox)


class CeleryHook:
    """One beat entry that never changes: beat cannot learn of a toggle at run time, but every tick obeys it."""

    def __init__(self, app: Flask) -> None:
        celery = app.extensions.get("celery")
        if not isinstance(celery, Celery):
            raise ConfigurationError(
                'MS365_JOB_HOOK is celery, but app.extensions["celery"] is no Celery app. Set it up before '
                "MS365().init_app(app, ...), as https://flask.palletsprojects.com/patterns/celery/ shows."
            )
        self._app = app
        self._celery = celery
        self._schedule()
        worker_process_init.connect(self._begin_anew)

    def register(self, job: EmailSyncJob) -> None:
        """Make sure of the beat entry."""
        self._schedule()

    def unregister(self, job: EmailSyncJob) -> None:
        """Do nothing: beat goes on, and each tick sees that the toggle is off."""

    def wake(self, mailbox_id: int | None = None) -> None:
        """Send a task; without a broker it raises soon: a person is waiting for a page."""
        name, args = ("ms365.tick", ()) if mailbox_id is None else ("ms365.sync_mailbox", (mailbox_id,))
        with self._celery.connection_for_write(connect_timeout=_PATIENCE, transport_options=_IMPATIENT) as connection:
            self._celery.tasks[name].apply_async(args, connection=connection, retry=False)

    def status(self) -> HookStatus:
        """Tell whether beat knows the job."""
        return HookStatus(engine="celery", is_registered=JOB_ID in self._celery.conf.beat_schedule)

    def _begin_anew(self, **_: object) -> None:
        """Leave the database connections of a worker to it: two processes of its pool would read each other's rows."""
        with self._app.app_context():
            for engine in self._app.extensions["sqlalchemy"].engines.values():
                engine.dispose(close=False)

    def _schedule(self) -> None:
        entry = {"task": "ms365.tick", "schedule": _SECONDS, "options": {"expires": _SECONDS}}
        schedule = self._celery.conf.beat_schedule or {}
        # a new dictionary, for Celery's own default is shared by all apps; an entry of the host's own wins
        self._celery.conf.beat_schedule = {JOB_ID: entry, **schedule}
