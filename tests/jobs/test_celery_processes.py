"""Celery's beat and workers as processes, over Redis and RabbitMQ, with SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from flask_ms365.models import Heartbeat, Mailbox, Message, SyncRun, write_transaction
from flask_ms365.simulator import App, Simulator
from flask_ms365.simulator import Mailbox as Box
from tests.conftest import Clock, Host, HostFactory, configure
from tests.jobs.brokers import own_redis
from tests.jobs.processes import Processes, processes
from tests.services import need, own_database
from tests.sync.many import Many

if os.environ.get("MS365_TEST_REQUIRE") != "all":
    pytest.importorskip("celery", reason="celery is not installed")

from flask_ms365.jobs.celery import CeleryHook
from tests.jobs.celery_node import EFFECT, celery_init_app

pytestmark = [pytest.mark.slow, pytest.mark.service]

LEASE = 4  # seconds
TICK = 1  # seconds, as celery_node has it
SLACK = 3  # seconds: until the page after the takeover is stored
APP = ("celery", "--app", "tests.jobs.make_celery:celery_app")


class Nodes:
    """Machines with Celery workers, one of them with beat, and a web process: this one."""

    def __init__(self, many: Many, started: Processes, celery: Any) -> None:
        self.many = many
        self.started = started
        self.celery = celery
        self.visitor = many.host.visitor()

    def beat(self) -> None:
        self.started.start(*APP, "beat", "--loglevel", "INFO")

    def worker(self, *, processes: int = 2) -> Any:
        name = f"{uuid.uuid4()}@localhost"
        return self.started.start(*APP, "worker", "-c", str(processes), "-n", name, "--loglevel", "INFO")

    def toggle(self, is_on: bool) -> None:
        answer = self.visitor.submit("/ms365/settings", {"email_sync-value": "y" if is_on else None})
        assert answer.status_code == 303

    def ticks(self, count: int) -> None:
        """Wait for so many ticks more."""
        for _ in range(count):
            before = self._all(select(func.max(Heartbeat.at)))
            self.started.until(lambda before=before: self._all(select(func.max(Heartbeat.at))) != before)  # type: ignore[misc]

    def make_due(self) -> None:
        with self.many.host.app.app_context(), write_transaction(self.many.session):
            self.many.session.execute(update(Mailbox).values(next_due_at=datetime.now(timezone.utc)))

    def stored(self) -> int:
        return int(self._all(select(func.count()).select_from(Message))[0])

    def last_to_store(self) -> int:
        """Return the process whose page came last."""
        return int(self._all(select(EFFECT.c.pid).order_by(EFFECT.c.id.desc()).limit(1))[0])

    def runs(self) -> Counter[int]:
        return Counter(self._all(select(SyncRun.mailbox_id)))

    def differences(self, boxes: list[Box]) -> list[str]:
        """Return the messages that are not stored and handled once each."""
        expected = Counter(record.id for box in boxes for record in box.messages())
        stored = Counter(self._all(select(Message.graph_id)))
        effects = Counter(self._all(select(EFFECT.c.graph_id)))
        return [key for key in {*expected, *stored, *effects} if not expected[key] == stored[key] == effects[key]]

    def _all(self, statement: Any) -> list[Any]:
        with self.many.host.app.app_context():
            return list(self.many.session.scalars(statement))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(params=["redis-sqlite", "rabbitmq-postgresql"])
def nodes(
    request: pytest.FixtureRequest,
    make_host: HostFactory,
    simulator: Simulator,
    registration: App,
    clock: Clock,
    tmp_path: Path,
) -> Iterator[Nodes]:
    broker, _, database = request.param.partition("-")
    with ExitStack() as stack:
        url = stack.enter_context(own_redis()) if broker == "redis" else need(broker)
        host = make_host(SQLALCHEMY_DATABASE_URI=_database(database, tmp_path), SQLALCHEMY_ENGINE_OPTIONS={})
        stack.callback(_disconnect, host)
        with host.app.app_context():
            session = host.app.extensions["sqlalchemy"].session
            EFFECT.create(session.connection())
            session.commit()
        configure(host, simulator, registration)
        queue = f"ms365-test-{uuid.uuid4()}"
        celery = celery_init_app(host.app, {"broker_url": url, "task_default_queue": queue})
        host.app.extensions["ms365.state"].hook = CeleryHook(host.app)
        environment = {
            "INSTANCE": host.app.instance_path,
            "DATABASE": host.app.config["SQLALCHEMY_DATABASE_URI"],
            "KEY": host.app.config["MS365_ENCRYPTION_KEYS"],
            "SIMULATOR": simulator.url,
            "BROKER": url,
            "QUEUE": queue,
            "LEASE_SECONDS": str(LEASE),
        }
        stack.callback(_forget, celery, queue)
        started = stack.enter_context(processes(tmp_path, environment))
        yield Nodes(Many(host=host, simulator=simulator, clock=clock), started, celery)


def _database(name: str, folder: Path) -> str:
    if name == "sqlite":
        return f"sqlite:///{folder / 'host' / 'ms365.sqlite3'}"
    return own_database(name, f"celery_{uuid.uuid4().hex[:8]}")


def _disconnect(host: Host) -> None:
    with host.app.app_context():
        host.app.extensions["sqlalchemy"].session.get_bind().dispose()


def _forget(celery: Any, queue: str) -> None:
    """Leave nothing in a broker that others use, too."""
    with celery.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
    celery.close()


def test_each_mailbox_is_synced_once_an_interval_however_often_who_ticks(nodes: Nodes) -> None:
    boxes = nodes.many.add(8)
    for box in boxes:
        box.deliver(subject="Hello")
    for start in (nodes.beat, nodes.worker, nodes.worker):
        start()
    nodes.started.until(lambda: nodes.stored() == 8)
    nodes.ticks(4)
    assert nodes.differences(boxes) == []
    assert set(nodes.runs().values()) == {1}


def test_beat_ticks_on_and_each_tick_obeys_the_switch(nodes: Nodes) -> None:
    (box,) = nodes.many.add(1)
    nodes.toggle(False)
    box.deliver(subject="Hello")
    nodes.make_due()
    nodes.beat()
    nodes.worker()
    nodes.ticks(3)
    assert nodes.stored() == 0
    nodes.toggle(True)
    nodes.started.until(lambda: nodes.stored() == 1)


@pytest.mark.parametrize("victim", ["worker", "process of its pool"])
def test_a_worker_that_is_killed_within_a_page_is_replaced(nodes: Nodes, victim: str) -> None:
    (box,) = nodes.many.add(1)
    box.max_page_size = 20
    box.deliver_many(200, body_size=100, folders=("inbox",))
    workers = [nodes.worker(processes=1), nodes.worker(processes=1)]
    nodes.beat()
    nodes.started.until(lambda: nodes.stored() >= 20)
    with box.hold() as traffic:
        assert traffic.wait_for(1)
        pid = nodes.last_to_store()
        if victim == "worker":
            nodes.started.kill(next(worker for worker in workers if pid in children_of(worker.pid)))
        else:
            os.kill(pid, signal.SIGKILL)
        before = nodes.stored()
    took = nodes.started.until(lambda: nodes.stored() > before)
    assert took < LEASE + TICK + SLACK
    nodes.started.until(lambda: nodes.stored() == 200)
    nodes.ticks(2)
    assert nodes.differences([box]) == []


def test_a_broker_is_told_ids_and_nothing_else(nodes: Nodes) -> None:
    (box,) = nodes.many.add(1)
    state = nodes.many.host.app.extensions["ms365.state"]
    with nodes.many.host.app.app_context():
        state.wake(1)
        state.wake()
    with nodes.celery.connection_for_read() as connection:
        queue = connection.SimpleQueue(nodes.celery.conf.task_default_queue)
        messages = [queue.get(timeout=10) for _ in range(2)]
        told = [(message.headers["task"], json.loads(message.body)[:2]) for message in messages]
        everything = " ".join(f"{message.headers} {message.properties} {message.body}" for message in messages)
        queue.close()
    assert told == [("ms365.sync_mailbox", [[1], {}]), ("ms365.tick", [[], {}])]
    assert box.address not in everything
    assert not [message.headers["expires"] for message in messages if message.headers["expires"] is None]
