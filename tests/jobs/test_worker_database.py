"""The worker while its database is away."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, make_url, text

from flask_ms365.jobs.until_told import UntilTold
from flask_ms365.jobs.worker import tick_until
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import TickReport
from tests.conftest import Host, HostFactory, configure
from tests.services import own_database

pytestmark = pytest.mark.service


def administer(url: str, *statements: str) -> None:
    """Run statements at the server, from outside the database."""
    outside = create_engine(make_url(url).set(database="postgres"), isolation_level="AUTOCOMMIT")
    with outside.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    outside.dispose()


def go_away(url: str) -> None:
    name = make_url(url).database
    administer(
        url,
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    )


def come_back(url: str) -> None:
    administer(url, f"ALTER DATABASE {make_url(url).database} ALLOW_CONNECTIONS true")


def ticked(host: Host, before: dict[int, Callable[[], None]], *, ticks: int) -> list[TickReport | None]:
    """Let the worker tick so often, doing something before some ticks; return the reports, None for one that failed."""
    told = UntilTold(let_go=lambda: None)
    reports: list[TickReport | None] = []

    def tick() -> TickReport:
        before.get(len(reports), lambda: None)()
        reports.append(None)
        if len(reports) == ticks:
            os.kill(os.getpid(), signal.SIGTERM)
            told.wait(10)
        with host.app.app_context():
            report: TickReport = host.app.extensions["ms365.state"].runner.tick(at_once=2)
        reports[-1] = report
        return report

    told.run(lambda: tick_until(told, tick, interval=timedelta(0)))
    return reports


def test_a_database_that_was_away_is_used_again(
    make_host: HostFactory,
    simulator: Simulator,
    registration: App,
    ana: User,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, db = own_database("postgresql"), SQLAlchemy()
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI=url)
    configure(host, simulator, registration)
    host.visitor().connect(ana)
    try:
        reports = ticked(host, {1: lambda: go_away(url), 3: lambda: come_back(url)}, ticks=4)
        assert [report is not None for report in reports] == [True, False, False, True]
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["tick.failed"] * 2
    finally:
        come_back(url)
        with host.app.app_context():  # the next test begins with empty tables
            db.session.execute(text(f"TRUNCATE {', '.join(db.metadata.tables)}"))
            db.session.commit()
            db.engine.dispose()
