"""A host and a Microsoft 365 in one process, made once and begun anew for each history.

A new host, a sign-in and a server with sockets take seconds; to empty the tables and to forget a mailbox takes a
millisecond.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, insert, select, update

from flask_ms365 import Change
from flask_ms365.identity.sign_in import Visitor
from flask_ms365.models import Attachment, Connection, Folder, Message, SetAside
from flask_ms365.models import Mailbox as MailboxRow
from flask_ms365.simulator import Mailbox, Simulator
from flask_ms365.sync.folders import NOT_BY_DEFAULT
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import CALLBACK, Clock, configure, new_host
from tests.services import own_database
from tests.sync.hooks import Hooks, Pool, watch_commits
from tests.visitor import sign_in_at_microsoft

# what the host keeps of its own: a row for each message, as the handler was told of it
KEPT = Table(
    "kept",
    MetaData(),
    Column("message_id", Integer, index=True),
    Column("folder_id", Integer),
    Column("subject", Text),
    Column("is_read", Boolean),
    Column("is_removed", Boolean),
)
_AT_MOST = 6  # syncs until nothing changes any more
_LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)
_NEVER = datetime(2100, 1, 1, tzinfo=timezone.utc)


class World:
    """One connected mailbox, its host, and what the two hold of the same mail."""

    def __init__(self, folder: Path, simulator: Simulator, database: str = "sqlite") -> None:
        db, config = (None, {}) if database == "sqlite" else _service(database)
        self.database = database
        self.clock, self.hooks = Clock(), Hooks()
        # the host's clock is whichever this history has
        self._host = new_host(folder, simulator, lambda: self.clock(), db=db, **config)  # type: ignore[arg-type]
        self.app, self.ms365 = self._host.app, self._host.ms365
        self.session: Any = self.app.extensions["sqlalchemy"].session
        self._state = self.app.extensions["ms365.state"]
        self._state.runner.clients.pools[simulator.url] = Pool(simulator, self.hooks)
        self.ms365.on_message(self._keep)
        self._connect(simulator)
        with self.app.app_context():
            KEPT.create(self.session.connection())
            self.session.commit()
            watch_commits(self.session.get_bind(), self.hooks)
        with self._transaction():
            self._remember()

    def _connect(self, simulator: Simulator) -> None:
        """Let a person connect a mailbox, over real sockets, and nobody renew tokens while years pass."""
        self._user = simulator.add_user("ana@contoso.example", password="ana")
        configure(self._host, simulator, simulator.register_app(redirect_uris=[CALLBACK]))
        with self.app.app_context():
            begun = self._state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
            answer = parse_qs(urlsplit(sign_in_at_microsoft(begun.url, self._user)).query)
            visitor = Visitor(binding=begun.binding, user_id="ana", is_allowed=True)
            self._state.connect.finish(self._state.sign_in.find(answer), answer, visitor)
            self.session.execute(update(Connection).values(expires_at=_NEVER, renewed_at=_NEVER))
            self._mailbox_id = self.session.scalars(select(MailboxRow.id)).one()
            self.session.commit()
        tokens = simulator.grants.access_tokens
        tokens.update({value: replace(token, expires_at=_NEVER) for value, token in tokens.items()})

    def begin(self) -> Mailbox:
        """Forget all mail, here and there, and all that happened; return the mailbox at Microsoft."""
        self.clock = Clock()
        self.hooks.begin()
        with self._transaction():
            self._execute(*self._emptying, *self._filling)
        self.box = self._user.mailbox = Mailbox(self._user.mailbox.address, self.clock)
        return self.box

    def end(self) -> None:
        """Leave the database as it was found."""
        with self._transaction():
            self._execute(*self._emptying, "DROP TABLE kept", *(f"DROP TABLE begun_{name}" for name in self._begun))
        with self.app.app_context():
            self.session.get_bind().dispose()

    def _remember(self) -> None:
        """Keep what the tables begin with beside them: statements that no ORM compiles take a tenth of the time."""
        tables = self.app.extensions["sqlalchemy"].metadata.sorted_tables
        self._begun = [table.name for table in tables if self.session.execute(select(table).limit(1)).first()]
        # folders name each other
        self._emptying = ["UPDATE ms365_folder SET parent_id = NULL", "DELETE FROM kept"]
        self._emptying += [f"DELETE FROM {table.name}" for table in reversed(tables)]
        self._filling = [f"INSERT INTO {name} SELECT * FROM begun_{name}" for name in self._begun]
        self._execute(*(f"CREATE TABLE begun_{name} AS SELECT * FROM {name}" for name in self._begun))

    def _execute(self, *statements: str) -> None:
        for statement in statements:
            self.session.connection().exec_driver_sql(statement)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self.app.app_context(), self.hooks.away():
            yield
            self.session.commit()

    def _keep(self, message: Message, change: Change) -> None:
        """Keep a row of the host's own for each message."""
        self.hooks("handler")
        values = {
            "folder_id": message.folder_id,
            "subject": message.subject,
            "is_read": message.is_read,
            "is_removed": message.removed_at is not None,
        }
        if change is Change.CREATED:
            self.session.execute(insert(KEPT).values(message_id=message.id, **values))
        else:
            self.session.execute(update(KEPT).where(KEPT.c.message_id == message.id).values(**values))

    def run(self) -> RunReport:
        """Sync now, as a process of its own would."""
        with self.app.app_context():
            return self.ms365.sync_mailbox(self._mailbox_id)

    def read_last(self, days: int) -> None:
        """Let an admin change how far back mail is read; 0 is all."""
        with self.app.app_context():
            self.ms365.settings.save({"sync_since": str(days)})

    def pass_the_lease(self) -> None:
        """Let so much time pass that whoever holds the mailbox has lost it, if nobody renews it."""
        self.clock.advance(hours=2)
        with self._transaction():  # for servers that have a clock of their own
            held = update(MailboxRow).where(MailboxRow.lease_expires_at.is_not(None))
            self.session.execute(held.values(lease_expires_at=_LONG_AGO))

    def is_held(self) -> bool:
        """Tell whether a run has the mailbox."""
        with self.app.app_context():
            until = self.session.scalar(select(MailboxRow.lease_expires_at))
            return until is not None and until > self.clock()

    def settle(self) -> None:
        """Read until nothing is left to read, and believe what a sync asks about."""
        self.box.stop_failing()
        self.hooks.begin()
        self.read_last(0)
        for _ in range(_AT_MOST):
            # a round that is resumed ends with the past: what came since is told by the next one
            is_resumed = self._is_within_a_round()
            self._hurry()
            self.clock.advance(
                hours=2
            )  # past lease and back-off, but no day: nothing is mended by a nightly comparison
            report = self.run()
            assert report.result is Result.DONE, report
            if not (report.changes or report.set_aside or is_resumed or self._believe()):
                return
        raise AssertionError("each sync of what did not change changed something")

    def _is_within_a_round(self) -> bool:
        with self.app.app_context():
            return self.session.scalars(select(Folder.id).where(Folder.next_link.is_not(None))).first() is not None

    def _hurry(self) -> None:
        """Let what was set aside be tried again now, and not in some hours."""
        with self._transaction():
            self.session.execute(update(SetAside).values(next_try_at=self.clock()))

    def _believe(self) -> bool:
        """Answer what a person is asked: whether a folder that was full is empty now."""
        with self._transaction():
            return bool(
                self.session.execute(update(Folder).where(Folder.doubt == "asked").values(doubt="believed")).rowcount
            )

    def differences(self) -> list[str]:
        """Compare the two mailboxes, and the host's own rows with ours."""
        with self.app.app_context():
            folders = dict(self.session.execute(select(Folder.id, Folder.graph_id)).all())
            rows = self.session.scalars(select(Message).execution_options(populate_existing=True)).all()
            files = Counter(self.session.scalars(select(Attachment.message_id)))
            ours = Counter(self._ours(row, folders, files[row.id]) for row in rows if row.removed_at is None)
            stored = Counter((m.id, m.folder_id, m.subject, m.is_read, m.removed_at is not None) for m in rows)
            kept = Counter(tuple(row) for row in self.session.execute(select(KEPT)))
        theirs = Counter(self._theirs())
        return [
            *(f"not stored: {one}" for one in (theirs - ours).elements()),
            *(f"stored, but not there: {one}" for one in (ours - theirs).elements()),
            *(f"not told to the host: {one}" for one in (stored - kept).elements()),
            *(f"told to the host, but not stored: {one}" for one in (kept - stored).elements()),
        ]

    def _ours(self, row: Message, folders: dict[int, str], files: int) -> tuple[object, ...]:
        return (
            row.graph_id if self.box.immutable_ids else "",
            row.internet_message_id,
            folders[row.folder_id],
            row.subject,
            row.is_read,
            row.received_at,
            row.body,
            files,
        )

    def _theirs(self) -> Iterator[tuple[object, ...]]:
        """Yield the messages of the folders that are read until people choose otherwise."""
        read = {folder.id for folder in self.box.folders if self._is_read(folder.id)}
        for record in self.box.messages():
            if record.folder in read:
                yield (
                    record.id if self.box.immutable_ids else "",
                    record.internet_message_id,
                    record.folder,
                    record.subject,
                    record.is_read,
                    record.received_at,
                    record.body,
                    len(record.attachments),
                )

    def _is_read(self, folder_id: str) -> bool:
        tree = self.box.folders
        while folder_id != tree.root.id:
            folder = tree.get(folder_id)
            if folder.well_known_name in NOT_BY_DEFAULT:
                return False
            folder_id = folder.parent_id
        return True

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all mail that is stored, and where its cursors stand."""
        with self.app.app_context():
            tables = [*(model.__table__ for model in (Folder, Message, Attachment)), KEPT]
            return {str(table): [tuple(row) for row in self.session.execute(select(table))] for table in tables}


def _service(database: str) -> tuple[SQLAlchemy, dict[str, str]]:
    return SQLAlchemy(), {"SQLALCHEMY_DATABASE_URI": own_database(database)}
