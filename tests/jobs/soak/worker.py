"""A worker of the soak: ticks until it is killed, and keeps a journal in the very transactions that store mail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, insert, select, update

from flask_ms365 import MS365, Change, signals
from flask_ms365.models import Mailbox, Message
from flask_ms365.models.base import rows_changed
from flask_ms365.sync import store
from flask_ms365.sync.lease import Lease
from flask_ms365.sync.report import Result, RunReport
from flask_ms365.sync.store import Store
from tests.sync.killed_worker import Place, host_app
from tests.sync.world import KEPT

# a row for each transaction of a run: the epoch of the run's lease, and the one that the mailbox had
JOURNAL = Table(
    "journal",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("mailbox_id", Integer),
    Column("lease_epoch", Integer),
    Column("mailbox_epoch", Integer),
)
_PAUSE = 0.02  # seconds between two ticks


def tick_until_killed(place: Place, pipe: Connection, *, is_fenced: bool) -> None:
    """Tell the result of each run that did not end well, and the kind of error of each tick that failed.

    Unless ``is_fenced``, a page is stored whoever holds the mailbox by now: the mistake that the soak is there to find.
    """
    ms365 = MS365()
    app = host_app(place, ms365)
    ms365.on_message(keeper(app.extensions["sqlalchemy"].session))

    def tell(_sender: object, report: RunReport) -> None:
        if report.result is Result.TAKEN:
            pipe.send("fenced off")
        elif report.result not in (Result.DONE, Result.UNDER_WAY):
            pipe.send(f"{report.result}: {report.error}")

    signals.run_finished.connect(tell, app)
    if not is_fenced:
        store.renew = _renew_without_fence  # type: ignore[attr-defined]
    _keep_journal()
    while not pipe.poll(_PAUSE):
        try:
            with app.app_context():
                ms365.tick()
        except Exception as exc:  # what it says may hold mail
            pipe.send(f"tick failed: {type(exc).__name__}")


def keeper(session: Any) -> Callable[[Message, Change], None]:
    """Return a handler that keeps a row of the host's own for each message."""

    def keep(message: Message, change: Change) -> None:
        session.execute(_kept(message, change))

    return keep


def _kept(message: Message, change: Change) -> Any:
    values = {
        "folder_id": message.folder_id,
        "subject": message.subject,
        "is_read": message.is_read,
        "is_removed": message.removed_at is not None,
    }
    if change is Change.CREATED:
        return insert(KEPT).values(message_id=message.id, **values)
    return update(KEPT).where(KEPT.c.message_id == message.id).values(**values)


def _keep_journal() -> None:
    hold = Store._hold

    def hold_and_note(self: Store) -> None:
        hold(self)
        lease = self._lease
        epoch = self._session.scalar(select(Mailbox.lease_epoch).where(Mailbox.id == lease.mailbox_id))
        noted = insert(JOURNAL).values(mailbox_id=lease.mailbox_id, lease_epoch=lease.epoch, mailbox_epoch=epoch)
        self._session.execute(noted)

    Store._hold = hold_and_note  # type: ignore[method-assign]


def _renew_without_fence(session: Any, lease: Lease, own: datetime, **values: Any) -> None:
    until = own + timedelta(seconds=lease.seconds)
    held = update(Mailbox).where(Mailbox.id == lease.mailbox_id)
    rows_changed(session, held.values(lease_expires_at=until, **values))
