"""A worker for tests that flip the toggle: syncs one mailbox whenever it is told to, until the toggle is off."""

from __future__ import annotations

from multiprocessing.connection import Connection
from multiprocessing.synchronize import Semaphore

from flask_ms365 import MS365, Change
from flask_ms365.models import Message
from flask_ms365.sync.report import Result
from flask_ms365.sync.store import Store
from tests.sync.killed_worker import Place, host_app


def sync_until_off(place: Place, pipe: Connection, stored: Semaphore, *, is_checked: bool) -> None:
    """Raise ``stored`` with each message that is about to be committed, and tell when a run has met the toggle.

    Unless ``is_checked``, the toggle is read once a run, which is the mistake that the test is there to find.
    """
    ms365 = MS365()

    @ms365.on_message
    def tell(message: Message, change: Change) -> None:
        stored.release()

    app = host_app(place, ms365)
    if not is_checked:
        _forget_toggle()
    with app.app_context():
        while True:
            try:
                pipe.recv()
            except EOFError:
                return
            while ms365.sync_mailbox(place.mailbox_id).result is not Result.SWITCHED_OFF:
                pass
            pipe.send("off")


def _forget_toggle() -> None:
    begin = Store.__init__

    def begin_unchecked(self: Store, **given: object) -> None:
        begin(self, **{**given, "check_toggle": lambda: None})  # type: ignore[arg-type]

    Store.__init__ = begin_unchecked  # type: ignore[method-assign]
