"""A folder is read again from the start: most of it is as we have it, and what is not is found among that."""

from __future__ import annotations

from flask_ms365 import Change
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, rows, set_aside


def test_nobody_is_told_of_what_is_as_it_was(synced: Synced) -> None:
    deliver(synced, 12)
    synced.sync()
    synced.mailbox.expire_cursors()
    assert (synced.sync().changes, len(synced.told)) == ({}, 12)
    assert synced.differences() == []


def test_one_message_that_changed_is_found_among_many(synced: Synced) -> None:
    ids = deliver(synced, 12)
    synced.sync()
    synced.mailbox.update(ids[5], subject="Changed\0")
    synced.mailbox.expire_cursors()
    assert synced.sync().changes == {Change.UPDATED: 1}
    assert "Changed" in rows(synced)


def test_a_message_that_is_told_twice_is_one(synced: Synced) -> None:
    ids = deliver(synced, 6)
    synced.sync()
    synced.mailbox.mark_read(ids[0], True)
    synced.mailbox.duplicates = True
    synced.mailbox.expire_cursors()
    assert synced.sync().changes == {Change.UPDATED: 1}
    assert synced.differences() == []


def test_a_message_that_no_database_can_name_is_set_aside_among_those_that_are_known(synced: Synced) -> None:
    deliver(synced, 4)
    synced.sync()
    synced.mailbox.deliver(subject="Odd", message_id="m ")
    synced.mailbox.expire_cursors()
    assert synced.sync().changes == {}
    assert list(set_aside(synced).values()) == ["idTooLong"]
