"""A connected mailbox on each database, its worker, and what the host's handler was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import delete, select, update

from flask_ms365 import Change
from flask_ms365 import simulator as microsoft
from flask_ms365.models import Attachment, Folder, Mailbox, Message
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import RunReport
from tests.conftest import Host, HostFactory, configure
from tests.services import own_database


@dataclass
class Synced:
    """A host with Ana's mailbox connected, and the mailbox at Microsoft beside it."""

    host: Host
    mailbox: microsoft.Mailbox
    simulator: Simulator
    told: list[tuple[str | None, Change]] = field(default_factory=list)

    def sync(self) -> RunReport:
        """Sync now; the report must be that of a good run."""
        report = self.run()
        assert report.error == ""
        return report

    def run(self) -> RunReport:
        """Sync now, whatever comes of it."""
        with self.host.app.app_context():
            mailbox_id = self.session.scalars(select(Mailbox.id)).one()
            return self.host.ms365.sync_mailbox(mailbox_id)

    @property
    def session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session

    def subjects(self) -> dict[str, str]:
        """Return subject -> folder name."""
        with self.host.app.app_context():
            found = select(Message.subject, Folder.name).join(Folder, Folder.id == Message.folder_id)
            return {row[0]: row[1] for row in self.session.execute(found.where(Message.removed_at.is_(None)))}

    def differences(self) -> list[str]:
        """Compare database and mailbox message by message, in the folders that are read."""
        with self.host.app.app_context():
            folders = dict(self.session.execute(select(Folder.id, Folder.graph_id)).all())
            rows = self.session.scalars(select(Message).where(Message.removed_at.is_(None))).all()
            files = self.session.scalars(select(Attachment).order_by(Attachment.id)).all()
            ours = {row.graph_id: _of_row(row, folders, files) for row in rows}
        theirs = {
            record.id: _of_record(record) for record in self.mailbox.messages() if record.folder_name in READ_FOLDERS
        }
        keys = ours.keys() | theirs.keys()
        return [f"{ours.get(key)} != {theirs.get(key)}" for key in keys if ours.get(key) != theirs.get(key)]


READ_FOLDERS = {"Inbox", "Sent Items", "Archive", "Projects", "Deep"}


def _of_row(row: Message, folders: dict[int, str], files: list[Attachment]) -> dict[str, Any]:
    return {
        "folder": folders[row.folder_id],
        "subject": row.subject,
        "from": (row.from_name, row.from_address),
        "recipients": [(one["kind"], one["name"], one["address"]) for one in row.recipients],
        "received": row.received_at,
        "sent": row.sent_at,
        "is_read": row.is_read,
        "body": (row.body_content_type, row.body),
        "files": sorted(
            (file.name, file.content_type, file.size, file.is_inline, file.content_id, file.kind)
            for file in files
            if file.message_id == row.id
        ),
    }


def _of_record(record: Any) -> dict[str, Any]:
    return {
        "folder": record.folder,
        "subject": record.subject,
        "from": (record.from_name, record.from_address),
        "recipients": [(one.kind, one.name, one.address) for one in record.recipients],
        "received": record.received_at,
        "sent": record.sent_at,
        "is_read": record.is_read,
        "body": (record.body_content_type, record.body),
        "files": sorted(
            (file.name, file.content_type, file.size, file.is_inline, file.content_id, file.kind)
            for file in record.attachments
        ),
    }


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ]
)
def synced(
    request: pytest.FixtureRequest,
    make_host: HostFactory,
    registration: App,
    simulator: Simulator,
    ana: User,
) -> Iterator[Synced]:
    """Yield a connected, empty mailbox with the toggle on; nothing was synced yet."""
    if request.param == "sqlite":
        host, db = make_host(), None
    else:
        db = SQLAlchemy()
        host = make_host(db=db, SQLALCHEMY_DATABASE_URI=own_database(request.param))
    result = Synced(host, ana.mailbox, simulator)

    @host.ms365.on_message
    def remember(message: Message, change: Change) -> None:
        result.told.append((message.subject, change))

    configure(host, simulator, registration)
    host.visitor().connect(ana)
    yield result
    if db is not None:
        with host.app.app_context():
            empty(db)


def empty(db: SQLAlchemy) -> None:
    """Leave the tables to the next test: making them anew takes longer than most tests."""
    db.session.remove()
    with db.engine.begin() as connection:
        # flows and mailboxes, and folders among themselves, name each other
        connection.execute(update(Folder).values(parent_id=None))
        for table in reversed(db.metadata.sorted_tables):
            connection.execute(delete(table))
    db.engine.dispose()
