"""A hundred thousand mailboxes in PostgreSQL: a tick comes by those alone that are due, and takes them in batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import create_engine, event, select, text, update
from sqlalchemy.orm import Session

from bench.crowd import add_crowd
from flask_ms365.models import Mailbox
from flask_ms365.simulator import Simulator
from flask_ms365.sync.lease import claim_due
from tests.conftest import CALLBACK, Clock, configure, new_host
from tests.services import own_database
from tests.sync.many import Many

pytestmark = [pytest.mark.slow, pytest.mark.service]

COUNT = 100_000
_BIG = {"ms365_mailbox", "ms365_connection", "ms365_folder"}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    """Return a host with that many mailboxes, none due but five thousand that wait for a person, some for long."""
    with Simulator() as simulator:
        clock, url = Clock(), own_database("postgresql", "many")
        folder: Path = tmp_path_factory.mktemp("many")
        host = new_host(folder, simulator, clock, db=SQLAlchemy(), SQLALCHEMY_DATABASE_URI=url)
        configure(host, simulator, simulator.register_app(redirect_uris=[CALLBACK]))
        engine = create_engine(url)
        with engine.begin() as connection:
            add_crowd(connection, COUNT)
            add_crowd(connection, 5000, state="sign_in_needed", ahead=timedelta(days=-90))
            connection.execute(text("UPDATE ms365_mailbox SET measured_at = :now"), {"now": clock()})
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
        engine.dispose()
        many = Many(host=host, simulator=simulator, clock=clock)
        many.tick()  # the first one of a process reads and writes what later ones need not
        yield many
        with host.app.app_context():
            many.session.remove()
            many.session.get_bind().dispose()


def rows_met(connection: Any, statement: str, parameters: Any) -> int:
    """Return how many rows of a large table PostgreSQL comes by, in vain or not."""
    plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).scalar_one()
    steps, met = [plan[0]["Plan"]], 0
    while steps:
        step = steps.pop()
        steps += step.get("Plans", [])
        if step.get("Relation Name") in _BIG:
            met += step["Actual Loops"] * (step["Actual Rows"] + step.get("Rows Removed by Filter", 0))
    return met


def test_an_idle_tick_comes_by_no_mailbox_that_is_not_due(many: Many) -> None:
    ran: list[tuple[str, Any]] = []
    with many.host.app.app_context():
        engine = many.session.get_bind()

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        ran.append((statement, parameters))

    many.clock.advance(minutes=45)  # the sync is on for so long that some might be overdue
    event.listen(engine, "before_cursor_execute", note)
    assert many.tick().runs == []
    event.remove(engine, "before_cursor_execute", note)
    many.clock.advance(minutes=-45)

    assert sum("FROM ms365_mailbox" in statement for statement, _ in ran) >= 3
    with engine.connect() as connection:  # nothing of it is committed
        met = {statement: rows_met(connection, statement, parameters) for statement, parameters in ran}
    assert {statement: rows for statement, rows in met.items() if rows} == {}


def test_an_idle_tick_takes_as_many_statements_as_with_no_mailbox(many: Many, configured: Any) -> None:
    with many.statements() as statements:
        many.tick()
    none = Many(host=configured, simulator=many.simulator, clock=many.clock)
    none.tick()
    with none.statements() as of_none:
        none.tick()

    # SQLite needs no statement to know the time
    asked = [statement for statement in statements if "clock_timestamp" not in statement]
    assert len(asked) <= len([statement for statement in of_none if not statement.startswith("BEGIN")])


def test_due_mailboxes_are_taken_and_written_together(many: Many) -> None:
    many.add(60)
    with many.statements() as statements:
        reports = many.tick().runs

    assert len(reports) == 60
    changes = [statement for statement in statements if statement.startswith("UPDATE ms365_mailbox")]
    assert len(changes) == 2


def test_what_one_worker_is_about_to_take_another_does_not_wait_for(many: Many) -> None:
    now = many.clock()
    with many.host.app.app_context():
        engine, first = many.session.get_bind(), select(Mailbox.id).where(Mailbox.state == "connected").limit(20)
        with Session(engine) as session:
            ids = session.scalars(first).all()
            session.execute(update(Mailbox).where(Mailbox.id.in_(ids)).values(next_due_at=now - timedelta(days=1)))
            session.commit()
    with Session(engine) as one, Session(engine) as other:
        one.scalars(select(Mailbox.id).where(Mailbox.id.in_(ids[:5])).with_for_update()).all()
        taken = claim_due(other, owner="other", seconds=90, now=now, limit=10)
    assert len(taken) == 10
    assert set(taken) <= set(ids[5:])
