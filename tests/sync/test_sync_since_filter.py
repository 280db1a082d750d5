"""Where older mail is left out, as little of it is asked for as Microsoft's filter allows."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from flask_ms365 import Change
from flask_ms365.models import Message
from flask_ms365.simulator.journal import RequestRecord
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import folder_of

CREATED, UPDATED, MOVED, REMOVED = Change.CREATED, Change.UPDATED, Change.MOVED, Change.REMOVED

# a filter is good for 9 messages in these tests: 4,500 would take minutes
LIMIT = 10


@pytest.fixture(autouse=True)
def _a_low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.sync.reading.FILTERED", LIMIT)


@pytest.fixture(autouse=True)
def _read_30_days(synced: Synced) -> None:
    read_last(synced, 30)


def read_last(synced: Synced, days: int) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"sync_since": f"{days}"})


def deliver(synced: Synced, *, old: int = 0, young: int = 0) -> None:
    """Deliver messages of forty days ago and of the last days."""
    for number in range(old):
        _deliver(synced, f"Old {number}", days_ago=40)
    for number in range(young):
        _deliver(synced, f"Young {number}", days_ago=number + 1)


def _deliver(synced: Synced, subject: str, *, days_ago: int = 0) -> str:
    received_at = datetime.now(timezone.utc) - timedelta(days=days_ago)
    return synced.mailbox.deliver(subject=subject, text=f"body of {subject}", received_at=received_at)


def asked(synced: Synced, *wanted: str) -> list[RequestRecord]:
    """Return the requests for messages of the inbox that have all of this in their query."""
    inbox = synced.mailbox.folders.find("inbox").id
    requests = [record for record in synced.simulator.requests if inbox in record.path and "/messages" in record.path]
    return [record for record in requests if all(text in record.query for text in wanted)]


def is_filtered(synced: Synced) -> bool:
    (first,) = (record for record in asked(synced, "$select", "$orderby") if record.path.endswith("/delta"))
    return "$filter=receivedDateTime" in first.query


def bodies(synced: Synced) -> dict[str | None, str | None]:
    with synced.host.app.app_context():
        found = synced.session.execute(select(Message.subject, Message.body).where(Message.removed_at.is_(None)))
        return {subject: (body or "").strip() for subject, body in found}


def expected(young: int, *more: str, old: int = 0) -> dict[str, str]:
    subjects = [f"Young {number}" for number in range(young)] + [f"Old {number}" for number in range(old)] + [*more]
    return {subject: f"body of {subject}" for subject in subjects}


# which way


def test_a_folder_of_few_messages_is_read_with_a_filter(synced: Synced) -> None:
    deliver(synced, old=4, young=5)
    synced.sync()

    assert is_filtered(synced)
    assert asked(synced, "$skip=") == []  # nobody had to find out how many there are
    assert bodies(synced) == expected(young=5)


def test_a_folder_of_many_messages_of_which_few_are_wanted_is_read_with_a_filter(synced: Synced) -> None:
    deliver(synced, old=20, young=9)
    synced.sync()

    assert len(asked(synced, f"$skip={LIMIT - 1}", "$top=1", "$select=id&")) == 1
    assert is_filtered(synced)
    assert bodies(synced) == expected(young=9)


def test_a_folder_of_which_too_much_is_wanted_is_read_without_one(synced: Synced) -> None:
    deliver(synced, old=4, young=LIMIT)
    synced.sync()

    assert not is_filtered(synced)
    assert not folder_of(synced, "Inbox").bodies_apart
    assert bodies(synced) == expected(young=LIMIT)


def test_a_folder_that_is_mostly_too_old_is_read_without_its_bodies(synced: Synced) -> None:
    deliver(synced, old=20, young=LIMIT)
    synced.sync()

    assert not is_filtered(synced)
    assert folder_of(synced, "Inbox").bodies_apart
    assert [record for record in asked(synced, "$orderby") if "body&" in record.query] == []
    assert bodies(synced) == expected(young=LIMIT)


def test_no_more_bodies_are_read_than_are_wanted(synced: Synced) -> None:
    deliver(synced, old=40)
    synced.sync()
    before = synced.simulator.count("POST", "/$batch")
    synced.mailbox.expire_cursors("inbox")
    deliver(synced, young=LIMIT)
    synced.sync()

    assert folder_of(synced, "Inbox").bodies_apart
    assert synced.simulator.count("POST", "/$batch") == before + 1  # of ten parts, where one has room for twenty


def test_where_all_mail_is_read_nothing_is_filtered(synced: Synced) -> None:
    read_last(synced, 0)
    deliver(synced, old=20, young=2)
    synced.sync()

    assert not is_filtered(synced)
    assert asked(synced, "$skip=") == []
    assert bodies(synced) == expected(young=2, old=20)


# and later


@pytest.mark.parametrize("old", [4, 20], ids=["filter", "bodies apart"])
def test_what_changes_later_arrives(synced: Synced, old: int) -> None:
    deliver(synced, old=old, young=LIMIT - 1 + (old == 20))
    synced.sync()
    assert folder_of(synced, "Inbox").bodies_apart == (old == 20)
    young = {record.subject: record.id for record in synced.mailbox.messages("inbox")}
    _deliver(synced, "New")
    synced.mailbox.update(young["Young 0"], subject="Edited")
    synced.mailbox.mark_read(young["Young 1"])
    synced.mailbox.move(young["Young 2"], "archive")
    synced.mailbox.delete(young["Young 3"])

    assert synced.sync().changes == {CREATED: 1, UPDATED: 2, MOVED: 1, REMOVED: 1}
    assert bodies(synced)["New"] == "body of New"
    assert bodies(synced)["Edited"] == "body of Young 0"
    assert bodies(synced)["Young 2"] == "body of Young 2"


@pytest.mark.parametrize("old", [4, 20], ids=["filter", "bodies apart"])
def test_old_mail_stays_out_when_it_changes(synced: Synced, old: int) -> None:
    deliver(synced, old=old, young=LIMIT)
    synced.sync()
    by_subject = {record.subject: record.id for record in synced.mailbox.messages("inbox")}
    synced.mailbox.update(by_subject["Old 0"], subject="Edited")
    synced.mailbox.mark_read(by_subject["Old 1"])
    synced.mailbox.move(by_subject["Old 2"], "archive")

    assert synced.sync().changes == {}


@pytest.mark.parametrize("old", [4, 20], ids=["filter", "bodies apart"])
def test_more_days_fetch_the_gap_and_tell_of_each_message_once(synced: Synced, old: int) -> None:
    deliver(synced, old=old, young=LIMIT)
    synced.sync()
    read_last(synced, 60)

    assert synced.sync().changes == {CREATED: old}
    assert len(synced.told) == old + LIMIT
    assert synced.differences() == []


def test_a_folder_that_is_read_again_for_all_mail_gets_its_bodies_with_the_pages(synced: Synced) -> None:
    deliver(synced, old=20, young=LIMIT)
    synced.sync()
    read_last(synced, 0)
    synced.sync()

    assert not folder_of(synced, "Inbox").bodies_apart
    assert synced.differences() == []


def test_mail_that_is_no_longer_wanted_is_followed_when_the_cursor_dies(synced: Synced) -> None:
    read_last(synced, 0)
    deliver(synced, old=3, young=2)
    synced.sync()
    read_last(synced, 30)
    by_subject = {record.subject: record.id for record in synced.mailbox.messages("inbox")}
    synced.mailbox.update(by_subject["Old 0"], subject="Edited")
    synced.mailbox.delete(by_subject["Old 1"])
    synced.mailbox.expire_cursors()

    assert synced.sync().changes == {UPDATED: 1, REMOVED: 1}
    assert synced.differences() == []
