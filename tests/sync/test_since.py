"""How far back mail is read: older mail stays out until somebody wants it, and what is stored is followed for ever."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from msgspec import UNSET
from sqlalchemy import select

from flask_ms365 import Change
from flask_ms365.graph import MessageData
from flask_ms365.graph.types import Body
from flask_ms365.models import Attachment, Folder
from flask_ms365.settings import USE_DEFAULT
from flask_ms365.sync.plan import FolderRef, Known, plan_arrivals
from flask_ms365.sync.since import has_gap, moved_on, since_of
from tests.conftest import Clock
from tests.sync.conftest import Synced

CREATED, UPDATED, MOVED, REMOVED = Change.CREATED, Change.UPDATED, Change.MOVED, Change.REMOVED

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def deliver(synced: Synced, subject: str, *, days_ago: float = 0, folder: str = "inbox") -> str:
    received_at = datetime.now(timezone.utc) - timedelta(days=days_ago)
    return synced.mailbox.deliver(subject=subject, text="x", folder=folder, received_at=received_at)


def read_last(synced: Synced, days: int | None) -> None:
    """Save how many days are read; None for Use default."""
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"sync_since": USE_DEFAULT if days is None else str(days)})


def rounds(synced: Synced) -> set[int]:
    """Return how often folders were begun from the start."""
    with synced.host.app.app_context():
        return set(synced.session.scalars(select(Folder.round)))


def test_older_mail_is_left_out(synced: Synced) -> None:
    read_last(synced, 30)
    deliver(synced, "Old", days_ago=31)
    deliver(synced, "Young", days_ago=29)

    assert synced.sync().changes == {CREATED: 1}
    assert synced.told == [("Young", CREATED)]


def test_all_mail_is_read_unless_somebody_says_otherwise(synced: Synced) -> None:
    deliver(synced, "Very old", days_ago=9000)
    synced.sync()

    assert synced.subjects() == {"Very old": "Inbox"}
    with synced.host.app.app_context():
        assert set(synced.session.scalars(select(Folder.since))) == {None}


def test_attachments_of_left_out_mail_are_not_asked_for(synced: Synced) -> None:
    read_last(synced, 30)
    synced.sync()
    file, old = ("offer.pdf", "application/pdf", b"%PDF"), datetime.now(timezone.utc) - timedelta(days=40)
    synced.mailbox.deliver(subject="Old", text="x", attachments=[file], received_at=old)

    synced.simulator.requests.clear()
    synced.sync()
    assert synced.simulator.count("POST", "/v1.0/$batch") == 0

    read_last(synced, 0)
    synced.sync()
    with synced.host.app.app_context():
        assert synced.session.scalars(select(Attachment.name)).all() == ["offer.pdf"]


def test_stored_mail_is_followed_whatever_its_age(synced: Synced) -> None:
    read, moved, deleted = (deliver(synced, subject, days_ago=400) for subject in ("Read", "Moved", "Deleted"))
    synced.sync()
    read_last(synced, 30)
    synced.mailbox.mark_read(read, True)
    synced.mailbox.move(moved, "archive")
    synced.mailbox.delete(deleted)

    assert synced.sync().changes == {UPDATED: 1, MOVED: 1, REMOVED: 1}
    assert synced.differences() == []


def test_stored_mail_comes_back_from_the_waste_basket_whatever_its_age(synced: Synced) -> None:
    old = deliver(synced, "Old", days_ago=400)
    synced.sync()
    read_last(synced, 30)
    synced.mailbox.delete(old, permanently=False)
    synced.sync()
    synced.mailbox.move(old, "inbox")

    assert synced.sync().changes == {MOVED: 1}
    assert synced.subjects() == {"Old": "Inbox"}


def test_left_out_mail_stays_out_whatever_happens_to_it(synced: Synced) -> None:
    synced.mailbox.lose_round_trips = True
    read_last(synced, 30)
    ids = [deliver(synced, f"Old {number}", days_ago=40) for number in range(5)]
    synced.sync()
    synced.mailbox.mark_read(ids[0], True)
    synced.mailbox.update(ids[1], subject="Edited")
    synced.mailbox.move(ids[2], "archive")
    for folder in ("archive", "inbox"):
        synced.mailbox.move(ids[3], folder)
    synced.mailbox.delete(ids[4])

    assert synced.sync().changes == {}
    assert synced.told == []


def test_old_mail_that_is_moved_into_a_folder_that_is_read_stays_out(synced: Synced) -> None:
    old, young = (deliver(synced, str(days), days_ago=days, folder="junkemail") for days in (40, 20))
    read_last(synced, 30)
    synced.sync()
    synced.mailbox.move(old, "inbox")
    synced.mailbox.move(young, "inbox")

    synced.sync()
    assert synced.told == [("20", CREATED)]


@pytest.mark.parametrize("days", [60, 0, None])
def test_a_larger_number_fetches_the_gap_and_tells_each_message_once(synced: Synced, days: int | None) -> None:
    read_last(synced, 30)
    deliver(synced, "Old", days_ago=45)
    deliver(synced, "Young", days_ago=5)
    synced.sync()
    read_last(synced, days)

    assert synced.sync().changes == {CREATED: 1}
    assert synced.sync().changes == {}
    assert synced.told == [("Young", CREATED), ("Old", CREATED)]
    assert synced.differences() == []


def test_a_day_more_is_a_gap(synced: Synced) -> None:
    read_last(synced, 30)
    deliver(synced, "Old", days_ago=30.5)
    synced.sync()
    read_last(synced, 31)

    assert synced.sync().changes == {CREATED: 1}


def test_mail_left_out_by_a_smaller_number_comes_with_the_larger_one_again(synced: Synced) -> None:
    old = deliver(synced, "Old", days_ago=20, folder="junkemail")
    read_last(synced, 30)
    synced.sync()
    read_last(synced, 10)
    synced.mailbox.move(old, "inbox")
    assert synced.sync().changes == {}

    read_last(synced, 30)
    assert synced.sync().changes == {CREATED: 1}


def test_a_smaller_number_keeps_what_is_stored_and_reads_nothing_again(synced: Synced) -> None:
    deliver(synced, "Old", days_ago=300)
    synced.sync()
    read_last(synced, 30)

    assert synced.sync().changes == {}
    assert synced.subjects() == {"Old": "Inbox"}
    assert rounds(synced) == {1}


def test_time_that_passes_reads_nothing_again(synced: Synced, clock: Clock) -> None:
    read_last(synced, 30)
    deliver(synced, "Young")
    synced.sync()
    for _ in range(3):
        clock.advance(days=20)
        synced.sync()

    assert synced.subjects() == {"Young": "Inbox"}
    assert rounds(synced) == {1}


def test_mail_that_came_while_nobody_read_is_not_too_old(synced: Synced, clock: Clock) -> None:
    read_last(synced, 1)
    synced.sync()
    deliver(synced, "On Friday evening")
    clock.advance(days=3)

    assert synced.sync().changes == {CREATED: 1}


def test_a_dead_cursor_fetches_no_old_mail(synced: Synced) -> None:
    read_last(synced, 30)
    deliver(synced, "Old", days_ago=45)
    deliver(synced, "Young")
    synced.sync()
    synced.mailbox.expire_cursors()

    assert synced.sync().changes == {}
    assert rounds(synced) >= {2}


def test_a_gap_that_was_fetched_in_part_is_fetched_to_the_end(synced: Synced) -> None:
    synced.mailbox.max_page_size = 2
    read_last(synced, 30)
    for number in range(5):
        deliver(synced, f"Old {number}", days_ago=45)
    synced.sync()
    read_last(synced, 0)
    runner = synced.host.app.extensions["ms365.state"].runner
    runner.is_stopping = lambda: len(synced.told) > 1
    synced.run()
    assert 0 < len(synced.told) < 5

    runner.is_stopping = lambda: False
    synced.sync()
    assert sorted(synced.told) == [(f"Old {number}", CREATED) for number in range(5)]


@pytest.mark.parametrize(
    ("received", "is_stored"),
    [(NOW - DAY, True), (NOW, True), (None, True), (UNSET, True), (NOW - DAY - timedelta(seconds=1), False)],
)
def test_a_message_without_a_date_is_not_too_old(received: object, is_stored: bool) -> None:
    item = MessageData(id="m", subject="x", body=Body(content="x"), received_date_time=received)  # type: ignore[arg-type]
    here = FolderRef(id=1, is_selected=True, since=NOW - DAY)

    assert bool(plan_arrivals({"m": item}, {}, here)) is is_stored


def test_a_removed_message_counts_as_known() -> None:
    item = MessageData(id="m", subject="x", body=Body(content="x"), received_date_time=NOW - 9 * DAY)
    here = FolderRef(id=1, is_selected=True, since=NOW - DAY)
    known = Known(id=7, graph_id="m", folder_id=1, change_key=None, is_read=None, removed_at=NOW)

    (write,) = plan_arrivals({"m": item}, {"m": known}, here)
    assert write.change is UPDATED


@pytest.mark.parametrize(("days", "since"), [(0, None), (1, NOW - DAY), (36500, NOW - 36500 * DAY)])
def test_zero_days_stand_for_all_mail(days: int, since: datetime | None) -> None:
    assert since_of(days, NOW) == since


@pytest.mark.parametrize(
    ("since", "wanted", "gap"),
    [
        (None, None, False),
        (None, NOW, False),
        (NOW, None, True),
        (NOW, NOW + DAY, False),
        (NOW, NOW - DAY, True),
        (NOW, NOW - HOUR, False),
    ],
)
def test_a_gap_is_older_mail_than_was_read(since: datetime | None, wanted: datetime | None, gap: bool) -> None:
    assert has_gap(since, wanted) is gap


@pytest.mark.parametrize(
    ("since", "wanted", "synced_at", "moved"),
    [
        pytest.param(None, None, NOW, None, id="all mail"),
        pytest.param(None, NOW - DAY, None, NOW - DAY, id="never read"),
        pytest.param(NOW - 9 * DAY, NOW - DAY, NOW, NOW - DAY, id="time went by"),
        pytest.param(NOW - 9 * DAY, NOW - DAY, NOW - 3 * DAY, NOW - 3 * DAY - HOUR, id="nobody read for a while"),
        pytest.param(NOW - DAY, NOW - DAY - HOUR, NOW, NOW - DAY, id="another clock is behind"),
    ],
)
def test_since_moves_on_but_never_past_the_last_reading(
    since: datetime | None, wanted: datetime | None, synced_at: datetime | None, moved: datetime | None
) -> None:
    assert moved_on(since, wanted, synced_at) == moved
