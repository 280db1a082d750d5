"""Messages at Microsoft with their rows in the database, stored here without a sync."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365 import simulator as microsoft
from flask_ms365.content.contents import Contents
from flask_ms365.graph.types import AttachmentData
from flask_ms365.models import Attachment, AttachmentContent, Folder, Mailbox, Message, write_transaction
from flask_ms365.simulator import Simulator, User
from flask_ms365.simulator.ids import attachment_suffix
from flask_ms365.sync.attachments import replace_attachments
from flask_ms365.sync.lease import Lease, claim, release
from tests.conftest import Host
from tests.sync.conftest import Synced, synced

__all__ = ["synced"]

File = microsoft.Attachment


@dataclass
class Kept:
    """A connected mailbox: at Microsoft, and in the database of a host."""

    host: Host
    mailbox: microsoft.Mailbox
    simulator: Simulator
    now: Callable[[], datetime]

    @property
    def session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session

    @property
    def state(self) -> Any:
        return self.host.app.extensions["ms365.state"]

    @property
    def contents(self) -> Contents:
        with self.host.app.app_context():
            return self.host.ms365.content

    def deliver(self, *attachments: File, **mail: Any) -> int:
        """Deliver a message and store its rows; return its id."""
        graph_id = self.mailbox.deliver(attachments=attachments, **mail)
        record = next(each for each in self.mailbox.messages() if each.id == graph_id)
        with self.host.app.app_context(), write_transaction(self.session):
            message = Message(
                mailbox_id=self.mailbox_id(),
                folder_id=self._folder_id(),
                graph_id=graph_id,
                subject=record.subject,
                recipients=[],
                categories=[],
            )
            self.session.add(message)
            self.session.flush()
            message_id: int = message.id
            replace_attachments(self.session, {message_id: attachments_of(record)})
        return message_id

    def file(self, *attachments: File, **mail: Any) -> int:
        """Deliver a message and return the id of its last attachment."""
        return self.ids(self.deliver(*attachments, **mail))[-1]

    def ids(self, message_id: int) -> list[int]:
        with self.host.app.app_context():
            found = select(Attachment.id).where(Attachment.message_id == message_id)
            return list(self.session.scalars(found.order_by(Attachment.id)))

    def row(self, attachment_id: int) -> Any:
        with self.host.app.app_context():
            table = Attachment.__table__
            return self.session.execute(select(table).where(table.c.id == attachment_id)).one()

    def stored(self) -> dict[int, bytes]:
        """Return attachment id -> content, of what the database holds."""
        with self.host.app.app_context():
            found = select(AttachmentContent.attachment_id, AttachmentContent.content)
            return {row[0]: row[1] for row in self.session.execute(found)}

    def policy(self, megabytes: int) -> None:
        with self.host.app.app_context():
            self.host.ms365.settings.save({"store_attachments": str(megabytes)})

    def fetch(self) -> bool:
        """Store what is missing, as the end of a run does."""
        with self.run() as lease:
            graph = self.state.runner.clients.of(lease.mailbox_id)
            return bool(self.state.missing_contents.fetch(lease.mailbox_id, graph, lease))

    @contextmanager
    def run(self) -> Iterator[Lease]:
        """Hold the mailbox, in an app context, as a run does."""
        with self.host.app.app_context():
            mailbox_id, now = self.mailbox_id(), self.now()
            lease = claim(self.session, mailbox_id, owner="test", seconds=90, now=now, only_due=False)
            assert lease is not None
            try:
                yield lease
            finally:
                self.session.rollback()
                with write_transaction(self.session):
                    release(self.session, lease)

    def requests(self, end: str) -> int:
        """Count what Microsoft was asked whose path ends so."""
        return sum(record.path.endswith(end) for record in self.simulator.requests)

    def mailbox_id(self) -> int:
        found: int = self.session.scalars(select(Mailbox.id)).one()
        return found

    def _folder_id(self) -> int:
        folder = self.session.scalar(select(Folder))
        if folder is None:
            folder = Folder(mailbox_id=self.mailbox_id(), graph_id="inbox", name="Inbox")
            self.session.add(folder)
            self.session.flush()
        folder_id: int = folder.id
        return folder_id


def attachments_of(record: microsoft.MessageRecord) -> list[AttachmentData]:
    """Return what Graph lists of a message's attachments."""
    return [
        AttachmentData(
            id=f"{record.id.rstrip('=')}{attachment_suffix(index)}=",
            odata_type=f"#microsoft.graph.{each.kind}Attachment",
            name=each.name,
            content_type=each.content_type,
            size=each.size,
            is_inline=each.is_inline,
            content_id=each.content_id,
        )
        for index, each in enumerate(record.attachments)
    ]


@pytest.fixture
def kept(connected: Host, ana: User, simulator: Simulator, clock: Callable[[], datetime]) -> Kept:
    return Kept(connected, ana.mailbox, simulator, clock)


@pytest.fixture
def kept_anywhere(synced: Synced, clock: Callable[[], datetime]) -> Kept:
    """Return the same on each database."""
    return Kept(synced.host, synced.mailbox, synced.simulator, clock)
