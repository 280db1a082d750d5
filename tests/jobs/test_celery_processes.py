"""Celery's beat and workers as processes, over Redis and RabbitMQ, with SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flask_ms365.simulator import App, Simulator
from tests.conftest import HostFactory, configure
from tests.jobs.brokers import own_redis
from tests.jobs.cluster import LEASE, Cluster, cluster_of, host_over
from tests.jobs.processes import PATIENCE
from tests.services import need

if os.environ.get("MS365_TEST_REQUIRE") != "all":
    pytest.importorskip("celery", reason="celery is not installed")

from flask_ms365.jobs.celery import CeleryHook
from tests.jobs.celery_node import celery_init_app

pytestmark = [pytest.mark.slow, pytest.mark.service]

TICK = 1  # seconds, as celery_node has it
SLACK = 10  # seconds: until the page after the takeover is stored, on a machine that is busy
APP = ("celery", "--app", "tests.jobs.make_celery:celery_app")


@dataclass(kw_only=True)
class Nodes:
    """Machines with Celery workers, one of them with beat; this process is the web app."""

    cluster: Cluster
    celery: Any

    def beat(self) -> None:
        self.cluster.started.start(*APP, "beat", "--loglevel", "INFO")

    def worker(self, *, processes: int = 2) -> Any:
        name = f"{uuid.uuid4()}@localhost"
        return self.cluster.started.start(*APP, "worker", "-c", str(processes), "-n", name, "--loglevel", "INFO")

    def toggle(self, is_on: bool) -> None:
        changes = {"email_sync-value": "y" if is_on else None}
        assert self.cluster.host.visitor().submit("/ms365/settings", changes).status_code == 303


@pytest.fixture(params=["redis-sqlite", "rabbitmq-postgresql"])
def nodes(
    request: pytest.FixtureRequest, make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Path
) -> Iterator[Nodes]:
    broker, _, database = request.param.partition("-")
    queue = f"ms365-test-{uuid.uuid4()}"
    with ExitStack() as stack:
        url = stack.enter_context(own_redis()) if broker == "redis" else need(broker)
        host = stack.enter_context(host_over(database, make_host, tmp_path))
        configure(host, simulator, registration)
        celery = celery_init_app(host.app, {"broker_url": url, "task_default_queue": queue})
        host.app.extensions["ms365.state"].hook = CeleryHook(host.app)
        stack.callback(forget, celery, queue)
        cluster = stack.enter_context(cluster_of(host, simulator, tmp_path, BROKER=url, QUEUE=queue))
        yield Nodes(cluster=cluster, celery=celery)


def forget(celery: Any, queue: str) -> None:
    """Leave nothing in a broker that others use, too."""
    with celery.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
    celery.close()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_each_mailbox_is_synced_once_an_interval_however_often_who_ticks(nodes: Nodes) -> None:
    boxes = nodes.cluster.many.add(8)
    for box in boxes:
        box.deliver(subject="Hello")
    for start in (nodes.beat, nodes.worker, nodes.worker):
        start()
    nodes.cluster.started.until(lambda: nodes.cluster.stored() == 8)
    nodes.cluster.ticks(4)
    assert nodes.cluster.differences(boxes) == []
    assert set(nodes.cluster.runs().values()) == {1}


def test_processes_of_a_pool_do_not_share_the_connections_of_their_parent(nodes: Nodes) -> None:
    boxes = nodes.cluster.many.add(30)
    for box in boxes:
        box.deliver(subject="Hello")
    nodes.worker(processes=4)
    with nodes.cluster.host.app.app_context():
        for _ in range(24):
            nodes.cluster.host.app.extensions["ms365.state"].wake()
    nodes.cluster.started.until(lambda: nodes.cluster.stored() == 30)
    assert nodes.cluster.differences(boxes) == []
    assert "Traceback" not in nodes.cluster.started.output()


def test_beat_ticks_on_and_each_tick_obeys_the_switch(nodes: Nodes) -> None:
    (box,) = nodes.cluster.many.add(1)
    nodes.toggle(False)
    box.deliver(subject="Hello")
    nodes.cluster.make_due()
    nodes.beat()
    nodes.worker()
    nodes.cluster.ticks(3)
    assert nodes.cluster.stored() == 0
    nodes.toggle(True)
    nodes.cluster.started.until(lambda: nodes.cluster.stored() == 1)


@pytest.mark.parametrize("victim", ["worker", "process of its pool"])
def test_a_worker_that_is_killed_within_a_page_is_replaced(nodes: Nodes, victim: str) -> None:
    (box,) = nodes.cluster.many.add(1)
    box.max_page_size = 20
    box.deliver_many(200, body_size=100, folders=("inbox",))
    workers = [nodes.worker(processes=1), nodes.worker(processes=1)]
    nodes.beat()
    nodes.cluster.started.until(lambda: nodes.cluster.stored() >= 20)
    with box.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        pid = nodes.cluster.storing()[-1]
        if victim == "worker":
            nodes.cluster.started.kill(next(worker for worker in workers if pid in children_of(worker.pid)))
        else:
            os.kill(pid, signal.SIGKILL)
        before = nodes.cluster.stored()
    took = nodes.cluster.started.until(lambda: nodes.cluster.stored() > before)
    assert took < LEASE + TICK + SLACK
    nodes.cluster.started.until(lambda: nodes.cluster.stored() == 200)
    nodes.cluster.ticks(2)
    assert nodes.cluster.differences([box]) == []


def test_a_broker_is_told_ids_and_nothing_else(nodes: Nodes, registration: App) -> None:
    (box,) = nodes.cluster.many.add(1)
    state = nodes.cluster.host.app.extensions["ms365.state"]
    with nodes.cluster.host.app.app_context():
        state.wake(1)
        state.wake()
    with nodes.celery.connection_for_read() as connection:
        queue = connection.SimpleQueue(nodes.celery.conf.task_default_queue)
        messages = [queue.get(timeout=PATIENCE) for _ in range(2)]
        told = [(message.headers["task"], json.loads(message.body)[:2]) for message in messages]
        everything = " ".join(f"{message.headers} {message.properties} {message.body}" for message in messages)
        queue.close()
    assert told == [("ms365.sync_mailbox", [[1], {}]), ("ms365.tick", [[], {}])]
    config = nodes.cluster.host.app.config
    for secret in (box.address, registration.client_id, registration.client_secret, config["MS365_ENCRYPTION_KEYS"]):
        assert secret not in everything
    assert not [message.headers["expires"] for message in messages if message.headers["expires"] is None]
