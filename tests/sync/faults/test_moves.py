"""Fault 46: what is moved, renamed or deleted while it is being read, and folders that cannot be read."""

from __future__ import annotations

import pytest

from flask_ms365 import Change
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import (
    deliver,
    delta_of,
    first_page,
    folder_of,
    in_mid_sync,
    on_sqlite,
    page,
    removal,
    rows,
)

ORDERS = pytest.mark.parametrize(("source", "target"), [("inbox", "archive"), ("archive", "inbox")])


@ORDERS
@pytest.mark.parametrize("number", [0, 5, 9])
def test_a_message_that_moves_in_a_first_reading_is_stored_once(
    synced: Synced, source: str, target: str, number: int
) -> None:
    """Fault 46, both orders of the two folders, before and after the message was read."""
    ids = deliver(synced, 10, source)
    deliver(synced, 4, target)
    in_mid_sync(synced, lambda: synced.mailbox.move(ids[number], target), at=4)
    synced.sync()
    synced.sync()

    assert synced.differences() == []
    assert len(rows(synced)) == 14
    assert not [one for one in synced.told if one[1] is Change.REMOVED]
    assert next(change for subject, change in synced.told if subject == f"{source} {number}") is Change.CREATED


def test_a_message_of_which_nothing_is_known_but_that_it_left_brings_its_file(synced: Synced) -> None:
    """Fault 46: a page of a first reading says so before the folder is read that it went to."""
    projects = synced.mailbox.create_folder("Projects")
    letter = synced.mailbox.deliver(subject="Letter", folder=projects, attachments=[("a.txt", "text/plain", b"a")])
    deliver(synced, 6, "archive")  # the bigger one is read first
    told = page(removal(letter), next_link=first_page(synced, "archive"))
    synced.simulator.fail_next(delta_of(synced, "archive"), 200, told)
    synced.sync()

    assert synced.differences() == []


@ORDERS
def test_a_message_that_moves_in_a_later_reading_keeps_its_row(synced: Synced, source: str, target: str) -> None:
    """Fault 46, both orders, in a round of changes."""
    ids = deliver(synced, 2, source)
    synced.sync()
    before = rows(synced)
    deliver(synced, 6, "archive", first=10)
    deliver(synced, 6, "inbox", first=10)
    in_mid_sync(synced, lambda: synced.mailbox.move(ids[0], target))
    synced.sync()
    synced.sync()

    assert synced.differences() == []
    assert rows(synced)[f"{source} 0"].id == before[f"{source} 0"].id
    assert (f"{source} 0", Change.REMOVED) not in synced.told


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_message_that_goes_out_and_back_in_mid_sync_stays(synced: Synced, is_lost: bool) -> None:
    """Fault 46, out and back."""
    synced.mailbox.lose_round_trips = is_lost
    ids = deliver(synced, 8)

    def out_and_back() -> None:
        for number in (0, 7):
            synced.mailbox.move(ids[number], "archive")
            synced.mailbox.move(ids[number], "inbox")

    in_mid_sync(synced, out_and_back)
    synced.sync()
    synced.sync()

    assert synced.differences() == []
    changes = [change for _, change in synced.told]
    assert (changes.count(Change.CREATED), Change.REMOVED in changes) == (8, False)


@pytest.mark.parametrize("at", [1, 7])
def test_a_folder_that_is_deleted_in_mid_sync_takes_only_its_own_mail(synced: Synced, at: int) -> None:
    """Fault 46, the folder is deleted before and while it is read."""
    synced.mailbox.create_folder("Projects")
    deliver(synced, 6)
    deliver(synced, 6, "Projects")
    in_mid_sync(synced, lambda: synced.mailbox.delete_folder("Projects"), at=at)
    synced.sync()
    synced.sync()

    assert set(synced.subjects()) == {f"inbox {number}" for number in range(6)}
    assert synced.differences() == []


@on_sqlite
def test_a_folder_that_is_renamed_and_moved_in_mid_sync_keeps_its_mail(synced: Synced) -> None:
    """Fault 46, the folder is renamed."""
    folder = synced.mailbox.create_folder("Deep")
    deliver(synced, 6)
    deliver(synced, 6, "Deep")

    def rename() -> None:
        synced.mailbox.rename_folder(folder, "Projects")
        synced.mailbox.move_folder(folder, "archive")

    in_mid_sync(synced, rename)
    synced.sync()
    synced.sync()

    assert synced.differences() == []
    assert folder_of(synced, "Projects").parent_id == folder_of(synced, "Archive").id
    assert Change.REMOVED not in {change for _, change in synced.told}


@on_sqlite
def test_a_renamed_folder_keeps_what_the_delta_did_not_tell(synced: Synced) -> None:
    """Fault 46, an update in part: what is left out is not gone."""
    parent = synced.mailbox.create_folder("Projects")
    folder = synced.mailbox.create_folder("Old", parent=parent)
    synced.sync()
    synced.mailbox.rename_folder(folder, "Deep")
    synced.sync()
    synced.mailbox.deliver(subject="One", text="x", folder=folder)
    synced.sync()

    assert folder_of(synced, "Deep").parent_id == folder_of(synced, "Projects").id
    assert synced.subjects() == {"One": "Deep"}


@on_sqlite
def test_a_folder_that_was_replaced_unseen_is_found_out_within_a_day(synced: Synced, clock: Clock) -> None:
    """Fault 46, deleted and made again under the same name within one round, of which only the new one is told."""
    synced.mailbox.lose_replaced_folders = True
    gone = synced.mailbox.create_folder("Projects")
    synced.mailbox.deliver(subject="Gone", text="x", folder=gone)
    synced.sync()
    synced.mailbox.delete_folder(gone)
    synced.mailbox.deliver(subject="New", text="x", folder=synced.mailbox.create_folder("Projects"))
    synced.sync()
    assert "New" in synced.subjects()

    clock.advance(days=1, minutes=1)
    synced.sync()
    assert synced.subjects() == {"New": "Projects"}


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "ErrorAccessDenied"), (404, "ErrorItemNotFound"), (404, "ErrorSyncFolderNotFound")],
)
def test_a_folder_that_cannot_be_read_keeps_its_mail_and_stops_no_other(synced: Synced, status: int, code: str) -> None:
    """Fault 46, a folder that is listed and refuses to be read."""
    synced.mailbox.create_folder("Projects")
    deliver(synced, 4, "Projects")
    synced.sync()
    synced.mailbox.fail_folder("Projects", status, code)
    deliver(synced, 4, "inbox")
    synced.run()

    assert len(synced.subjects()) == 8
    assert folder_of(synced, "Projects").error_code == code

    synced.mailbox.heal_folder("Projects")
    synced.mailbox.deliver(subject="Projects 9", text="x", folder="Projects")
    synced.sync()
    assert synced.differences() == []
    assert not folder_of(synced, "Projects").error_code


@on_sqlite
def test_folders_come_at_any_depth_with_any_name_over_pages(synced: Synced) -> None:
    """Fault 46, what else there is in a tree: depth, slashes, hidden and search folders."""
    synced.mailbox.max_page_size = 3
    parent = None
    for depth in range(12):
        parent = synced.mailbox.create_folder(f"{depth}/a", parent=parent)
    synced.mailbox.create_folder("Search", search=True)
    synced.mailbox.create_folder("Secret", hidden=True)
    synced.mailbox.deliver(subject="Deepest", text="x", folder=parent or "")
    synced.sync()

    assert synced.subjects() == {"Deepest": "11/a"}
    assert folder_of(synced, "Secret").is_hidden
