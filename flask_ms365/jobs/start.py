"""Start the embedded engine with the first request of a process: never in ``init_app``, and once after each fork."""

from __future__ import annotations

import logging
import os
import time

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.errors import MS365Error
from flask_ms365.state import State

_log = logging.getLogger(__name__)

_AGAIN = 30.0  # seconds until a database that was not ready is asked once more


def start_with_first_request(app: Flask, state: State) -> None:
    """Register the job with the engine when the toggle is on; a host whose tables are missing serves on."""
    started_in = 0
    not_before = 0.0

    def start() -> None:
        nonlocal started_in, not_before
        if started_in == os.getpid() or time.monotonic() < not_before:
            return
        try:
            if state.settings.read().is_sync_on:
                state.reconcile_job(True)
            started_in = os.getpid()
        except (SQLAlchemyError, MS365Error) as exc:
            state.session.rollback()
            not_before = time.monotonic() + _AGAIN
            _log.warning("start.delayed", extra={"event": "start.delayed", "reason": type(exc).__name__})

    app.before_request(start)
