"""A process that dies at any one moment leaves what another one makes as good as if nobody had died.

One story is told in three syncs: first without a crash, and then once for each moment of it, before and after each
request and each commit, with a crash at just that moment and a sync of another process after the lease. Tables must end
equal. Folders are fetched side by side, so moments may come in another order: what counts is the end.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from flask_ms365.models import Attachment, Folder, Message, SetAside
from flask_ms365.simulator import Mailbox, Simulator
from flask_ms365.sync.report import Result
from tests.sync.hooks import Crash, Kind
from tests.sync.world import KEPT, World

# how many moments of each kind are tried; a test below says when the story has more
MOMENTS: dict[Kind, int] = {
    "before request": 50,
    "after request": 50,
    "before commit": 95,
    "after commit": 95,
    "handler": 22,
}
_BEGUN = datetime(2026, 1, 5, 9, tzinfo=timezone.utc)
# what is no mail: numbers that the database gives out, secrets that Graph makes up, and when things were done
_BY_CHANCE = {
    "id",
    "mailbox_id",
    "folder_id",
    "message_id",
    "parent_id",
    "next_link",
    "delta_link",
    "fresh_link",
    "check_link",
    "round",
    "synced_at",
    "removed_at",
    "began_at",
    "checked_at",
    "read_seconds",
    "first_at",
    "next_try_at",
}


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("sqlite", marks=pytest.mark.slow),
        pytest.param("postgresql", marks=[pytest.mark.service, pytest.mark.slow]),
        pytest.param("mariadb", marks=[pytest.mark.service, pytest.mark.slow]),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator() as simulator:
        world = World(tmp_path_factory.mktemp("crashes") / "host", simulator, request.param)
        yield world
        world.end()


class Told(NamedTuple):
    """What the story came to."""

    contents: dict[str, list[dict[str, Any]]]
    reached: Counter[Kind]


@pytest.fixture(scope="module")
def uninterrupted(world: World) -> Told:
    return _tell(world)


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind in MOMENTS for number in range(MOMENTS[kind])])
def test_a_crash_is_made_good_by_the_next_process(world: World, uninterrupted: Told, kind: Kind, number: int) -> None:
    if world.database != "sqlite" and number % 3 and not os.environ.get("MS365_TEST_MOMENTS"):
        pytest.skip("every third moment; MS365_TEST_MOMENTS=all tries all of them on this server")
    assert _tell(world, kind, number).contents == uninterrupted.contents


def test_every_moment_of_the_story_is_tried(uninterrupted: Told) -> None:
    assert {kind: count for kind, count in uninterrupted.reached.items() if count > MOMENTS.get(kind, count)} == {}


def test_the_story_ends_with_the_database_equal_to_the_mailbox(world: World) -> None:
    _tell(world)
    assert world.differences() == []


def _tell(world: World, kind: Kind = "begin", number: int | None = None) -> Told:
    """Tell the story, and let the process die at one moment of it."""
    box = world.begin()
    box.max_page_size = 2
    letters = Letters(box)
    if number is not None:
        world.hooks.plan((kind,), number, world.hooks.crash)
    for chapter in (letters.come, letters.move, letters.are_read_again):
        chapter()
        _sync(world)
    reached = Counter(world.hooks.reached)
    world.hooks.begin()
    # the cursors that are left lead on to what comes next
    letters.come_last()
    _sync(world)
    assert world.run().changes == {}
    return Told(_contents(world), reached)


def _sync(world: World) -> None:
    try:
        result = world.run().result
    except Crash:
        world.hooks.revive()
        result = None
    world.pass_the_lease()
    if result is not Result.DONE:
        assert world.run().result is Result.DONE


class Letters:
    """The story: what happens in a mailbox between the syncs."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._ids: list[str] = []

    def come(self) -> None:
        for _ in range(5):
            self._deliver("inbox")
        for _ in range(3):
            self._deliver("archive")

    def move(self) -> None:
        first, second, third, fourth, fifth, sixth, *_ = self._ids
        self._box.move(first, "archive")
        self._box.move(second, "deleteditems")
        self._box.delete(third)
        self._box.mark_read(fourth)
        self._box.update(fifth, subject="Another subject")
        self._box.move(sixth, "deleteditems")
        self._box.move(sixth, "inbox")
        self._deliver("archive")

    def are_read_again(self) -> None:
        self._box.delete(self._ids[3])
        self._box.move(self._ids[1], "inbox")
        self._box.move(self._ids[6], "inbox")
        self._box.expire_cursors("inbox")
        self._box.expire_cursors("archive", 400, "syncStateInvalid")
        self._deliver("inbox")

    def come_last(self) -> None:
        self._deliver("inbox")
        self._deliver("archive")

    def _deliver(self, folder: str) -> None:
        number = len(self._ids)
        moment = _BEGUN + timedelta(minutes=number)
        one = self._box.deliver(
            subject=f"Letter {number}",
            text=f"Text {number}",
            folder=folder,
            received_at=moment,
            sent_at=moment,
            internet_message_id=f"<{number}@fabrikam.example>",
            attachments=[(f"{number}.txt", "text/plain", b"text")] if number % 3 == 0 else [],
        )
        self._ids.append(one)


def _contents(world: World) -> dict[str, list[dict[str, Any]]]:
    """Return all that is stored, without what chance decides, in an order that it does not decide."""
    with world.app.app_context():
        execute: Callable[..., Any] = world.session.execute
        folders = {row.id: row.graph_id for row in execute(select(Folder.id, Folder.graph_id))}
        messages = {row.id: row.graph_id for row in execute(select(Message.id, Message.graph_id))}
        contents = {}
        for table in (*(model.__table__ for model in (Folder, Message, Attachment, SetAside)), KEPT):
            rows = execute(select(table)).mappings().all()
            contents[str(table)] = sorted((_shown(row, folders, messages) for row in rows), key=str)
    return contents


def _shown(row: Any, folders: dict[int, str], messages: dict[int, str]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in _BY_CHANCE}
    shown["folder"] = folders.get(row.get("folder_id") or row.get("parent_id"))
    shown["message"] = messages.get(row.get("message_id"))
    shown |= {f"has {name}": row[name] is not None for name in ("next_link", "delta_link", "removed_at") if name in row}
    return shown
