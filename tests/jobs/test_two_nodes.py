"""Two app nodes with one PostgreSQL, each with its own embedded engine: who ticks first syncs, and only once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from flask_ms365.simulator import App, Mailbox, Simulator
from tests.conftest import HostFactory, configure
from tests.jobs.cluster import Cluster, cluster_of, host_over

pytestmark = [pytest.mark.slow, pytest.mark.service]

MAILBOXES = 8
INTERVALS = 20


@pytest.fixture
def cluster(make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Path) -> Iterator[Cluster]:
    with host_over("postgresql", make_host, tmp_path) as host:
        configure(host, simulator, registration)
        with cluster_of(host, simulator, tmp_path) as cluster:
            yield cluster


def start_node(cluster: Cluster) -> int:
    """Start a web process with its engine; return its process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    node = cluster.started.start("flask", "--app", "tests.jobs.embedded_node", "run", "--port", str(port))
    with urllib3.PoolManager(retries=False) as http:
        cluster.started.until(lambda: _answers(http, port))
    return node.pid


def _answers(http: urllib3.PoolManager, port: int) -> bool:
    try:
        return http.request("GET", f"http://127.0.0.1:{port}/").status == 404
    except urllib3.exceptions.HTTPError:
        return False


def test_each_mailbox_is_synced_once_an_interval_by_either(cluster: Cluster) -> None:
    boxes = cluster.many.add(MAILBOXES)
    deliver(boxes)
    nodes = {start_node(cluster), start_node(cluster)}
    for interval in range(1, INTERVALS + 1):
        cluster.started.until(lambda interval=interval: cluster.stored() == interval * MAILBOXES)  # type: ignore[misc]
        cluster.ticks(2)
        assert set(cluster.runs().values()) == {interval}
        if set(cluster.storing()) == nodes:
            break
        deliver(boxes)
        cluster.make_due()
    assert set(cluster.storing()) == nodes
    assert cluster.differences(boxes) == []


def deliver(boxes: list[Mailbox]) -> None:
    for box in boxes:
        box.deliver(subject="Hello")
