"""How a run ended, as its report, the mailbox's row and the run's own row tell it."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func

from flask_ms365.errors import (
    AppRefused,
    EncryptionError,
    GraphError,
    LeaseLost,
    MS365Error,
    NotConfigured,
    SignInNeeded,
    SyncStopped,
    SyncSwitchedOff,
    Throttled,
    TokenUnavailable,
    Unavailable,
)
from flask_ms365.models import Mailbox, SyncRun
from flask_ms365.sync.lease import Lease, due_again
from flask_ms365.sync.report import Result, RunReport
from flask_ms365.waiting import backoff

_BACKOFF_BASE, _BACKOFF_CAP = 30.0, 3600.0
_log = logging.getLogger(__name__)

# these end a run early and say nothing about the mailbox
_INNOCENT = (Result.SWITCHED_OFF, Result.STOPPED)

# what stopped a run -> how it is reported; the first match counts
_RESULTS: tuple[tuple[type[MS365Error], Result], ...] = (
    (SignInNeeded, Result.SIGN_IN_NEEDED),
    (AppRefused, Result.APP_REFUSED),
    (NotConfigured, Result.APP_REFUSED),
    (EncryptionError, Result.LOCKED),
    (Throttled, Result.THROTTLED),
    (Unavailable, Result.UNAVAILABLE),
    (TokenUnavailable, Result.UNAVAILABLE),
    (SyncSwitchedOff, Result.SWITCHED_OFF),
    (LeaseLost, Result.TAKEN),
    (SyncStopped, Result.STOPPED),
    (GraphError, Result.FAILED),
)


def note_trouble(report: RunReport, trouble: MS365Error) -> None:
    """Turn what stopped a run into the report's result."""
    report.result = next(result for kind, result in _RESULTS if isinstance(trouble, kind))
    report.error = "" if report.result in _INNOCENT else str(trouble)
    report.error_code = getattr(trouble, "code", "")
    report.graph_request_id = getattr(trouble, "request_id", "")
    report.retry_after = getattr(trouble, "retry_after", None)
    report.is_held = getattr(trouble, "is_held", False)


def outcome(
    report: RunReport,
    *,
    claimed_at: datetime,
    now: datetime,
    finished_at: datetime,
    fail_count: int,
    interval: timedelta,
) -> dict[str, Any]:
    """Return what the mailbox's row says after a run: how it is, and when to look again.

    ``claimed_at`` and ``now`` are of the time that all workers share, ``fail_count`` the failed runs before this one.
    """
    if report.result in _INNOCENT:
        return {"next_due_at": now}
    if report.is_held:  # not this mailbox's failure, and not all come back at the same moment
        rest = timedelta(seconds=(report.retry_after or 0.0) * random.uniform(1.0, 1.1))
        return {"next_due_at": now + min(rest, interval)}
    if report.result in (Result.DONE, Result.UNDER_WAY):
        planned = now if report.has_more else now + interval
        return _success(report, due_again(planned, claimed_at=claimed_at, now=now), finished_at)
    return _failure(report, now, finished_at, fail_count, interval)


def sync_run(report: RunReport, started_at: datetime, finished_at: datetime) -> SyncRun:
    """Return the row of a run."""
    return SyncRun(
        mailbox_id=report.mailbox_id,
        started_at=started_at,
        finished_at=finished_at,
        result=str(report.result),
        pages=report.pages,
        set_aside=report.set_aside,
        error=report.error or None,
        **report.counts,
    )


def log_run(report: RunReport, lease: Lease, *, run_id: int | None, seconds: float) -> None:
    """Log how a run ended, by numbers alone; it is a warning where a person must do something about this mailbox."""
    where = {"mailbox_id": lease.mailbox_id, "lease_epoch": lease.epoch}
    if report.result is Result.TAKEN:
        _log.info("lease.lost", extra={"event": "lease.lost", **where})
    level = logging.WARNING if report.needs_a_person and not report.is_held else logging.INFO
    counts = {f"messages_{change}": count for change, count in report.counts.items()}
    told = {
        "run_id": run_id,
        "result": str(report.result),
        "duration_ms": round(1000 * seconds),
        "pages": report.pages,
        **counts,
        "messages_set_aside": report.set_aside,
        "error_code": report.error_code,
        "graph_request_id": report.graph_request_id,
    }
    _log.log(level, "run.finished", extra={"event": "run.finished", **where, **told})


def _success(report: RunReport, next_due_at: ColumnElement[datetime], finished_at: datetime) -> dict[str, Any]:
    return {
        "next_due_at": next_due_at,
        "last_success_at": finished_at,
        # what the mailbox still needs is left to the turns after those of others: see lease.py
        "last_result": str(Result.UNDER_WAY if report.has_more else Result.DONE),
        "last_error": None,
        "last_error_code": None,
        "fail_count": 0,
        "failing_since": None,
    }


def _failure(
    report: RunReport, now: datetime, finished_at: datetime, fail_count: int, interval: timedelta
) -> dict[str, Any]:
    seconds = max(backoff(fail_count, base=_BACKOFF_BASE, cap=_BACKOFF_CAP), report.retry_after or 0.0)
    rest = timedelta(seconds=seconds)
    if report.result is Result.APP_REFUSED:  # the circuit spares Microsoft; who mends the settings waits for mail
        rest = min(rest, interval)
    failure = {
        "next_due_at": now + rest,
        "fail_count": fail_count + 1,
        "failing_since": func.coalesce(Mailbox.failing_since, finished_at),
        "last_result": str(report.result),
        "last_error": report.error,
        "last_error_code": report.error_code or None,
    }
    return failure | ({"state": "sign_in_needed"} if report.result is Result.SIGN_IN_NEEDED else {})
