"""What is kept: removed mail for so many days, texts and attachments as the settings say, and how much it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select, text, update

from flask_ms365.models import Attachment, AttachmentContent, Chore, Mailbox, Message, SearchText, write_transaction
from flask_ms365.simulator import Attachment as File
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.mailboxes.conftest import change, disconnect, rows, while_it_waits
from tests.sync.conftest import Synced, synced
from tests.test_cli import as_json

__all__ = ["synced"]

EARLIER = datetime(2020, 1, 1, tzinfo=timezone.utc)
SMALL = File(name="a.txt", content_type="text/plain", content=b"text")
LARGE = File(name="b.bin", content_type="application/octet-stream", content=bytes(2 * 1024 * 1024))


def save(synced: Synced, **settings: object) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({key: str(value) for key, value in settings.items()})


def chore(synced: Synced) -> None:
    """Do what a tick does beside syncing."""
    with synced.host.app.app_context():
        synced.host.app.extensions["ms365.state"].runner.beat()


def subjects(synced: Synced) -> list[Any]:
    return sorted(values(synced, Message.subject))


def values(synced: Synced, column: Any) -> list[Any]:
    with synced.host.app.app_context():
        return list(synced.session.scalars(select(column)))


def deliver(synced: Synced, *names: str, **mail: Any) -> list[str]:
    """Deliver messages and sync; return their ids at Microsoft."""
    found = [synced.mailbox.deliver(subject=name, **{"text": f"Text of {name}", **mail}) for name in names]
    synced.sync()
    return found


def remove(synced: Synced, *graph_ids: str, permanently: bool = True) -> None:
    for each in graph_ids:
        synced.mailbox.delete(each, permanently=permanently)
    synced.sync()


@pytest.fixture
def removed(synced: Synced, clock: Clock) -> Synced:
    """Return a mailbox with *Old*, removed ten days ago, *New*, removed now, and *Here*."""
    old, new, _ = deliver(synced, "Old", "New", "Here", attachments=[SMALL])
    remove(synced, old)
    clock.advance(days=10)
    remove(synced, new)
    return synced


# removed mail


def test_removed_mail_is_kept_for_ever_by_default(removed: Synced, clock: Clock) -> None:
    clock.advance(days=10_000)
    chore(removed)
    assert subjects(removed) == ["Here", "New", "Old"]


def test_removed_mail_goes_after_so_many_days_with_all_that_belongs_to_it(removed: Synced) -> None:
    save(removed, keep_removed=9)
    chore(removed)
    assert subjects(removed) == ["Here", "New"]
    assert rows(removed.host, Attachment) == [2]


def test_mail_that_was_moved_where_nothing_is_read_goes_too(synced: Synced, clock: Clock) -> None:
    save(synced, keep_removed=30)
    remove(synced, *deliver(synced, "Basket"), permanently=False)
    clock.advance(days=29)
    chore(synced)
    assert subjects(synced) == ["Basket"]
    clock.advance(days=2)
    chore(synced)
    assert subjects(synced) == []


def test_what_is_not_removed_is_never_deleted(synced: Synced, clock: Clock) -> None:
    deliver(synced, "Here")
    save(synced, keep_removed=1)
    clock.advance(days=1000)
    chore(synced)
    assert subjects(synced) == ["Here"]


def test_mail_of_a_mailbox_that_was_disconnected_goes_too(removed: Synced) -> None:
    disconnect(removed.host, keep_mail=True)
    save(removed, keep_removed=9)
    chore(removed)
    assert subjects(removed) == ["Here", "New"]


def test_it_goes_also_while_emails_sync_is_off(removed: Synced) -> None:
    save(removed, keep_removed=9, email_sync=0)
    chore(removed)
    assert subjects(removed) == ["Here", "New"]


def test_another_number_of_days_holds_at_the_next_tick(removed: Synced, clock: Clock) -> None:
    save(removed, keep_removed=30)
    chore(removed)
    save(removed, keep_removed=9)
    chore(removed)
    assert subjects(removed) == ["Here", "New"]


def test_mail_that_comes_back_in_time_stays(synced: Synced, clock: Clock) -> None:
    (one,) = deliver(synced, "One")
    remove(synced, one, permanently=False)
    synced.mailbox.move(one, "inbox")
    synced.sync()
    save(synced, keep_removed=1)
    clock.advance(days=1000)
    chore(synced)
    assert subjects(synced) == ["One"]


def test_mail_that_comes_back_after_it_was_deleted_here_is_new(synced: Synced, clock: Clock) -> None:
    save(synced, keep_removed=1)
    (one,) = deliver(synced, "One")
    remove(synced, one, permanently=False)
    clock.advance(days=3)
    chore(synced)
    assert subjects(synced) == []
    synced.mailbox.move(one, "inbox")
    synced.sync()
    assert subjects(synced) == ["One"]
    assert synced.differences() == []


def test_it_goes_in_small_batches_over_many_ticks(
    synced: Synced, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.retention._AT_ONCE", 2)
    monkeypatch.setattr("flask_ms365.mailboxes.steps.A_SECOND", 0.0)
    remove(synced, *deliver(synced, *"abcde"))
    clock.advance(days=10)
    save(synced, keep_removed=9)
    left = []
    for _ in range(4):
        chore(synced)
        left.append(len(subjects(synced)))
    assert left == [3, 1, 0, 0]


def test_a_round_that_is_over_begins_again_the_next_day(removed: Synced, clock: Clock) -> None:
    save(removed, keep_removed=9)
    chore(removed)
    clock.advance(hours=23)
    chore(removed)
    with removed.host.app.app_context(), write_transaction(removed.session):
        long_ago = clock() - timedelta(days=100)
        removed.session.execute(update(Message).where(Message.subject == "New").values(removed_at=long_ago))
    chore(removed)
    assert subjects(removed) == ["Here", "New"]
    clock.advance(hours=2)
    chore(removed)
    assert subjects(removed) == ["Here"]


@contextmanager
def ticket_for(synced: Synced, subject: str, rule: str = "") -> Iterator[None]:
    """Let a record of the host refer to a message for the time of the block."""
    key = "FOREIGN KEY (message_id) REFERENCES ms365_message (id)"
    with synced.host.app.app_context():
        with write_transaction(synced.session):
            synced.session.execute(text(f"CREATE TABLE ticket (message_id INTEGER, {key} {rule})"))
        with write_transaction(synced.session):
            message = select(Message.id).where(Message.subject == subject)
            synced.session.execute(
                text("INSERT INTO ticket VALUES (:id)"), {"id": synced.session.scalars(message).one()}
            )
    yield
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(text("DROP TABLE ticket"))


@pytest.mark.parametrize("rule", ["", "ON DELETE CASCADE", "ON DELETE SET NULL"])
def test_mail_that_a_record_of_the_host_refers_to_stays(synced: Synced, clock: Clock, rule: str) -> None:
    remove(synced, *deliver(synced, "Kept", "Other"))
    clock.advance(days=10)
    save(synced, keep_removed=9)
    with ticket_for(synced, "Kept", rule):
        chore(synced)
        assert subjects(synced) == ["Kept"]
        with synced.host.app.app_context():
            assert synced.session.scalar(text("SELECT count(*) FROM ticket WHERE message_id IS NOT NULL")) == 1


def test_what_a_record_refers_to_is_in_the_way_of_nothing_and_goes_later(
    synced: Synced, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.retention._AT_ONCE", 1)
    remove(synced, *deliver(synced, "Kept", "Other"))
    clock.advance(days=10)
    save(synced, keep_removed=9)
    with ticket_for(synced, "Kept"):
        chore(synced)
        assert subjects(synced) == ["Kept"]
    chore(synced)
    assert subjects(synced) == ["Kept"]
    clock.advance(days=2)
    chore(synced)
    assert subjects(synced) == []


def test_a_sync_under_way_begins_again_rather_than_file_what_is_gone(removed: Synced) -> None:
    save(removed, keep_removed=9)
    with while_it_waits(removed) as running:
        chore(removed)
    assert running.result().result is Result.TAKEN
    removed.sync()
    assert removed.differences() == []


def test_two_processes_do_it_side_by_side(removed: Synced) -> None:
    save(removed, keep_removed=9)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(chore, removed) for _ in range(2)]:
            done.result()
    assert subjects(removed) == ["Here", "New"]


# texts


def test_texts_are_emptied_once_they_are_not_to_be_stored(removed: Synced) -> None:
    save(removed, store_bodies=0)
    chore(removed)
    assert values(removed, Message.body) == [None] * 3
    assert values(removed, Message.body_content_type) == ["text"] * 3


def test_texts_are_emptied_in_small_batches(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.retention._AT_ONCE", 2)
    monkeypatch.setattr("flask_ms365.mailboxes.steps.A_SECOND", 0.0)
    deliver(synced, *"abcde")
    save(synced, store_bodies=0)
    left = []
    for _ in range(4):
        chore(synced)
        left.append(sum(body is not None for body in values(synced, Message.body)))
    assert left == [3, 1, 0, 0]


def test_texts_of_a_time_when_they_were_stored_go_once_they_are_not_again(synced: Synced) -> None:
    for wanted in (0, 1, 0):
        save(synced, store_bodies=wanted)
        deliver(synced, f"Stored {wanted}")
        chore(synced)
    assert values(synced, Message.body) == [None] * 3


def test_search_forgets_texts_that_were_emptied(synced: Synced) -> None:
    deliver(synced, "Subject", text="word " * 100 + "pineapple")
    chore(synced)
    assert "pineapple" in values(synced, SearchText.words)[0]
    save(synced, store_bodies=0)
    for _ in range(2):
        chore(synced)
    assert ["pineapple" in words for words in values(synced, SearchText.words)] == [False]


# contents of attachments


@pytest.fixture
def files(synced: Synced) -> Synced:
    save(synced, store_attachments=5)
    deliver(synced, "One", attachments=[SMALL, LARGE])
    assert rows(synced.host, AttachmentContent) == [2]
    return synced


@pytest.mark.parametrize(("megabytes", "left"), [(6, 2), (5, 2), (1, 1), (0, 0)])
def test_attachments_larger_than_what_is_stored_are_emptied(files: Synced, megabytes: int, left: int) -> None:
    save(files, store_attachments=megabytes)
    chore(files)
    assert rows(files.host, AttachmentContent, Attachment) == [left, 2]


def test_what_was_emptied_is_stored_again_once_it_is_to_be(files: Synced) -> None:
    save(files, store_attachments=0)
    chore(files)
    save(files, store_attachments=5)
    chore(files)
    files.sync()
    assert rows(files.host, AttachmentContent) == [2]


# sizes


def size(synced: Synced) -> int:
    (stored,) = values(synced, Mailbox.stored_bytes)
    return int(stored)


def test_a_mailbox_knows_what_it_takes(files: Synced, clock: Clock) -> None:
    chore(files)
    assert 2 * 1024 * 1024 < size(files) < 2.1 * 1024 * 1024
    assert values(files, Mailbox.measured_at)[0] <= clock()


def test_it_is_measured_again_after_a_day(synced: Synced, clock: Clock) -> None:
    chore(synced)
    assert size(synced) == 0
    deliver(synced, "One", html="".join(f"<p>{number**5}</p>" for number in range(20_000)))
    clock.advance(hours=23)
    chore(synced)
    assert size(synced) == 0
    clock.advance(hours=2)
    chore(synced)
    assert size(synced) > 100_000


def test_a_large_mailbox_is_measured_in_parts(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.steps.A_SECOND", 0.0)
    deliver(synced, *"abcde")
    change(synced.host, Mailbox, measured_at=None, stored_bytes=None)
    for _ in range(2):
        chore(synced)
    whole = size(synced)
    change(synced.host, Mailbox, measured_at=None, stored_bytes=None)
    change(synced.host, Chore, due_at=EARLIER)
    monkeypatch.setattr("flask_ms365.mailboxes.sizes._AT_ONCE", 2)
    for _ in range(4):
        chore(synced)
    assert (whole > 5 * 1500, size(synced)) == (True, whole)


def test_status_tells_programs_the_size(synced: Synced) -> None:
    (before,) = as_json(synced.host, "status")["mailboxes"]
    chore(synced)
    (after,) = as_json(synced.host, "status")["mailboxes"]
    assert (before["stored_bytes"], after["stored_bytes"]) == (None, 0)
