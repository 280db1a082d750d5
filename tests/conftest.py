"""Fixtures that every room's tests share: a simulator, a host app, and a visitor with a browser."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from hypothesis import HealthCheck, settings
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.identity.sign_in import Visitor as MicrosoftVisitor
from flask_ms365.simulator import App, Mailbox, Simulator, User
from tests import canary
from tests.team import ADDRESS, Team
from tests.visitor import BASE_URL, Visitor, sign_in_at_microsoft

# how long anything takes is the machine's affair
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_ON_DEMAND = ("slow", "service", "browser")
CALLBACK = f"{BASE_URL}/ms365/oauth/callback"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the default run quick: what is slow, or needs a service or a browser, runs when it is asked for."""
    if os.environ.get("MS365_TEST_REQUIRE") == "all" or config.option.markexpr:
        return
    asked_for = " or ".join(_ON_DEMAND)
    left_out = pytest.mark.skip(reason=f"not in the quick run: -m '{asked_for}', or MS365_TEST_REQUIRE=all")
    for item in items:
        if any(item.get_closest_marker(name) for name in _ON_DEMAND):
            item.add_marker(left_out)


class Clock:
    """The present, movable."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + self._ahead

    def advance(self, **by: float) -> None:
        """Move on by ``timedelta(**by)``."""
        self._ahead += timedelta(**by)


class Host:
    """A host app: what it is made of, and who visits it."""

    def __init__(self, app: Flask, ms365: MS365, db: SQLAlchemy | None) -> None:
        self.app = app
        self.ms365 = ms365
        self.db = db
        # what the host's callables answer; tests change them
        self.user_id: str | None = "ana"
        self.permissions: set[str] = {"manage_settings", "manage_mailboxes", "own_mailbox", "read_mail"}

    def visitor(self) -> Visitor:
        """Return a new browser."""
        return Visitor(self.app)


class _Compiled(BytecodeCache):
    """Templates compiled once a run: each test has an app of its own, and would compile them all again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


@pytest.fixture(autouse=True)
def _compile_templates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Flask.jinja_options, "bytecode_cache", _COMPILED)


def _compile_routes_once() -> None:
    """Let equal routes share what Werkzeug compiles for each: twenty of ours in every app took most of its start."""
    compile_builder, known = Rule._compile_builder, {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        key = (*rule._trace, str(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    Rule._compile_builder = compile_once  # type: ignore[assignment,method-assign]


_compile_routes_once()


@pytest.fixture(autouse=True)
def _no_secret_comes_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold every test to it, whatever else it is about."""
    with canary.watched(monkeypatch) as watch:
        yield
    assert watch.leaks() == []


class _Statements(dict[Any, Any]):
    """SQL compiled once a run: each host has a dialect of its own, and all of them are the same SQLite."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_STATEMENTS = _Statements()
HostFactory = Callable[..., Host]


@cache
def _empty_database() -> bytes:
    """Return the database that a host begins with, made once a run: its tables take as long as the rest of a host."""
    with TemporaryDirectory() as folder:
        MS365(Flask("empty", instance_path=folder))
        return Path(folder, "ms365.sqlite3").read_bytes()


def new_host(
    folder: Path,
    simulator: Simulator,
    clock: Clock,
    *,
    db: SQLAlchemy | None = None,
    options: dict[str, Any] | None = None,
    **config: Any,
) -> Host:
    """Return a host app whose instance is ``folder``; config by keyword, other init_app arguments by ``options``."""
    if db is None:
        config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {"execution_options": {"compiled_cache": _STATEMENTS}})
    if db is None and not folder.exists():
        folder.mkdir()
        (folder / "ms365.sqlite3").write_bytes(_empty_database())
    app = Flask(folder.name, instance_path=str(folder))
    defaults = {
        "SECRET_KEY": "not secret",
        "TESTING": True,
        "MS365_ENCRYPTION_KEYS": generate_key(),
        "MS365_AUTHORITY_URL": simulator.url,
        "MS365_GRAPH_URL": simulator.url,
        "MS365_PUBLIC_BASE_URL": BASE_URL,
        "MS365_JOB_HOOK": "external",
    }
    app.config.update(defaults | config)
    if db is not None:
        db.init_app(app)
    host = Host(app, MS365(clock=clock), db)
    given = {
        "authorize": lambda permission: permission in host.permissions,
        "current_user_id": lambda: host.user_id,
        **(options or {}),
    }
    host.ms365.init_app(app, db=db, **given)
    if db is not None:
        with app.app_context():
            db.create_all()
    return host


def configure(host: Host, simulator: Simulator, registration: App) -> None:
    """Fill in the settings and switch the sync on, as an admin would."""
    settings = {
        "client_id": registration.client_id,
        "client_secret": registration.client_secret,
        "tenant_id": simulator.tenant_id,
        "email_sync": "1",
    }
    with host.app.app_context():
        host.ms365.settings.save(settings, actor="ana")


@pytest.fixture
def simulator(ms365_simulator: Simulator) -> Simulator:
    """Return a Microsoft 365 without users and apps: the fixture that ships with the package."""
    return ms365_simulator


@pytest.fixture
def registration(simulator: Simulator) -> App:
    """Return the app registration of the host app."""
    return simulator.register_app(redirect_uris=[CALLBACK], name="Host")


@pytest.fixture
def ana(simulator: Simulator) -> User:
    return simulator.add_user("ana@contoso.example", name="Ana Ruiz", password="ana")


@pytest.fixture
def mailbox(ana: User) -> Mailbox:
    return ana.mailbox


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_host(tmp_path: Path, simulator: Simulator, clock: Clock) -> HostFactory:
    """Return :func:`new_host` with this test's folder, simulator and clock; its argument is the host's name."""
    return lambda name="host", **given: new_host(tmp_path / name, simulator, clock, **given)


@pytest.fixture
def host(make_host: HostFactory) -> Host:
    """Return a host app that brings nothing: our own SQLite file, nothing configured yet."""
    return make_host()


@pytest.fixture
def configured(host: Host, registration: App, simulator: Simulator) -> Host:
    """Return a host whose admin has filled in the settings and switched the sync on."""
    configure(host, simulator, registration)
    return host


@pytest.fixture
def connected(configured: Host, ana: User) -> Host:
    """Return a configured host where Ana has connected her mailbox, and nothing was synced yet.

    She signed in at Microsoft; our own pages around that have tests of their own, and would take most of the time.
    """
    with configured.app.app_context():
        state = configured.app.extensions["ms365.state"]
        begun = state.connect.begin(user_id="ana", redirect_uri=CALLBACK)
        answer = parse_qs(urlsplit(sign_in_at_microsoft(begun.url, ana)).query)
        visitor = MicrosoftVisitor(binding=begun.binding, user_id="ana", is_allowed=True)
        state.connect.finish(state.sign_in.find(answer), answer, visitor)
    return configured


@pytest.fixture
def team(configured: Host, registration: App, simulator: Simulator, ana: User) -> Team:
    support = simulator.add_user(ADDRESS, name="Support", password="support")
    support.mailbox.deliver(subject="Help")
    return Team(
        host=configured,
        visitor=configured.visitor(),
        app=registration,
        simulator=simulator,
        support=support,
        ana=ana,
    )
