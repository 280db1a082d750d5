"""The examples of docs/engines.md, taken out of the document and really run."""

from __future__ import annotations

import re
import shlex
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, update

from flask_ms365.models import Heartbeat, Mailbox, Message, write_transaction
from tests.conftest import Host, HostFactory
from tests.jobs.brokers import own_redis
from tests.jobs.processes import ROOT, Processes, processes
from tests.services import missing, own_database

_DOCUMENT = ROOT / "docs" / "engines.md"
# what an engine finds its broker by, in the environment
Needs = Callable[[pytest.FixtureRequest], dict[str, str]]


def _redis(variable: str) -> Needs:
    return lambda request: {variable: request.getfixturevalue("redis_url")}


def _postgresql(_: pytest.FixtureRequest) -> dict[str, str]:
    url = make_url(own_database("postgresql", f"procrastinate_{uuid.uuid4().hex[:8]}"))
    return {"PGHOST": url.host or "", "PGUSER": url.username or "", "PGDATABASE": url.database or ""}


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A section of the document, and what must be there for it."""

    section: str
    package: str
    needs: Needs = lambda _: {}
    # so many of its commands prepare something; the others stay
    preparations: int = 0

    @property
    def code(self) -> str:
        (code,) = _blocks("python", self._text)
        return code

    @property
    def commands(self) -> list[list[str]]:
        (commands,) = _blocks("sh", self._text)
        return [shlex.split(line) for line in commands.splitlines()]

    @property
    def _text(self) -> str:
        return _DOCUMENT.read_text(encoding="utf-8").partition(f"\n## {self.section}\n")[2].partition("\n## ")[0]


ENGINES = [
    Engine(section="RQ 3", package="rq", needs=_redis("RQ_REDIS_URL")),
    Engine(section="Huey 3", package="huey"),
    Engine(section="Dramatiq 2", package="dramatiq", needs=_redis("REDIS_URL")),
    Engine(section="Procrastinate 3", package="procrastinate", needs=_postgresql, preparations=1),
]


class Example:
    """The example app, run by an engine, over the database of a host app in this process."""

    def __init__(self, host: Host, engine: Engine, started: Processes) -> None:
        self.host = host
        self.started = started
        self.name = engine.package
        self._engine = engine

    def prepare(self) -> None:
        for command in self._engine.commands[: self._engine.preparations]:
            self.started.run(*command)

    def start(self) -> None:
        for command in self._engine.commands[self._engine.preparations :]:
            self.started.start(*command)

    def toggle(self, is_on: bool) -> None:
        """Turn the switch from another process, which tells the hook."""
        told = self.started.run("flask", "--app", "example", "ms365", "settings", "set", "email_sync", str(int(is_on)))
        assert "did not take" not in told

    def call(self, calls: str) -> str:
        """Call the hook from another process; return what was printed."""
        return self.started.run("python", "-c", f"{_HOOK}\n{calls}").strip()

    def subjects(self) -> list[str]:
        with self.host.app.app_context():
            return list(self._session.scalars(select(Message.subject)))

    def ticked_at(self) -> Any:
        with self.host.app.app_context():
            return self._session.scalar(select(func.max(Heartbeat.at)))

    def make_due(self) -> None:
        with self.host.app.app_context(), write_transaction(self._session):
            self._session.execute(update(Mailbox).values(next_due_at=datetime.now(timezone.utc)))

    @property
    def _session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session


_HOOK = """
from example import create_app
app = create_app()
state = app.extensions["ms365.state"]
hook, job = state.hook, state.job
"""


@pytest.fixture
def redis_url() -> Iterator[str]:
    with own_redis() as url:
        yield url


@pytest.fixture
def host(make_host: HostFactory) -> Host:
    """Return a host app in the instance folder that the example has, too, and so over the same database."""
    return make_host("instance")


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.package)
def example(request: pytest.FixtureRequest, connected: Host, tmp_path: Path) -> Iterator[Example]:
    """Yield the example app with one engine; its worker is not started yet."""
    engine = request.param
    if find_spec(engine.package) is None:
        missing(f"{engine.package} is not installed")
    config = connected.app.config
    environment = {
        "FLASK_SECRET_KEY": "not secret",
        "FLASK_MS365_ENCRYPTION_KEYS": config["MS365_ENCRYPTION_KEYS"],
        "FLASK_MS365_AUTHORITY_URL": config["MS365_AUTHORITY_URL"],
        "FLASK_MS365_GRAPH_URL": config["MS365_GRAPH_URL"],
        **engine.needs(request),
    }
    app, *_ = _blocks("python", _DOCUMENT.read_text(encoding="utf-8"))
    (tmp_path / "example.py").write_text(app, encoding="utf-8")
    (tmp_path / "jobs.py").write_text(engine.code, encoding="utf-8")
    with processes(tmp_path, environment, cwd=tmp_path) as started:
        example = Example(connected, engine, started)
        example.prepare()
        yield example


def _blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
