"""The embedded engine under gunicorn, in each way that it serves: every worker ticks, each mailbox is synced once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from flask_ms365.models import Mailbox
from flask_ms365.simulator import App, Simulator
from tests.conftest import HostFactory, configure
from tests.jobs.cluster import Cluster, cluster_of, host_over
from tests.jobs.processes import PATIENCE
from tests.jobs.web_server import read_each_letter, read_each_letter_once, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GUNICORN = ("gunicorn", "--bind", "127.0.0.1:{port}", "tests.jobs.web_node:create_app()")


@pytest.fixture
def cluster(make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Path) -> Iterator[Cluster]:
    with host_over("sqlite", make_host, tmp_path) as host:
        configure(host, simulator, registration)
        with cluster_of(host, simulator, tmp_path) as cluster:
            yield cluster


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        ("--workers 4", {}),
        ("--workers 4 --preload", {}),
        ("--workers 4 --preload", {"WARM": "the master ticks, and forks in the middle of it"}),
        ("--workers 2 --worker-class gthread --threads 4", {}),
        ("--workers 2 --worker-class gevent", {}),
    ],
    ids=["sync", "preload", "preload, warm", "gthread", "gevent"],
)
def test_every_worker_ticks_and_each_mailbox_is_synced_once(
    cluster: Cluster, options: str, environment: dict[str, str]
) -> None:
    server = served(cluster, *GUNICORN, *options.split(), **environment)
    count = int(options.split()[1])
    workers = server.until_each_ticks(count)
    read_each_letter_once(cluster, server)
    assert server.until_each_ticks(count) == workers  # none has died meanwhile
    assert server.stop() == 0


def test_workers_that_come_and_go_read_each_letter_once(cluster: Cluster) -> None:
    server = served(cluster, *GUNICORN, "--workers", "2", "--max-requests", "5")
    workers = server.until_each_ticks(2)
    read_each_letter(cluster, server)
    assert server.until_each_ticks(3) - workers
    assert server.stop() == 0


def test_told_to_stop_in_mid_sync_it_ends_in_five_seconds_and_lets_go(cluster: Cluster) -> None:
    (box,) = cluster.many.add(1)
    box.deliver(subject="Later")
    server = served(cluster, *GUNICORN, "--workers", "1")
    with box.hold() as traffic:
        server.until_each_ticks(1)
        assert traffic.wait_for(1, timeout=PATIENCE)
        assert server.stop() == 0
    with cluster.host.app.app_context():
        assert cluster.many.session.scalars(select(Mailbox.lease_owner)).all() == [None]
