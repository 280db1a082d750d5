"""Once a day each folder is compared with what Graph lists: what no delta told is found and made good."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import delete, event, func, select, update

from flask_ms365 import Change
from flask_ms365.graph.client import Select
from flask_ms365.models import Folder, Message, Sighting, write_transaction
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import delta_of, first_page, folder_of, page, rows

CREATED, UPDATED, MOVED, REMOVED = Change.CREATED, Change.UPDATED, Change.MOVED, Change.REMOVED

SLIM = urlencode({"$select": Select.SLIM.value}, safe="$,")


def deliver(synced: Synced, *subjects: str, folder: str = "inbox") -> list[str]:
    return [synced.mailbox.deliver(subject=subject, text="x", folder=folder) for subject in subjects]


def compare(synced: Synced, clock: Clock) -> RunReport:
    """Sync a day later, when a comparison is due; what was asked and told before is forgotten."""
    clock.advance(days=1, minutes=5)
    synced.told.clear()
    synced.simulator.requests.clear()
    return synced.sync()


def spoil(synced: Synced, graph_id: str, **values: Any) -> None:
    """Let our row of a message say something else than Graph."""
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Message).where(Message.graph_id == graph_id).values(**values))


def lose(synced: Synced, graph_id: str) -> None:
    """Delete our row of a message, as if no delta had ever told of it."""
    with synced.host.app.app_context(), write_transaction(synced.session):
        found = select(Message.id).where(Message.graph_id == graph_id).scalar_subquery()
        synced.session.execute(delete(Sighting).where(Sighting.message_id == found))
        synced.session.execute(delete(Message).where(Message.graph_id == graph_id))


def comparisons(synced: Synced) -> int:
    """Return how many folders a comparison was begun with."""
    return sum(SLIM in record.query for record in synced.simulator.requests)


def is_begun(synced: Synced, folder: str) -> bool:
    """Tell whether a comparison of a folder was begun."""
    folder_id = synced.mailbox.folders.find(folder).id
    return any(SLIM in record.query and folder_id in record.path for record in synced.simulator.requests)


def batches(synced: Synced) -> int:
    return synced.simulator.count("POST", "/$batch")


@contextmanager
def statements(synced: Synced) -> Iterator[list[str]]:
    """Note the statements that change a table."""
    noted: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("SELECT", "PRAGMA", "BEGIN")):
            noted.append(statement)

    with synced.host.app.app_context():
        engine = synced.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    yield noted
    event.remove(engine, "before_cursor_execute", note)


# when


def test_each_folder_that_is_read_is_compared_once_a_day(synced: Synced, clock: Clock) -> None:
    synced.sync()
    with synced.host.app.app_context():
        read = synced.session.scalar(select(func.count()).where(Folder.delta_link.is_not(None)))
    compare(synced, clock)
    assert comparisons(synced) == read == 3

    synced.sync()
    assert comparisons(synced) == read


def test_a_folder_that_was_just_read_from_the_start_is_not_compared(synced: Synced) -> None:
    deliver(synced, "One")
    synced.sync()
    synced.sync()

    assert comparisons(synced) == 0


def test_a_folder_that_was_read_again_from_the_start_is_not_compared_for_a_day(synced: Synced, clock: Clock) -> None:
    deliver(synced, "One")
    synced.sync()
    synced.mailbox.expire_cursors()
    compare(synced, clock)
    clock.advance(hours=23)
    synced.sync()
    assert comparisons(synced) == 0

    compare(synced, clock)
    assert comparisons(synced) == 3


def test_a_folder_whose_first_reading_took_longer_than_a_day_is_not_compared(synced: Synced, clock: Clock) -> None:
    synced.mailbox.max_page_size = 1
    deliver(synced, "One", "Two", "Three")
    with stopping_after(synced, "Two"):
        synced.run()

    compare(synced, clock)
    assert not is_begun(synced, "inbox")


# what


def test_a_message_that_no_delta_told_is_created(synced: Synced, clock: Clock) -> None:
    _, lost = deliver(synced, "Kept", "Lost")
    synced.sync()
    lose(synced, lost)

    assert compare(synced, clock).changes == {CREATED: 1}
    assert synced.told == [("Lost", CREATED)]
    assert synced.differences() == []


def test_a_message_whose_way_back_was_lost_is_brought_back(synced: Synced, clock: Clock) -> None:
    one, _ = deliver(synced, "There and back", "Kept")
    synced.sync()
    spoil(synced, one, removed_at=clock(), removed_reason="unselected")

    assert compare(synced, clock).changes == {UPDATED: 1}
    assert synced.differences() == []


def test_a_message_that_changed_unnoticed_is_updated(synced: Synced, clock: Clock) -> None:
    one, _ = deliver(synced, "Right", "Other")
    synced.sync()
    spoil(synced, one, subject="Wrong", body="wrong", change_key="old")

    assert compare(synced, clock).changes == {UPDATED: 1}
    assert synced.told == [("Right", UPDATED)]
    assert synced.differences() == []


def test_a_read_flag_that_was_lost_is_updated_without_reading_the_message(synced: Synced, clock: Clock) -> None:
    (one,) = deliver(synced, "One")
    synced.sync()
    spoil(synced, one, is_read=True)

    assert compare(synced, clock).changes == {UPDATED: 1}
    assert batches(synced) == 0
    assert synced.differences() == []


def test_a_message_that_is_in_another_folder_is_moved(synced: Synced, clock: Clock) -> None:
    (one,) = deliver(synced, "One", folder="archive")
    synced.sync()
    spoil(synced, one, folder_id=folder_of(synced, "Inbox").id)

    assert compare(synced, clock).changes == {MOVED: 1}
    assert synced.differences() == []


def test_a_message_whose_end_was_never_told_is_removed(synced: Synced, clock: Clock) -> None:
    gone, _ = deliver(synced, "Gone", "Kept")
    synced.sync()
    synced.mailbox.delete(gone)
    synced.sync()
    spoil(synced, gone, removed_at=None, removed_reason=None)

    assert compare(synced, clock).changes == {REMOVED: 1}
    assert synced.told == [("Gone", REMOVED)]
    assert rows(synced)["Gone"].removed_at is not None


def test_a_message_that_a_page_left_out_stays(synced: Synced, clock: Clock) -> None:
    deliver(synced, "One", "Two")
    synced.sync()
    nothing, following = page(delta_link=f"{first_page(synced)}?$deltatoken=x"), folder_of(synced, "Inbox").delta_link
    clock.advance(days=1, minutes=5)
    synced.simulator.fail_next(delta_of(synced), 200, page(delta_link=following or ""))  # of the main reading
    synced.simulator.fail_next(delta_of(synced), 200, nothing)  # of the comparison

    assert synced.sync().changes == {}
    assert synced.differences() == []


def test_where_nothing_is_to_repair_no_message_is_read_or_written(synced: Synced, clock: Clock) -> None:
    synced.mailbox.deliver_many(300, body_size=100)
    synced.sync()
    with statements(synced) as changes:
        assert compare(synced, clock).changes == {}

    assert synced.told == []
    assert batches(synced) == 0
    assert [statement for statement in changes if "ms365_message" in statement.split("(")[0]] == []
    assert len(changes) < 40


def test_mail_that_is_too_old_to_be_read_is_not_read_for_it(synced: Synced, clock: Clock) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"sync_since": "30"})
    long_ago = datetime.now(timezone.utc) - timedelta(days=40)
    for number in range(5):
        synced.mailbox.deliver(subject=f"Old {number}", text="x", received_at=long_ago)
    deliver(synced, "Young")
    synced.sync()

    assert compare(synced, clock).changes == {}
    assert batches(synced) == 0


def test_handlers_are_told_of_a_page_that_is_longer_than_a_statement_takes(synced: Synced, clock: Clock) -> None:
    ids = synced.mailbox.deliver_many(600, body_size=100)
    synced.sync()
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Message).values(is_read=True))

    assert compare(synced, clock).changes == {UPDATED: len(ids)}
    assert len(synced.told) == len(ids)


# in the middle


@contextmanager
def stopping_after(synced: Synced, subject: str) -> Iterator[None]:
    """Let the worker shut down after the page that changes a message."""
    stopping, runner = threading.Event(), synced.host.app.extensions["ms365.state"].runner
    runner.is_stopping = stopping.is_set

    @synced.host.ms365.on_message
    def stop(message: Message, change: Change) -> None:
        if message.subject == subject and not is_over:
            stopping.set()

    is_over: list[bool] = []
    yield
    is_over.append(True)
    stopping.clear()


def stopped_in_the_middle(synced: Synced, clock: Clock) -> None:
    """Leave a comparison after two of five pages; each message has something to repair."""
    synced.mailbox.max_page_size = 1
    ids = deliver(synced, *(f"{number}" for number in range(5)))
    synced.sync()
    for graph_id in ids:
        spoil(synced, graph_id, is_read=True)
    clock.advance(days=1, minutes=5)
    synced.told.clear()
    with stopping_after(synced, "1"):
        assert synced.run().result is Result.STOPPED
    assert synced.told == [("0", UPDATED), ("1", UPDATED)]
    assert folder_of(synced, "Inbox").check_link is not None
    synced.simulator.requests.clear()


def let_its_link_die(synced: Synced) -> None:
    dead = f"{first_page(synced)}?$skiptoken=dead"
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(Folder).where(Folder.name == "Inbox").values(check_link=dead))


def test_a_comparison_that_was_stopped_goes_on_at_its_page(synced: Synced, clock: Clock) -> None:
    stopped_in_the_middle(synced, clock)
    synced.sync()

    assert synced.told == [(f"{number}", UPDATED) for number in range(5)]
    assert not is_begun(synced, "inbox")
    assert synced.differences() == []


def test_what_was_met_before_it_was_stopped_counts(synced: Synced, clock: Clock) -> None:
    stopped_in_the_middle(synced, clock)
    synced.sync()

    assert batches(synced) == 0  # nobody had to be asked whether the first two are still there
    assert REMOVED not in {change for _, change in synced.told}


def test_a_dead_link_of_a_comparison_leaves_the_cursor_alone(synced: Synced, clock: Clock) -> None:
    stopped_in_the_middle(synced, clock)
    before = folder_of(synced, "Inbox")
    let_its_link_die(synced)
    synced.sync()

    after = folder_of(synced, "Inbox")
    assert (after.check_link, after.delta_link, after.round) == (None, before.delta_link, before.round)
    deliver(synced, "New")
    assert synced.sync().changes == {CREATED: 1}


def test_a_comparison_whose_link_died_is_made_good_a_day_later(synced: Synced, clock: Clock) -> None:
    stopped_in_the_middle(synced, clock)
    let_its_link_die(synced)
    synced.sync()

    assert compare(synced, clock).changes == {UPDATED: 3}
    assert synced.differences() == []
