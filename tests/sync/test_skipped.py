"""A message that a person gave up: nothing asks for it again, until Graph says that it changed."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.mailboxes.set_aside import skip, try_again
from flask_ms365.models import Mailbox, SetAside
from tests.conftest import Clock
from tests.sync.conftest import Synced


@pytest.fixture
def broken(synced: Synced) -> str:
    """Return the id of a message that was moved, and cannot be read since; it is set aside."""
    graph_id = synced.mailbox.deliver(subject="Broken", folder="archive")
    synced.sync()
    synced.mailbox.move(graph_id, "inbox")
    synced.mailbox.fail_message(graph_id)
    assert synced.sync().set_aside  # once, or for either folder
    return graph_id


def aside(synced: Synced) -> list[Any]:
    with synced.host.app.app_context():
        columns = (SetAside.id, SetAside.attempts, SetAside.skipped_at)
        return list(synced.session.execute(select(*columns)))


def give_up(synced: Synced, clock: Clock) -> None:
    with synced.host.app.app_context():
        mailbox = synced.session.scalars(select(Mailbox)).one()
        row_id = synced.session.scalars(select(SetAside.id)).one()
        assert skip(synced.session, mailbox, row_id, now=clock(), actor="ana") == 1


def sync_a_day_later(synced: Synced, clock: Clock) -> int:
    """Let everything come due, the comparison too; return how many messages were set aside."""
    clock.advance(days=1, minutes=5)
    return synced.sync().set_aside


def test_without_that_it_is_tried_again(synced: Synced, broken: str, clock: Clock) -> None:
    before = aside(synced)[0].attempts
    sync_a_day_later(synced, clock)
    assert aside(synced)[0].attempts > before


def test_nothing_asks_for_it_again(synced: Synced, broken: str, clock: Clock) -> None:
    give_up(synced, clock)
    before = aside(synced)
    assert [sync_a_day_later(synced, clock) for _ in range(2)] == [0, 0]
    assert aside(synced) == before


def test_a_change_of_it_has_it_read(synced: Synced, broken: str, clock: Clock) -> None:
    give_up(synced, clock)
    synced.mailbox.heal_message(broken)
    synced.mailbox.mark_read(broken)
    synced.sync()
    assert (aside(synced), synced.subjects()) == ([], {"Broken": "Inbox"})


def test_a_person_may_change_their_mind(synced: Synced, broken: str, clock: Clock) -> None:
    give_up(synced, clock)
    synced.mailbox.heal_message(broken)
    with synced.host.app.app_context():
        row = synced.session.scalars(select(SetAside)).one()
        assert try_again(synced.session, row.mailbox_id, now=clock(), row_id=row.id) == 1
    synced.sync()
    assert (aside(synced), synced.subjects()) == ([], {"Broken": "Inbox"})
