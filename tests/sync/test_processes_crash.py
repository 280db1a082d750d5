"""Whoever dies in the middle: what a process wrote is there once a conversation, and its message with it.

The story has several pages, replies, a move and a reading from the start; a worker dies at one moment of it, before or
after a commit or within the process itself, and after its lease another one goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select

from flask_ms365.models import Mailbox, Message
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.sync.hooks import Crash, Kind
from tests.sync.world import World

PROCESS = "Open a case"
CASE = Table("crash_case", MetaData(), Column("message_id", Integer), Column("conversation", Text))
CONVERSATIONS = 4
# moments of the story; a test below says when there are more
MOMENTS: dict[Kind, int] = {"before commit": 80, "after commit": 80, "handler": 16}
# of these every eighth in the quick run
_ALL = [(kind, number) for kind in MOMENTS for number in range(MOMENTS[kind])]
_TRIED = [
    pytest.param(kind, number, marks=[] if kind == "handler" or number % 8 == 0 else pytest.mark.slow)
    for kind, number in _ALL
]


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Simulator() as simulator:
        world = World(tmp_path_factory.mktemp("processes") / "host", simulator, request.param)

        @world.ms365.process(PROCESS)
        def open_case(message: Message, options: object) -> None:
            values = {"message_id": message.id, "conversation": message.conversation_id}
            world.session.execute(insert(CASE).values(values))
            world.hooks("handler")  # a moment at which the worker may die

        with world.app.app_context():
            CASE.create(world.session.connection())
            world.session.commit()
        yield world
        with world.app.app_context():
            CASE.drop(world.session.connection())
            world.session.commit()
        world.end()


def tell(
    world: World, kind: Kind = "begin", number: int | None = None, act: Callable[[], object] | None = None
) -> Counter[Kind]:
    """Tell the story, and let the worker die at one moment of it, or ``act``; return the moments that it came by."""
    box = world.begin()
    box.max_page_size = 2
    for name in ("drafts", "junkemail", "outbox", "sentitems", "deleteditems"):
        box.delete_folder(name)
    with world.app.app_context(), world.hooks.away():
        world.session.execute(CASE.delete())
        world.session.commit()
        mailbox_id = world.session.scalars(select(Mailbox.id)).one()
        world.app.extensions["ms365.state"].processes.choose(mailbox_id, PROCESS, None, actor=None)
    if number is not None:
        world.hooks.plan((kind,), number, act or world.hooks.crash)
    ids = [_deliver(world, f"{n}", thread=str(n % CONVERSATIONS), minutes=n) for n in range(6)]
    _sync(world)
    box.move(ids[0], "archive")
    _deliver(world, "late", thread="0", minutes=7)
    _sync(world)
    box.expire_cursors()
    _deliver(world, "last", thread="1", minutes=8)
    _sync(world)
    reached = Counter(world.hooks.reached)
    world.hooks.begin()
    assert world.run().result is Result.DONE
    return reached


def _deliver(world: World, subject: str, *, thread: str, minutes: int) -> str:
    received_at = world.clock() + timedelta(minutes=minutes)
    return world.box.deliver(subject=subject, text=subject, thread=thread, received_at=received_at)


def _sync(world: World) -> None:
    try:
        result = world.run().result
    except Crash:
        world.hooks.revive()
        result = None
    world.pass_the_lease()
    if result is not Result.DONE:
        assert world.run().result is Result.DONE


def cases(world: World) -> Counter[str]:
    """Return conversation -> number of cases whose message is stored."""
    with world.app.app_context():
        found = select(CASE.c.conversation).join(Message, Message.id == CASE.c.message_id)
        return Counter(world.session.scalars(found))


def conversations(world: World) -> set[str]:
    return {record.conversation_id for record in world.box.messages()}


@pytest.mark.parametrize(("kind", "number"), _TRIED)
def test_a_worker_dies_and_each_conversation_is_processed_once(world: World, kind: Kind, number: int) -> None:
    if world.database != "sqlite" and number % 3:
        pytest.skip("every third moment on this server")
    tell(world, kind, number)
    assert cases(world) == Counter(conversations(world))


@pytest.mark.parametrize("number", range(0, 40, 4))
def test_a_worker_that_sleeps_through_its_lease_adds_nothing_to_what_another_did(world: World, number: int) -> None:
    def sleep() -> None:
        world.pass_the_lease()
        assert world.run().result is Result.DONE

    tell(world, "after request", number, sleep)
    assert cases(world) == Counter(conversations(world))


def test_every_moment_of_the_story_is_tried(world: World) -> None:
    reached = tell(world)
    assert len(conversations(world)) == CONVERSATIONS
    assert {kind: reached[kind] for kind in MOMENTS if reached[kind] > MOMENTS[kind]} == {}
