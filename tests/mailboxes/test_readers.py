"""Who may read which mailbox, on each database: one's own alone, and of the team's where one was let in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, select

from flask_ms365.directory import HostDirectory
from flask_ms365.mailboxes.readers import Rights, readable, readers_in_words
from flask_ms365.models import Mailbox, Reader
from tests.conftest import Host, HostFactory
from tests.directory import People
from tests.identity.conftest import session_of
from tests.services import own_database
from tests.sync.conftest import empty

NOW = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)
TEAM: dict[str, list[tuple[str, str]]] = {
    "closed": [],
    "desk": [("role", "desk")],
    "sales": [("role", "sales"), ("role", "board")],
    "named": [("user", "kim"), ("user", "ben")],
    "open": [("everyone", "")],
}


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ]
)
def store(request: pytest.FixtureRequest, make_host: HostFactory) -> Iterator[Host]:
    """Yield a host on each database, with mailboxes of people and of the team."""
    db = None if request.param == "sqlite" else SQLAlchemy()
    host = make_host(db=db, **({"SQLALCHEMY_DATABASE_URI": own_database(request.param)} if db else {}))
    for owner in ("ana", "kim", "KIM"):
        add(host, f"{owner}'s", kind="user", owner_id=owner)
    for label, readers in TEAM.items():
        add(host, label, readers)
    add(host, "owned", owner_id="kim")
    add(host, "deleting", [("everyone", "")], state="deleting")
    yield host
    if db is not None:
        with host.app.app_context():
            empty(db)


def add(host: Host, label: str, readers: list[tuple[str, str]] | None = None, **columns: Any) -> int:
    with host.app.app_context():
        session = session_of(host)
        mailbox = Mailbox(
            **{"kind": "system", "label": label, "address": label, "created_at": NOW, "next_due_at": NOW, **columns}
        )
        session.add(mailbox)
        session.flush()
        session.add_all(Reader(mailbox_id=mailbox.id, kind=kind, subject=subject) for kind, subject in readers or ())
        session.commit()
        return mailbox.id


def read_with(host: Host, **rights: Any) -> set[str]:
    closed: dict[str, Any] = {"user_id": "kim", "has_own": False, "reads_team": False, "manages_team": False}
    with host.app.app_context():
        found = select(Mailbox.address).where(readable(Rights(**{**closed, **rights})))
        return set(session_of(host).scalars(found))


READ = {"has_own": True, "reads_team": True}


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ({}, set()),
        ({"has_own": True}, {"kim's"}),
        ({"has_own": True, "user_id": None}, set()),
        ({"has_own": True, "user_id": "nobody"}, set()),
        # the roles of somebody who may not read mail open nothing
        ({"has_own": True, "roles": frozenset({"desk"})}, {"kim's"}),
        (READ, {"kim's", "named", "open", "owned"}),
        ({**READ, "has_own": False}, {"named", "open", "owned"}),
        ({**READ, "roles": frozenset({"desk"})}, {"kim's", "named", "open", "owned", "desk"}),
        (
            {**READ, "roles": frozenset({"desk", "board", "other"})},
            {"kim's", "named", "open", "owned", "desk", "sales"},
        ),
        ({**READ, "user_id": "eve"}, {"open"}),
        ({**READ, "user_id": None}, {"open"}),
        # an id of a user is none of a role, nor the other way round
        ({**READ, "user_id": "desk", "roles": frozenset({"kim"})}, {"open"}),
        ({**READ, "user_id": "", "roles": frozenset({""})}, {"open"}),
        # who manages mailboxes reads the team's, and nobody's own
        ({**READ, "user_id": "ana", "manages_team": True}, {"ana's", *TEAM, "owned"}),
        ({"user_id": "ana", "manages_team": True}, set()),
    ],
)
def test_who_reads_what(store: Host, rights: dict[str, Any], expected: set[str]) -> None:
    assert read_with(store, **rights) == expected


def test_ids_that_differ_in_case_are_different_people(store: Host) -> None:
    """MariaDB and MySQL take them for equal in a column that is not told otherwise; accents too."""
    assert read_with(store, user_id="KIM", has_own=True, reads_team=True) == {"KIM's", "open"}
    assert read_with(store, user_id="kím", has_own=True, reads_team=True, roles=frozenset({"DESK"})) == {"open"}


def test_it_is_one_statement(store: Host) -> None:
    statements: list[str] = []
    with store.app.app_context():
        event.listen(
            session_of(store).get_bind(), "before_cursor_execute", lambda c, cursor, sql, *rest: statements.append(sql)
        )
    read_with(store, **READ, roles=frozenset({"desk"}))
    assert len([sql for sql in statements if sql.startswith("SELECT")]) == 1


def in_words(host: Host, label: str, user_id: str = "ana", directory: HostDirectory | None = None) -> list[str]:
    with host.app.app_context():
        session = session_of(host)
        mailbox = session.query(Mailbox).filter_by(address=label).one()
        people = directory or HostDirectory(directory=People())
        return [str(words) for words in readers_in_words(session, people, mailbox, user_id=user_id)]


MANAGERS = "Those who manage mailboxes"


@pytest.mark.parametrize(
    ("label", "user_id", "expected"),
    [
        ("ana's", "ana", ["Only you"]),
        ("ana's", "kim", ["Only the owner"]),
        ("closed", "ana", [MANAGERS]),
        ("desk", "ana", [MANAGERS, "Whoever has the role Service desk"]),
        # a role that the host has no more is told all the same
        ("sales", "ana", [MANAGERS, "Whoever has the role Sales", "Whoever has the role board"]),
        ("named", "ana", [MANAGERS, "Ben Adeyemi", "Kim Osei"]),
        ("named", "kim", [MANAGERS, "You", "Ben Adeyemi"]),
        ("owned", "kim", [MANAGERS, "You"]),
        ("owned", "ana", [MANAGERS, "Kim Osei"]),
        ("open", "ana", [MANAGERS, "Everyone who may read mail here"]),
    ],
)
def test_who_can_read_it_is_told_in_words(store: Host, label: str, user_id: str, expected: list[str]) -> None:
    assert in_words(store, label, user_id) == expected


def test_without_a_directory_readers_are_told_by_their_ids(store: Host) -> None:
    nobody = HostDirectory(directory=None)
    assert in_words(store, "named", directory=nobody) == [MANAGERS, "ben", "kim"]
    assert in_words(store, "desk", directory=nobody) == [MANAGERS, "Whoever has the role desk"]
