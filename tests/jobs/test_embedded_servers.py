"""The embedded engine under ``flask run --reload`` and uWSGI."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from flask_ms365.simulator import App, Simulator
from tests.conftest import HostFactory, configure
from tests.jobs.cluster import Cluster, cluster_of, host_over
from tests.jobs.web_server import read_each_letter_once, served
from tests.services import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FLASK = ("flask", "--app", "web:create_app", "--debug", "run", "--reload", "--port", "{port}")
UWSGI = ("uwsgi", "--http-socket", "127.0.0.1:{port}", "--module", "tests.jobs.web_node:create_app()")


@pytest.fixture
def cluster(make_host: HostFactory, simulator: Simulator, registration: App, tmp_path: Path) -> Iterator[Cluster]:
    with host_over("sqlite", make_host, tmp_path) as host:
        configure(host, simulator, registration)
        with cluster_of(host, simulator, tmp_path) as cluster:
            yield cluster


def test_with_the_reloader_only_the_process_that_serves_ticks(cluster: Cluster, tmp_path: Path) -> None:
    code = tmp_path / "web.py"
    code.write_text("from tests.jobs.web_node import create_app\n")
    server = served(cluster, *FLASK, PYTHONPATH=str(tmp_path))
    first = server.until_each_ticks(1)
    assert server.process.pid not in first
    read_each_letter_once(cluster, server)
    code.write_text("from tests.jobs.web_node import create_app  # changed\n")
    cluster.started.until(lambda: server.until_each_ticks(1) != first)
    assert server.process.pid not in server.until_each_ticks(1)


def test_uwsgi_without_threads_is_told_on_the_page(cluster: Cluster) -> None:
    _need_uwsgi()
    server = served(cluster, *UWSGI, "--master", "--die-on-term")
    said = server.answer()
    assert not said["ticks"]
    assert "--enable-threads" in said["problem"]


def test_uwsgi_with_threads_ticks(cluster: Cluster) -> None:
    _need_uwsgi()
    server = served(cluster, *UWSGI, "--master", "--die-on-term", "--enable-threads", "--processes", "2")
    server.until_each_ticks(2)
    read_each_letter_once(cluster, server)
    server.stop()


def _need_uwsgi() -> None:
    if find_spec("pyuwsgi") is None:
        missing("pyuwsgi is not installed")
