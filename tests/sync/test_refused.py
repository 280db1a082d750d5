"""A value that a database cannot take is told from a database that is in trouble, whichever it is."""

from __future__ import annotations

from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from flask_ms365.models import Message
from flask_ms365.models.insert import insert_rows
from flask_ms365.sync.refused import is_refused_value
from tests.sync.conftest import Synced
from tests.sync.test_databases import place, sent, store

_MEGABYTE = 2**20


def _refusal(synced: Synced, *changed: dict[str, Any]) -> DBAPIError | None:
    """Store rows with these values; return what the database said against it."""
    with synced.host.app.app_context():
        row = {**place(synced), "graph_id": "m", "recipients": [], "categories": []}
        try:
            insert_rows(synced.session, Message.__table__, [{**row, **values} for values in changed])
            synced.session.commit()
        except DBAPIError as exc:
            synced.session.rollback()
            return exc
        return None


def _engine(synced: Synced) -> Any:
    with synced.host.app.app_context():
        return synced.session.get_bind()


def _is(synced: Synced, family: str) -> bool:
    return str(_engine(synced).dialect.name) in {"mysql": ("mysql", "mariadb")}.get(family, (family,))


def test_an_id_that_is_too_long_is_refused_where_columns_have_a_length(synced: Synced) -> None:
    refusal = _refusal(synced, {"graph_id": "x" * 2049})

    assert refusal is None if _is(synced, "sqlite") else refusal and is_refused_value(refusal)


def test_an_id_that_is_not_ascii_is_refused_by_mariadb(synced: Synced) -> None:
    refusal = _refusal(synced, {"graph_id": "é"})

    assert refusal is None or (_is(synced, "mysql") and is_refused_value(refusal))


def test_nul_is_refused_by_postgresql(synced: Synced) -> None:
    refusal = _refusal(synced, {"subject": "a\0b"})

    assert refusal is None or (_is(synced, "postgresql") and is_refused_value(refusal))


@pytest.mark.slow
def test_a_body_of_30_mb_is_stored_or_refused_and_the_next_message_stored(synced: Synced) -> None:
    """Fault 52."""
    refusal = _refusal(synced, {"body": "<p>'" * (30 * _MEGABYTE // 4)})

    assert refusal is None or (_is(synced, "mysql") and is_refused_value(refusal))
    assert _refusal(synced, {"graph_id": "next"}) is None


@pytest.mark.slow
def test_a_body_that_is_too_large_is_recognised_within_its_page(synced: Synced) -> None:
    refusal = _refusal(synced, {"graph_id": "small"}, {"body": "x" * 70 * _MEGABYTE}, {"graph_id": "last"})

    assert refusal is None or (_is(synced, "mysql") and is_refused_value(refusal))


def test_the_same_message_twice_is_no_refused_value(synced: Synced) -> None:
    store(synced, sent(id="m"))
    refusal = _refusal(synced, {"graph_id": "m"})

    assert refusal is not None
    assert not is_refused_value(refusal)


def test_a_row_that_another_holds_is_no_refused_value(synced: Synced) -> None:
    """Fault 38."""
    store(synced, sent(id="m"))
    engine = _engine(synced)
    hurry = {
        "sqlite": "PRAGMA busy_timeout=1",
        "postgresql": "SET lock_timeout='10ms'",
        "mariadb": "SET innodb_lock_wait_timeout=1",
    }
    with Session(engine) as one, Session(engine) as other:
        other.execute(text(hurry[engine.dialect.name]))
        one.execute(text("UPDATE ms365_message SET subject='one'"))
        with pytest.raises(DBAPIError) as held:
            other.execute(text("UPDATE ms365_message SET subject='other'"))
    engine.dispose()  # so that nobody else is in a hurry

    assert not is_refused_value(held.value)


def test_a_deadlock_is_no_refused_value(synced: Synced) -> None:
    """Fault 38."""
    engine = _engine(synced)
    if _is(synced, "sqlite"):
        return  # it has one lock, and so no deadlock
    store(synced, sent(id="a"), sent(id="b"))
    with Session(engine) as session:
        one, other = session.scalars(select(Message.id))
    assert _deadlock(engine, one, other) == [False]


def _deadlock(engine: Any, one: int, other: int) -> list[bool]:
    """Let two sessions wait for each other; return what is thought of the error that one of them gets."""
    both, found = Barrier(2), []

    def take(first: int, second: int) -> None:
        with Session(engine) as session:
            try:
                for row_id in (first, second):
                    session.execute(text("UPDATE ms365_message SET subject='x' WHERE id=:id"), {"id": row_id})
                    if row_id == first:
                        both.wait(timeout=10)
            except DBAPIError as exc:
                found.append(is_refused_value(exc))

    threads = [Thread(target=take, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_database_that_is_away_is_no_refused_value(synced: Synced) -> None:
    """Fault 38."""
    url = _engine(synced).url
    away = url.set(database="/nowhere/a.db") if url.get_backend_name() == "sqlite" else url.set(port=1)
    with pytest.raises(DBAPIError) as lost:
        create_engine(away).connect()

    assert not is_refused_value(lost.value)


def test_a_connection_that_was_killed_is_no_refused_value(synced: Synced) -> None:
    """Fault 38."""
    engine = _engine(synced)
    if _is(synced, "sqlite"):
        return  # it has no connection to kill
    own, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mariadb": ("SELECT CONNECTION_ID()", "KILL {}"),
    }[engine.dialect.name]
    with Session(engine) as one, Session(engine) as other:
        number = one.scalar(text(own))
        other.execute(text(kill.format(number)))
        with pytest.raises(DBAPIError) as lost:
            one.execute(text("UPDATE ms365_message SET subject='x'"))

    assert not is_refused_value(lost.value)
