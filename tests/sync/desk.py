"""A host that opens a ticket for each conversation: its process, its own table, and an admin who chooses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select, update

from flask_ms365.models import Mailbox, Message, Processed, write_transaction
from flask_ms365.sync.report import RunReport
from tests.sync.conftest import Synced

TICKET, LEAD = "Create ticket", "Create lead"
TABLE = Table(
    "desk_ticket", MetaData(), Column("message_id", Integer), Column("subject", Text), Column("process", Text)
)


class Desk:
    """Two processes that write a row of the host's own, and fail over the subjects of ``broken_over``."""

    def __init__(self, synced: Synced) -> None:
        self.synced = synced
        self.broken_over: set[str | None] = set()
        self.calls: list[tuple[str | None, dict[str, Any]]] = []
        for name in (TICKET, LEAD):
            self._register(name)

    def _register(self, name: str) -> None:
        @self.synced.host.ms365.process(name)
        def open_ticket(message: Message, options: dict[str, Any]) -> None:
            self.calls.append((message.subject, options))
            values = {"message_id": message.id, "subject": message.subject, "process": name}
            self.synced.session.execute(insert(TABLE).values(values))
            if message.subject in self.broken_over:
                raise LookupError(message.subject)

    @property
    def state(self) -> Any:
        return self.synced.host.app.extensions["ms365.state"]

    def choose(self, name: str = TICKET, options: Mapping[str, Sequence[str]] | None = None) -> None:
        """Let an admin choose what is done with new mail; an empty name is nothing."""
        with self.synced.host.app.app_context():
            mailbox_id = self.synced.session.scalars(select(Mailbox.id)).one()
            self.state.processes.choose(mailbox_id, name, options, actor="ana")

    def deliver(self, subject: str, **given: Any) -> str:
        """Deliver a mail that is received now."""
        return self.synced.mailbox.deliver(subject=subject, text="x", **given)

    def deliver_old(self, subject: str, **given: Any) -> str:
        """Deliver a mail that was received before anybody chose a process."""
        return self.deliver(subject, received_at=datetime.now(timezone.utc) - timedelta(hours=3), **given)

    def tickets(self, process: str = TICKET) -> list[str | None]:
        """Return the subjects of which a ticket is stored, sorted."""
        with self.synced.host.app.app_context():
            found = select(TABLE.c.subject).where(TABLE.c.process == process)
            return sorted(self.synced.session.scalars(found))

    def processed(self) -> int:
        """Return how many conversations are known to be processed."""
        with self.synced.host.app.app_context():
            return len(self.synced.session.scalars(select(Processed.id)).all())

    def run(self) -> RunReport:
        """Sync, although the mailbox waits for what failed before: by the clock of the database, which nobody moves."""
        with self.synced.host.app.app_context(), write_transaction(self.synced.session):
            long_ago = datetime.now(timezone.utc) - timedelta(minutes=1)
            self.synced.session.execute(update(Mailbox).values(next_due_at=long_ago))
        return self.synced.run()


@contextmanager
def tickets_in(synced: Synced) -> Iterator[None]:
    """Have the table of the host for a while."""
    with synced.host.app.app_context():
        TABLE.create(synced.session.connection())
        synced.session.commit()
    yield
    with synced.host.app.app_context():
        TABLE.drop(synced.session.connection())
        synced.session.commit()
