"""Mailboxes on each database, as the tests of the sync have them, and how they are disconnected."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from sqlalchemy import func, select, update

from flask_ms365.mailboxes.leaving import Leaving
from flask_ms365.models import Attachment, Connection, Folder, Mailbox, Message, SyncRun, write_transaction
from flask_ms365.models.base import Base
from flask_ms365.sync.report import RunReport
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.sync.conftest import Synced, synced

__all__ = ["synced"]

MAIL = (Attachment, Message, Folder, SyncRun, Mailbox)


def ids(host: Host) -> list[int]:
    with host.app.app_context():
        return list(session_of(host).scalars(select(Mailbox.id).order_by(Mailbox.id)))


def disconnect(host: Host, *, keep_mail: bool, mailbox_id: int | None = None) -> None:
    """Disconnect the only mailbox, or the one that is named."""
    of_host = mailbox_id or ids(host)[0]
    with host.app.app_context():
        host.app.extensions["ms365.state"].disconnect.disconnect(of_host, keep_mail=keep_mail, actor="ana")


def go_on(host: Host, *, seconds: float = 0) -> None:
    """Delete one more batch, or more in ``seconds``."""
    mailbox_id = ids(host)[0]
    with host.app.app_context():
        host.app.extensions["ms365.state"].disconnect.deletion.go_on(mailbox_id, seconds=seconds)


def rows(host: Host, *models: type[Base]) -> list[int]:
    """Return how many rows each table has."""
    with host.app.app_context():
        session = session_of(host)
        return [session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


def state(host: Host) -> Mailbox:
    with host.app.app_context():
        return session_of(host).scalars(select(Mailbox)).one()  # type: ignore[no-any-return]


def connection(host: Host) -> Connection:
    with host.app.app_context():
        return session_of(host).scalars(select(Connection)).one()  # type: ignore[no-any-return]


def change(host: Host, model: type[Base], **values: Any) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(model).values(**values))


def tick(host: Host) -> None:
    with host.app.app_context():
        host.ms365.tick()


def chore(host: Host) -> None:
    """Do what a tick does for mail that is being deleted."""
    state = host.app.extensions["ms365.state"]
    with host.app.app_context():
        Leaving(
            session=state.session,
            clock=state.clock,
            deletion=state.disconnect.deletion,
            folder_mail=state.folder_mail,
        ).chore()


def deliver(synced: Synced, count: int = 3) -> None:
    for number in range(count):
        synced.mailbox.deliver(subject=f"Message {number}", attachments=[("a.txt", "text/plain", b"text")])
    synced.sync()


@contextmanager
def while_it_waits(synced: Synced) -> Iterator[Future[RunReport]]:
    """Let a sync stand inside Microsoft Graph for the time of the block; yield its coming report."""
    with ThreadPoolExecutor(1) as pool:
        with synced.mailbox.hold() as traffic:
            running = pool.submit(synced.run)
            assert traffic.wait_for(1)
            yield running
        running.result(timeout=30)
