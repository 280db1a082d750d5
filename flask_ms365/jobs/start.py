"""Keep the engine of a web process up to the toggle: from its first request on, and never in ``init_app``."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.errors import MS365Error
from flask_ms365.jobs.hook import TICK
from flask_ms365.models import Mailbox

if TYPE_CHECKING:
    from flask_ms365.state import State

_log = logging.getLogger(__name__)


def start_with_first_request(app: Flask, state: State) -> None:
    """Look at the toggle with the first request of a process, and with one of each interval from then on.

    A host whose tables are missing serves on. An engine that did not take the job is asked again.
    """
    looked_in = 0
    not_before = 0.0

    def look() -> None:
        nonlocal looked_in, not_before
        if looked_in == os.getpid() and time.monotonic() < not_before:
            return
        looked_in, not_before = os.getpid(), time.monotonic() + TICK.total_seconds()
        try:
            _follow_toggle(state)
        except (SQLAlchemyError, MS365Error) as exc:
            state.session.rollback()
            _log.warning("start.delayed", extra={"event": "start.delayed", "reason": type(exc).__name__})

    app.before_request(look)


def _follow_toggle(state: State) -> None:
    """Tell the engine what the toggle says, unless it knows. Off and without a mailbox, nothing needs to begin."""
    is_on, told = state.settings.read().is_sync_on, state.told_engine
    if told is not is_on and (is_on or told or state.session.scalar(select(Mailbox.id).limit(1))):
        state.reconcile_job(is_on)
