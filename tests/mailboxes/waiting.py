"""A mailbox with rows as the sync leaves them: folders in doubt, folders that could not be read, messages set aside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from flask_ms365.models import AuditEvent, Folder, Mailbox, Message, SetAside, write_transaction
from tests.conftest import Clock, Host

ADDRESS = "support@contoso.example"
LATER = timedelta(hours=1)


@dataclass(kw_only=True)
class Waiting:
    """One mailbox of a host, up to date and due in an hour."""

    host: Host
    clock: Clock
    mailbox_id: int

    @property
    def session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session

    def folder(self, name: str = "Inbox", *, stored: int = 0, **columns: Any) -> int:
        """Add a folder that was read, with messages in it; return its id."""
        given = {"graph_id": name, "delta_link": "delta", "total_count": stored, **columns}
        with self.host.app.app_context(), write_transaction(self.session):
            folder = Folder(mailbox_id=self.mailbox_id, name=name, **given)
            self.session.add(folder)
            self.session.flush()
            self.session.add_all([self._message(folder.id, f"{name}-{number}") for number in range(stored)])
            return folder.id

    def set_aside(self, folder_id: int, subject: str | None = "Re: offer", **columns: Any) -> None:
        """Set a message aside until in an hour."""
        given = {"code": "ErrorCorruptData", "first_at": self.clock(), "next_try_at": self.clock() + LATER, **columns}
        row = SetAside(mailbox_id=self.mailbox_id, folder_id=folder_id, subject=subject, **given)
        row.graph_id = f"{folder_id}-{subject}-{row.code}-{len(self.all(SetAside.id))}"
        self._add(row)

    def change(self, **columns: Any) -> None:
        """Change the mailbox's row."""
        with self.host.app.app_context(), write_transaction(self.session):
            mailbox = self.session.get_one(Mailbox, self.mailbox_id)
            for name, value in columns.items():
                setattr(mailbox, name, value)

    def all(self, column: Any) -> list[Any]:
        with self.host.app.app_context():
            return list(self.session.scalars(select(column).order_by(column.class_.id)))

    def row(self) -> Mailbox:
        """Return the mailbox itself."""
        with self.host.app.app_context():
            return self.session.get_one(Mailbox, self.mailbox_id)  # type: ignore[no-any-return]

    @property
    def doubts(self) -> list[str | None]:
        return self.all(Folder.doubt)

    @property
    def actions(self) -> list[tuple[str, str | None, str | None]]:
        """What the audit log says: action, who, and of what."""
        with self.host.app.app_context():
            rows = self.session.execute(select(AuditEvent.action, AuditEvent.actor, AuditEvent.target))
            return [tuple(row) for row in rows if row[0].startswith("mailbox.")]

    @property
    def is_due(self) -> bool:
        return bool(self.all(Mailbox.next_due_at)[0] <= self.clock())

    def _message(self, folder_id: int, graph_id: str) -> Message:
        given: dict[str, Any] = {"graph_id": graph_id, "recipients": [], "categories": []}
        return Message(mailbox_id=self.mailbox_id, folder_id=folder_id, **given)

    def _add(self, row: Any) -> None:
        with self.host.app.app_context(), write_transaction(self.session):
            self.session.add(row)


def waiting_mailbox(host: Host, clock: Clock, **columns: Any) -> Waiting:
    """Put a mailbox of the team, or of whom ``columns`` say, into the database."""
    now: datetime = clock()
    given = {"kind": "system", "address": ADDRESS, "state": "connected", "last_success_at": now, **columns}
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        with write_transaction(session):
            mailbox = Mailbox(created_at=now, next_due_at=now + LATER, **given)
            session.add(mailbox)
            session.flush()
            return Waiting(host=host, clock=clock, mailbox_id=mailbox.id)
