"""Start the embedded engine with the first request of a process: never in ``init_app``, and once after each fork."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.errors import MS365Error
from flask_ms365.models.base import AnySession

_log = logging.getLogger(__name__)

_AGAIN = 30.0  # seconds until a database that was not ready is asked once more


def start_with_first_request(app: Flask, *, register_if_on: Callable[[], None], session: AnySession) -> None:
    """Register the job with the engine when the toggle is on; a host whose tables are missing serves on."""
    started_in = 0
    not_before = 0.0

    def start() -> None:
        nonlocal started_in, not_before
        if started_in == os.getpid() or time.monotonic() < not_before:
            return
        try:
            register_if_on()
            started_in = os.getpid()
        except (SQLAlchemyError, MS365Error) as exc:
            session.rollback()
            not_before = time.monotonic() + _AGAIN
            _log.warning("start.delayed", extra={"event": "start.delayed", "reason": type(exc).__name__})

    app.before_request(start)
