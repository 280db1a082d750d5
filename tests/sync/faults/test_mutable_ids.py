"""Fault 54: a mailbox that gives ids which a move changes. A message is known by more than its id."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from flask_ms365 import Change
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import in_mid_sync, rows


@pytest.fixture(autouse=True)
def _mutable_ids(synced: Synced) -> None:
    synced.mailbox.immutable_ids = False


def _deliver(synced: Synced, number: int, folder: str = "inbox") -> str:
    received_at = datetime(2026, 9, 1, tzinfo=timezone.utc) + timedelta(minutes=number)
    return synced.mailbox.deliver(subject=f"{number}", text="x", folder=folder, received_at=received_at)


@pytest.mark.parametrize(("source", "target"), [("inbox", "archive"), ("archive", "inbox")])
def test_a_move_keeps_the_row_and_takes_the_new_id(synced: Synced, source: str, target: str) -> None:
    """Fault 54, both orders: the new id may be met before the old one is missed."""
    one = _deliver(synced, 1, source)
    _deliver(synced, 2, source)
    synced.sync()
    before = rows(synced)
    moved = synced.mailbox.move(one, target)
    synced.sync()

    assert rows(synced)["1"].id == before["1"].id
    assert rows(synced)["1"].graph_id == moved != one
    assert synced.differences() == []
    told = [change for subject, change in synced.told if subject == "1"]
    assert (told[0], told[-1], told.count(Change.CREATED)) == (Change.CREATED, Change.MOVED, 1)


def test_a_move_there_and_back_keeps_the_row(synced: Synced) -> None:
    """Fault 54, in two runs and in one."""
    one = _deliver(synced, 1)
    synced.sync()
    before = rows(synced)
    one = synced.mailbox.move(one, "archive")
    synced.sync()
    one = synced.mailbox.move(one, "inbox")
    synced.sync()
    one = synced.mailbox.move(one, "archive")
    synced.mailbox.move(one, "inbox")
    synced.sync()

    assert rows(synced)["1"].id == before["1"].id
    assert synced.differences() == []
    assert [change for _, change in synced.told].count(Change.CREATED) == 1


def test_a_move_in_mid_sync_makes_no_doubles(synced: Synced) -> None:
    """Fault 54, while both folders are being read."""
    synced.mailbox.max_page_size = 2
    ids = [_deliver(synced, number) for number in range(8)]
    for number in range(8, 12):
        _deliver(synced, number, "archive")
    in_mid_sync(synced, lambda: [synced.mailbox.move(ids[number], "archive") for number in (0, 7)], at=3)
    synced.sync()
    synced.sync()

    assert synced.differences() == []
    assert len(rows(synced)) == 12


def test_a_move_out_of_what_is_read_and_back_keeps_the_row(synced: Synced) -> None:
    """Fault 54, by way of the waste basket."""
    one = _deliver(synced, 1)
    synced.sync()
    before = rows(synced)
    one = synced.mailbox.move(one, "deleteditems")
    synced.sync()
    assert rows(synced)["1"].removed_at is not None

    synced.mailbox.move(one, "inbox")
    synced.sync()
    assert rows(synced)["1"].id == before["1"].id
    assert synced.differences() == []


def test_two_copies_are_two_messages(synced: Synced) -> None:
    """Fault 54, the other way round: equal in all but the id, and yet two."""
    received_at = datetime(2026, 9, 1, tzinfo=timezone.utc)
    ids = [
        synced.mailbox.deliver(
            subject="Copy",
            text="x",
            received_at=received_at,
            sent_at=received_at,
            internet_message_id="<copy@x.example>",
        )
        for _ in range(2)
    ]
    synced.sync()
    assert synced.differences() == []

    synced.mailbox.move(ids[0], "archive")
    synced.sync()
    assert synced.differences() == []
    assert [change for _, change in synced.told].count(Change.CREATED) == 2


def test_messages_without_message_id_are_not_taken_for_each_other(synced: Synced) -> None:
    """Fault 54, where the ladder has no first rung."""
    raw = b"From: bob@x.example\r\nDate: Tue, 01 Sep 2026 08:00:00 +0000\r\nSubject: %b\r\n\r\nx"
    one = synced.mailbox.deliver(raw % b"One")
    synced.mailbox.deliver(raw % b"Two")
    synced.sync()
    synced.mailbox.move(one, "archive")
    synced.sync()

    assert synced.differences() == []
    assert set(synced.subjects()) == {"One", "Two"}


def test_a_dead_cursor_after_moves_makes_no_doubles(synced: Synced, clock: Clock) -> None:
    """Fault 54 with fault 44: all is read again, under other ids than before."""
    ids = [_deliver(synced, number) for number in range(6)]
    synced.sync()
    before = rows(synced)
    for number in (0, 3):
        synced.mailbox.move(ids[number], "archive")
    synced.mailbox.expire_cursors()
    synced.sync()

    assert {subject: row.id for subject, row in rows(synced).items()} == {s: row.id for s, row in before.items()}
    assert synced.differences() == []
