"""Many mailboxes, a database for them, and the processes that sync them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from flask_ms365.models import Heartbeat, Mailbox, Message, SyncRun, write_transaction
from flask_ms365.simulator import Mailbox as Box
from tests.conftest import Clock, Host, HostFactory
from tests.jobs.node import EFFECT
from tests.jobs.processes import Processes, processes
from tests.services import own_database
from tests.sync.many import Many

LEASE = 4  # seconds


@dataclass(kw_only=True)
class Cluster:
    """Processes that share the database of a host app in this one."""

    many: Many
    started: Processes

    @property
    def host(self) -> Host:
        return self.many.host

    def ticks(self, count: int) -> None:
        """Wait for so many ticks more."""
        for _ in range(count):
            before = self._last_tick()
            self.started.until(lambda before=before: self._last_tick() != before)  # type: ignore[misc]

    def make_due(self) -> None:
        with self.host.app.app_context(), write_transaction(self.many.session):
            self.many.session.execute(update(Mailbox).values(next_due_at=datetime.now(timezone.utc)))

    def stored(self) -> int:
        return int(self._all(select(func.count()).select_from(Message))[0])

    def storing(self) -> list[int]:
        """Return the process that stored each message."""
        return self._all(select(EFFECT.c.pid).order_by(EFFECT.c.id))

    def runs(self) -> Counter[int]:
        """Return mailbox id -> how often it was synced."""
        return Counter(self._all(select(SyncRun.mailbox_id)))

    def differences(self, boxes: list[Box]) -> list[str]:
        """Return the messages that are not stored and handled once each."""
        expected = Counter(record.id for box in boxes for record in box.messages())
        stored = Counter(self._all(select(Message.graph_id)))
        effects = Counter(self._all(select(EFFECT.c.graph_id)))
        return [key for key in {*expected, *stored, *effects} if not expected[key] == stored[key] == effects[key]]

    def _last_tick(self) -> Any:
        return self._all(select(func.max(Heartbeat.at)))

    def _all(self, statement: Any) -> list[Any]:
        with self.host.app.app_context():
            return list(self.many.session.scalars(statement))


@contextmanager
def host_over(database: str, make_host: HostFactory, folder: Path) -> Iterator[Host]:
    """Yield a host app over a database of its own, with the table of :mod:`tests.jobs.node`."""
    if database == "sqlite":
        url = f"sqlite:///{folder / 'host' / 'ms365.sqlite3'}"
    else:
        url = own_database(database, f"cluster_{uuid.uuid4().hex[:8]}")
    host = make_host(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS={})
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        EFFECT.create(session.connection())
        session.commit()
    try:
        yield host
    finally:
        with host.app.app_context():
            host.app.extensions["sqlalchemy"].session.get_bind().dispose()


@contextmanager
def cluster_of(host: Host, simulator: Any, folder: Path, **environment: str) -> Iterator[Cluster]:
    """Yield a :class:`Cluster` without processes; all that it starts end with the block."""
    given = {
        "INSTANCE": host.app.instance_path,
        "DATABASE": host.app.config["SQLALCHEMY_DATABASE_URI"],
        "KEY": host.app.config["MS365_ENCRYPTION_KEYS"],
        "SIMULATOR": simulator.url,
        "LEASE_SECONDS": str(LEASE),
    }
    with processes(folder, given | environment) as started:
        yield Cluster(many=Many(host=host, simulator=simulator, clock=Clock()), started=started)
