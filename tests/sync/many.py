"""Many mailboxes that were read to their end, and measured, and are due; put in directly, which takes less time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import event, insert

from flask_ms365 import simulator as microsoft
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.simulator import Simulator
from flask_ms365.simulator.delta import DeltaQuery
from flask_ms365.sync.report import TickReport
from tests.conftest import Clock, Host


@dataclass(kw_only=True)
class Many:
    """Mailboxes of an organisation, each with an inbox alone, which the app reads without a sign-in."""

    host: Host
    simulator: Simulator
    clock: Clock

    def add(self, count: int, *, first: int = 1) -> list[microsoft.Mailbox]:
        """Add mailboxes, whose row ids begin with ``first``."""
        addresses = [f"box{number}@contoso.example" for number in range(first - 1, first - 1 + count)]
        boxes = [self.simulator.add_user(address).mailbox for address in addresses]
        now = self.clock()
        with self.host.app.app_context(), write_transaction(self.session):
            mailboxes = [_mailbox(number, box, now) for number, box in enumerate(boxes, start=first)]
            self.session.execute(insert(Mailbox), mailboxes)
            folders = [self._inbox(number, box, now) for number, box in enumerate(boxes, start=first)]
            self.session.execute(insert(Folder), folders)
        return boxes

    def begin(self) -> None:
        """Do what the first tick of all does beside syncing: long chores begin."""
        with self.host.app.app_context():
            self.host.app.extensions["ms365.state"].runner.beat()

    def tick(self) -> TickReport:
        with self.host.app.app_context():
            return self.host.ms365.tick()

    @property
    def session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Note every statement, from whatever thread."""
        noted: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            noted.append(statement)

        with self.host.app.app_context():
            engine = self.session.get_bind()
        event.listen(engine, "before_cursor_execute", note)
        yield noted
        event.remove(engine, "before_cursor_execute", note)

    def _inbox(self, mailbox_id: int, box: microsoft.Mailbox, now: datetime) -> dict[str, Any]:
        """Return the columns of an inbox with the delta link that Graph gives out at the end of a reading."""
        folder_id = box.folders.find("inbox").id
        _, _, token = box.page(box.start_round(folder_id, DeltaQuery(), immutable=True), 1, None)
        path = f"/v1.0/users/{box.address}/mailFolders('{folder_id}')/messages/delta"
        link = f"{self.simulator.url}{path}?$deltatoken={token}"
        place = {"mailbox_id": mailbox_id, "graph_id": folder_id, "name": "Inbox", "well_known_name": "inbox"}
        return {**place, "delta_link": link, "synced_at": now, "checked_at": now}


def deltas(simulator: Simulator) -> list[str]:
    """Return path and query of each page of messages that was asked for."""
    return [f"{r.path}?{r.query}" for r in simulator.requests if r.path.endswith("/messages/delta")]


def _mailbox(number: int, box: microsoft.Mailbox, now: datetime) -> dict[str, Any]:
    listed = {"folders_link": "of the folder tree", "folders_asked_at": now, "folders_listed_at": now}
    due = {"id": number, "created_at": now, "measured_at": now, "next_due_at": now}
    return {**due, **listed, "kind": "system", "access": "application", "address": box.address}
