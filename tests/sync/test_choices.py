"""What people chose for a mailbox, as the sync follows it: folders, and from when on mail is read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select, update

from flask_ms365 import Change
from flask_ms365.mailboxes.choices import NothingRead
from flask_ms365.models import Folder, Mailbox
from flask_ms365.sync.report import Result
from flask_ms365.sync.since import ALL_MAIL, since_for
from tests.conftest import Clock
from tests.mailboxes.choosing import choose, read_names, row, stored
from tests.mailboxes.conftest import tick, while_it_waits
from tests.sync.conftest import Synced

CREATED = Change.CREATED
LONG_AGO = ALL_MAIL + timedelta(days=1)
# what is read until somebody chooses, of the folders that every mailbox has
BY_DEFAULT = {"Inbox", "Sent Items", "Archive", "Conversation History"}


def deliver(synced: Synced, subject: str, *, days_ago: float = 0, folder: str = "inbox") -> str:
    received_at = datetime.now(timezone.utc) - timedelta(days=days_ago)
    return synced.mailbox.deliver(subject=subject, text="x", folder=folder, received_at=received_at)


def days_ago(days: float) -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=days)


def rounds(synced: Synced) -> set[int]:
    with synced.host.app.app_context():
        return set(synced.session.scalars(select(Folder.round)))


def asked_for(synced: Synced, folder: str) -> bool:
    """Tell whether Microsoft was asked for mail of a folder since the log of requests was cleared."""
    with synced.host.app.app_context():
        graph_id = synced.session.scalar(select(Folder.graph_id).where(Folder.name == folder))
    return any(
        f"/mailFolders/{graph_id}/messages" in each.path or graph_id in each.path for each in synced.simulator.requests
    )


@pytest.fixture
def two_folders(synced: Synced) -> Synced:
    """Return a synced mailbox with a message in the inbox and one in the archive."""
    deliver(synced, "In")
    deliver(synced, "Old offer", folder="archive")
    synced.sync()
    return synced


# folders


def test_until_somebody_chooses_visible_folders_are_read_and_no_waste(two_folders: Synced) -> None:
    assert BY_DEFAULT - {"Conversation History"} <= read_names(two_folders)
    assert not read_names(two_folders) & {"Deleted Items", "Junk Email", "Drafts", "Outbox"}


def test_an_unticked_folder_keeps_what_was_synced_and_is_read_no_more(two_folders: Synced) -> None:
    assert choose(two_folders, {"Inbox"}, reads_new=False)
    deliver(two_folders, "New offer", folder="archive")
    deliver(two_folders, "New")
    two_folders.simulator.requests.clear()
    two_folders.sync()
    assert stored(two_folders) == ["In", "New", "Old offer"]
    assert not asked_for(two_folders, "Archive")


def test_a_folder_ticked_again_fetches_what_is_missing_and_tells_it_once(two_folders: Synced) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    gone = deliver(two_folders, "Came and went", folder="archive")
    deliver(two_folders, "New offer", folder="archive")
    two_folders.sync()
    two_folders.mailbox.delete(gone)
    choose(two_folders, {"Inbox", "Archive"}, reads_new=False)
    two_folders.sync()
    assert stored(two_folders) == ["In", "New offer", "Old offer"]
    assert two_folders.told.count(("New offer", CREATED)) == two_folders.told.count(("Old offer", CREATED)) == 1


def test_also_when_its_cursor_died_meanwhile(two_folders: Synced) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    deliver(two_folders, "New offer", folder="archive")
    two_folders.mailbox.expire_cursors("archive")
    choose(two_folders, {"Inbox", "Archive"}, reads_new=False)
    two_folders.sync()
    assert stored(two_folders) == ["In", "New offer", "Old offer"]
    assert two_folders.told.count(("Old offer", CREATED)) == 1


def test_mail_moved_into_an_unticked_folder_comes_back_when_it_is_ticked(two_folders: Synced) -> None:
    moved = deliver(two_folders, "Moved")
    two_folders.sync()
    choose(two_folders, {"Inbox"}, reads_new=False)
    two_folders.mailbox.move(moved, "archive")
    two_folders.sync()
    assert "Moved" not in stored(two_folders)
    choose(two_folders, {"Inbox", "Archive"}, reads_new=False)
    two_folders.sync()
    assert two_folders.subjects()["Moved"] == "Archive"
    assert two_folders.told.count(("Moved", CREATED)) == 1


@pytest.mark.parametrize(
    ("reads_new", "expected"), [(True, ["In", "In it", "Old offer"]), (False, ["In", "Old offer"])]
)
def test_a_folder_that_nobody_chose_is_read_only_where_new_ones_are(
    two_folders: Synced, reads_new: bool, expected: list[str]
) -> None:
    choose(two_folders, {"Inbox", "Archive"}, reads_new=reads_new)
    deliver(two_folders, "In it", folder=two_folders.mailbox.create_folder("Projects"))
    two_folders.sync()
    assert stored(two_folders) == expected


def test_a_waste_basket_is_read_once_somebody_ticks_it(two_folders: Synced) -> None:
    deliver(two_folders, "Spam", folder="junkemail")
    choose(two_folders, {*BY_DEFAULT, "Junk Email"} & _names(two_folders), reads_new=True)
    two_folders.sync()
    assert "Spam" in stored(two_folders)


def test_all_folders_are_also_those_that_were_not_ticked_until_then(two_folders: Synced) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    choose(two_folders, {"Inbox"}, reads_new=True)
    assert {"Inbox", "Archive", "Sent Items"} <= read_names(two_folders)
    assert "Junk Email" not in read_names(two_folders)


def test_a_folder_unticked_while_all_are_read_stays_out(two_folders: Synced) -> None:
    choose(two_folders, _names(two_folders) - {"Archive"}, reads_new=True)
    choose(two_folders, _names(two_folders) - {"Archive"}, reads_new=True)
    assert "Archive" not in read_names(two_folders)


def test_a_folder_that_was_not_shown_stays_as_it_was(two_folders: Synced) -> None:
    """It came while the page was open: nobody has unticked it."""
    shown = _names(two_folders)
    two_folders.mailbox.create_folder("Projects")
    two_folders.sync()
    choose(two_folders, {"Inbox"}, reads_new=True, shown=shown)
    assert "Projects" in read_names(two_folders)


def test_the_last_of_two_who_save_wins_and_nothing_is_lost(two_folders: Synced) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    choose(two_folders, {"Archive"}, reads_new=False)
    deliver(two_folders, "New offer", folder="archive")
    two_folders.sync()
    assert (read_names(two_folders), stored(two_folders)) == ({"Archive"}, ["In", "New offer", "Old offer"])


@pytest.mark.parametrize("reads_new", [True, False])
def test_a_choice_that_leaves_nothing_to_read_is_refused(two_folders: Synced, reads_new: bool) -> None:
    with pytest.raises(NothingRead):
        choose(two_folders, set(), reads_new=reads_new)
    assert {"Inbox", "Archive"} <= read_names(two_folders)


def test_a_folder_that_cannot_be_read_a_dozen_times_is_read_all_the_same(two_folders: Synced, clock: Clock) -> None:
    """In the reference the eleventh failure switches it off, and that deletes its mail."""
    two_folders.mailbox.fail_folder("archive")
    for _ in range(12):
        two_folders.run()
        clock.advance(hours=2)
    assert ("Archive" in read_names(two_folders), stored(two_folders)) == (True, ["In", "Old offer"])
    two_folders.mailbox.heal_folder("archive")
    deliver(two_folders, "New offer", folder="archive")
    two_folders.sync()
    assert stored(two_folders) == ["In", "New offer", "Old offer"]


def test_a_choice_holds_at_once_for_a_sync_under_way(two_folders: Synced) -> None:
    deliver(two_folders, "New offer", folder="archive")
    with while_it_waits(two_folders) as running:
        choose(two_folders, {"Inbox"}, reads_new=False)
    assert running.result().result is Result.TAKEN
    assert "New offer" not in stored(two_folders)
    tick(two_folders.host)
    assert "New offer" not in stored(two_folders)


def test_the_next_tick_follows_a_choice(two_folders: Synced) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    choose(two_folders, {"Inbox", "Archive"}, reads_new=False)
    deliver(two_folders, "New offer", folder="archive")
    tick(two_folders.host)
    assert "New offer" in stored(two_folders)


def test_looks_ask_for_chosen_folders_alone(two_folders: Synced, clock: Clock) -> None:
    choose(two_folders, {"Inbox"}, reads_new=False)
    tick(two_folders.host)
    due(two_folders)
    two_folders.simulator.requests.clear()
    tick(two_folders.host)
    assert (asked_for(two_folders, "Inbox"), asked_for(two_folders, "Archive")) == (True, False)


# from when on


def test_a_first_sync_reads_from_the_day_that_somebody_chose(synced: Synced) -> None:
    """In the reference the first sync fetches everything, and nobody can choose."""
    deliver(synced, "Old", days_ago=100)
    deliver(synced, "Young", days_ago=5)
    choose(synced, sync_from=days_ago(30))
    synced.sync()
    assert stored(synced) == ["Young"]


def test_an_earlier_day_fetches_what_is_missing_and_tells_it_once(synced: Synced) -> None:
    deliver(synced, "Old", days_ago=100)
    deliver(synced, "Young", days_ago=5)
    choose(synced, sync_from=days_ago(30))
    synced.sync()
    choose(synced, sync_from=days_ago(365))
    synced.sync()
    assert synced.told == [("Young", CREATED), ("Old", CREATED)]


def test_the_next_tick_fetches_it_not_only_a_sync_by_hand(synced: Synced) -> None:
    deliver(synced, "Old", days_ago=100)
    choose(synced, sync_from=days_ago(30))
    synced.sync()
    choose(synced, sync_from=ALL_MAIL)
    tick(synced.host)
    assert stored(synced) == ["Old"]


def test_a_later_day_keeps_what_was_synced(synced: Synced) -> None:
    deliver(synced, "Old", days_ago=100)
    synced.sync()
    choose(synced, sync_from=days_ago(30))
    deliver(synced, "Of the archive", days_ago=60, folder="archive")
    synced.sync()
    assert (stored(synced), rounds(synced)) == (["Old"], {1})


def test_all_mail_is_read_although_the_settings_say_otherwise(synced: Synced) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"sync_since": "30"})
    deliver(synced, "Old", days_ago=9000)
    choose(synced, sync_from=ALL_MAIL)
    synced.sync()
    assert stored(synced) == ["Old"]


def test_saving_never_skips_mail(synced: Synced, clock: Clock) -> None:
    """In the reference each save of a system mailbox moves its day to now, and mail of its broken time is lost."""
    day = days_ago(30)
    choose(synced, sync_from=day)
    synced.sync()
    synced.mailbox.fail(503, times=None)
    for number in range(3):
        deliver(synced, f"Came while it was broken {number}", days_ago=20 - number)
        synced.run()
        choose(synced, {"Inbox", "Archive"} if number % 2 else {"Inbox"}, sync_from=day)
        clock.advance(days=1)
    synced.mailbox.stop_failing()
    due(synced)
    synced.sync()
    assert (len(stored(synced)), row(synced.host).sync_from) == (3, day)


def test_mail_that_came_while_nobody_read_a_folder_is_not_too_old_for_its_day(synced: Synced, clock: Clock) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"sync_since": "10"})
    synced.sync()
    choose(synced, {"Inbox"}, reads_new=False)
    deliver(synced, "Came meanwhile", folder="archive")
    clock.advance(days=40)
    synced.sync()
    choose(synced, {"Inbox", "Archive"}, reads_new=False)
    synced.sync()
    assert stored(synced) == ["Came meanwhile"]


def test_a_choice_that_changes_nothing_wakes_and_records_nothing(two_folders: Synced) -> None:
    before = row(two_folders.host)
    assert not choose(two_folders)
    after = row(two_folders.host)
    assert (after.next_due_at, after.lease_epoch) == (before.next_due_at, before.lease_epoch)


@pytest.mark.parametrize(
    ("chosen", "by_settings", "expected"),
    [(None, None, None), (None, LONG_AGO, LONG_AGO), (ALL_MAIL, LONG_AGO, None), (LONG_AGO, None, LONG_AGO)],
)
def test_what_somebody_chose_goes_before_the_settings(
    chosen: datetime | None, by_settings: datetime | None, expected: datetime | None
) -> None:
    assert since_for(chosen, by_settings) == expected


def _names(synced: Synced) -> set[str]:
    with synced.host.app.app_context():
        return set(synced.session.scalars(select(Folder.name).where(Folder.removed_at.is_(None))))


def due(synced: Synced) -> None:
    """Let the next tick look at the mailbox."""
    with synced.host.app.app_context():
        synced.session.execute(update(Mailbox).values(next_due_at=datetime(2020, 1, 1, tzinfo=timezone.utc)))
        synced.session.commit()
