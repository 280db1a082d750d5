"""The job hook: what the toggle registers the email-sync job with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from flask import Flask
from werkzeug.utils import import_string

from flask_ms365.errors import ConfigurationError

JOB_ID = "ms365.email-sync"
# how often an engine should look for due mailboxes; the sync interval is each mailbox's own
TICK = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class EmailSyncJob:
    """The one job there is. ``tick`` takes nothing, brings its own app context, and may be called at any time."""

    id: str
    interval: timedelta
    tick: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class HookStatus:
    """What an engine says of itself, in this process."""

    engine: str
    is_registered: bool


@runtime_checkable
class JobHook(Protocol):
    """A scheduler of the host. Every method is idempotent and may be called from any process."""

    def register(self, job: EmailSyncJob) -> None:
        """Call ``job.tick`` about every ``job.interval`` from now on."""

    def unregister(self, job: EmailSyncJob) -> None:
        """Stop calling it."""

    def wake(self, mailbox_id: int | None = None) -> None:
        """Tick soon: a mailbox was connected, or somebody asked. Best effort."""

    def status(self) -> HookStatus:
        """Tell whether the job is registered."""
        ...


class ExternalHook:
    """cron, a systemd timer or Kubernetes ticks by ``flask ms365 sync``; there is nothing to register."""

    def register(self, job: EmailSyncJob) -> None:
        """Do nothing: the timer runs anyway and obeys the toggle."""

    def unregister(self, job: EmailSyncJob) -> None:
        """Do nothing."""

    def wake(self, mailbox_id: int | None = None) -> None:
        """Do nothing: the next run of the timer is soon enough."""

    def status(self) -> HookStatus:
        """Tell that somebody else ticks."""
        return HookStatus(engine="external", is_registered=False)


def hook_from_config(app: Flask) -> JobHook:
    """Return the hook that ``MS365_JOB_HOOK`` names."""
    name = str(app.config["MS365_JOB_HOOK"])
    if name == "external":
        return ExternalHook()
    if name == "apscheduler":
        from flask_ms365.jobs.embedded import EmbeddedHook

        return EmbeddedHook()
    if name == "celery":
        return _celery_hook(app)
    if ":" not in name:
        raise ConfigurationError(
            f"MS365_JOB_HOOK must be apscheduler, celery, external or package.module:object; it is {name!r}."
        )
    return _imported_hook(name)


def _celery_hook(app: Flask) -> JobHook:
    try:
        from flask_ms365.jobs.celery import CeleryHook
    except ImportError as exc:
        raise ConfigurationError('MS365_JOB_HOOK is celery: pip install "flask-ms365[celery]".') from exc
    return CeleryHook(app)


def _imported_hook(name: str) -> JobHook:
    try:
        hook = import_string(name)
    except (ImportError, ValueError) as exc:
        raise ConfigurationError(f"MS365_JOB_HOOK names {name}, which cannot be imported: {exc}.") from exc
    if isinstance(hook, type) or not isinstance(hook, JobHook):
        raise ConfigurationError(
            f"MS365_JOB_HOOK names {name}; a job hook is an object with register, unregister, wake and status."
        )
    return hook
