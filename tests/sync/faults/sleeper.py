"""A worker that falls asleep between two pages."""

from __future__ import annotations

import os
import signal
from multiprocessing.connection import Connection

from flask_ms365 import MS365, Change, signals
from tests.sync.killed_worker import Place, host_app


def sleep_after_first_page(place: Place, pipe: Connection) -> None:
    """Sync the mailbox, stop after the first page until somebody continues the process, and tell the result."""
    ms365, slept = MS365(), False
    app = host_app(place, ms365)

    def sleep(_app: object, message_id: int, change: Change) -> None:
        nonlocal slept
        if not slept:
            slept = True
            pipe.send("asleep")
            os.kill(os.getpid(), signal.SIGSTOP)

    signals.message_synced.connect(sleep, app)
    with app.app_context():
        pipe.send(str(ms365.sync_mailbox(place.mailbox_id).result))
