"""How far a reading has come, from the rows of its folders: n of m, how fast, how long still, how far back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event, select

from flask_ms365.mailboxes.progress import Progress, Reading, in_words, measured, progress_of
from flask_ms365.models import Folder, Mailbox, write_transaction
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.mailboxes.conftest import ids
from tests.sync.conftest import Synced

BEGAN = datetime(2026, 3, 4, 9, tzinfo=timezone.utc)
MARCH = datetime(2024, 3, 3, tzinfo=timezone.utc)


def reading(*, has_ended: bool = False, **columns: Any) -> Reading:
    """Return a folder of 1,000 messages that nobody has begun to read."""
    return Reading(Folder(**{"total_count": 1000, "read_count": 0, "read_seconds": 0.0, **columns}), has_ended)


def under_way(**columns: Any) -> Reading:
    """Return one of which 200 messages were read in ten seconds."""
    return reading(**{"began_at": BEGAN, "read_count": 200, "read_seconds": 10.0, **columns})


def ended(**columns: Any) -> Reading:
    return reading(**{"began_at": BEGAN, "has_ended": True, **columns})


def test_folders_count_together() -> None:
    progress = measured([under_way(), reading(total_count=500), ended(total_count=50)])
    assert (progress.is_under_way, progress.read, progress.total) == (True, 250, 1550)


def test_a_folder_that_was_read_to_the_end_is_full_whatever_it_counted() -> None:
    progress = measured([ended(total_count=80, read_count=100)])
    assert (progress.is_under_way, progress.read, progress.total) == (False, 80, 80)


def test_a_folder_that_nobody_has_begun_is_not_under_way() -> None:
    assert measured([reading()]) == Progress(is_under_way=False, read=0, total=1000, rate=None, oldest=None)


def test_mail_that_came_meanwhile_does_not_make_it_more_than_all() -> None:
    progress = measured([under_way(total_count=150, read_count=200)])
    assert (progress.read, progress.total) == (200, 200)


def test_the_rates_of_the_folders_under_way_add_up() -> None:
    """They are read at once, each on a clock of its own."""
    progress = measured([under_way(), under_way(read_count=400), ended(read_count=9000, read_seconds=1.0)])
    assert progress.rate == 60.0


def test_what_is_left_takes_as_long_as_the_rate_says() -> None:
    assert measured([under_way(), reading()]).seconds_left == 90.0


def test_before_the_first_page_nobody_knows_how_long_it_takes() -> None:
    progress = measured([under_way(read_count=0, read_seconds=0.0)])
    assert (progress.rate, progress.seconds_left, progress.time_left) == (None, None, None)


def test_pages_without_a_message_do_not_make_it_take_for_ever() -> None:
    progress = measured([under_way(read_count=0)])
    assert (progress.rate, progress.seconds_left) == (0.0, None)


def test_where_older_mail_is_left_out_nobody_knows_how_much_there_is() -> None:
    progress = measured([under_way(since=MARCH), ended(since=MARCH, read_count=30)])
    assert (progress.read, progress.total, progress.rate, progress.seconds_left) == (230, None, 20.0, None)


def test_the_oldest_reached_is_the_oldest_of_all_folders_under_way() -> None:
    progress = measured([under_way(oldest_at=BEGAN), under_way(oldest_at=MARCH), under_way(), ended(oldest_at=None)])
    assert progress.oldest == MARCH


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(), "less than a minute left"),
        (timedelta(seconds=59), "less than a minute left"),
        (timedelta(seconds=60), "about 1 minute left"),
        (timedelta(minutes=6, seconds=10), "about 6 minutes left"),
        (timedelta(minutes=89), "about 89 minutes left"),
        (timedelta(minutes=90), "about 2 hours left"),
        (timedelta(hours=47), "about 47 hours left"),
        (timedelta(days=3), "about 3 days left"),
    ],
)
def test_time_is_told_as_roughly_as_it_is_known(left: timedelta, words: str) -> None:
    assert in_words(left.total_seconds()) == words


# from the database


def add_folder(host: Host, mailbox_id: int, name: str, **columns: Any) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        folder = Folder(mailbox_id=mailbox_id, graph_id=f"{mailbox_id}-{name}", name=name, **columns)
        session_of(host).add(folder)


def progress_in(host: Host, *mailbox_ids: int) -> dict[int, Progress]:
    with host.app.app_context():
        return progress_of(session_of(host), mailbox_ids)


def test_only_folders_that_are_read_count(synced: Synced) -> None:
    host, mailbox_id = synced.host, ids(synced.host)[0]
    reached: dict[str, Any] = {"began_at": BEGAN, "read_count": 200, "read_seconds": 10.0, "oldest_at": MARCH}
    add_folder(host, mailbox_id, "Inbox", total_count=1000, well_known_name="inbox", next_link="next", **reached)
    add_folder(host, mailbox_id, "Sent", total_count=50, delta_link="delta", began_at=BEGAN)
    add_folder(host, mailbox_id, "Junk", total_count=7000, well_known_name="junkemail", **reached)
    add_folder(host, mailbox_id, "Gone", total_count=7000, removed_at=BEGAN, **reached)
    assert progress_in(host, mailbox_id) == {
        mailbox_id: Progress(is_under_way=True, read=250, total=1050, rate=20.0, oldest=MARCH)
    }


def test_a_mailbox_without_folders_has_read_nothing(synced: Synced) -> None:
    mailbox_id = ids(synced.host)[0]
    nothing = Progress(is_under_way=False, read=0, total=0, rate=None, oldest=None)
    assert progress_in(synced.host, mailbox_id) == {mailbox_id: nothing}


def test_many_mailboxes_take_one_statement(host: Host) -> None:
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).add_all(
            [
                Mailbox(kind="system", address=f"{number}@contoso.example", created_at=BEGAN, next_due_at=BEGAN)
                for number in range(20)
            ]
        )
    for mailbox_id in ids(host):
        add_folder(host, mailbox_id, "Inbox", total_count=mailbox_id, delta_link="delta")
    with host.app.app_context():
        session, seen = session_of(host), []
        listed = list(session.scalars(select(Mailbox.id)))
        event.listen(session.connection(), "before_cursor_execute", lambda *given: seen.append(given[2]))
        found = progress_of(session, listed)
    assert {mailbox_id: progress.total for mailbox_id, progress in found.items()} == {each: each for each in listed}
    assert (len(found), len(seen)) == (20, 1)


# as the sync counts


def test_a_reading_that_was_stopped_tells_how_far_it_came_and_goes_on_there(synced: Synced) -> None:
    synced.mailbox.deliver_many(500)
    runner = synced.host.app.extensions["ms365.state"].runner
    runner.is_stopping = lambda: bool(synced.told)
    synced.run()
    (half,) = progress_in(synced.host, *ids(synced.host)).values()
    stored = len(synced.subjects())
    assert (half.is_under_way, half.read, half.total, 0 < stored < 500) == (True, stored, 500, True)
    assert (bool(half.rate), half.oldest is not None) == (True, True)

    runner.is_stopping = lambda: False
    synced.sync()
    (whole,) = progress_in(synced.host, *ids(synced.host)).values()
    assert (whole.is_under_way, whole.read, whole.total) == (False, 500, 500)
