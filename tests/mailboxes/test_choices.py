"""What the page of folders asks Microsoft for: the folders themselves, and how much mail a choice means."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.errors import GraphError
from flask_ms365.mailboxes.choices import Choice, Choices, Count
from flask_ms365.models import Folder, Mailbox
from flask_ms365.sync.report import Result
from flask_ms365.sync.since import ALL_MAIL
from tests.mailboxes.choosing import choose, folder_id, mailbox_id, row
from tests.mailboxes.conftest import change, deliver, while_it_waits
from tests.sync.conftest import Synced

MARCH = datetime(2024, 3, 1, tzinfo=timezone.utc)


def choices_of(synced: Synced) -> Choices:
    choices: Choices = synced.host.app.extensions["ms365.state"].choices
    return choices


def list_folders(synced: Synced) -> bool:
    with synced.host.app.app_context():
        return choices_of(synced).list_folders(mailbox_id(synced.host))


def known(synced: Synced) -> set[str]:
    with synced.host.app.app_context():
        return set(synced.session.scalars(select(Folder.name)))


def count(synced: Synced, since: datetime | None, *ticked: str, **given: Any) -> Count:
    choice = Choice(
        reads_new=given.get("reads_new", False),
        shown={folder_id(synced.host, name) for name in ("Inbox", "Archive")} if ticked else (),
        ticked={folder_id(synced.host, name) for name in ticked},
        sync_from=since,
    )
    with synced.host.app.app_context():
        return choices_of(synced).count(mailbox_id(synced.host), choice, since)


# listing


@pytest.mark.parametrize("state", ["connected", "paused"])
def test_folders_are_listed_before_anything_is_read(synced: Synced, state: str) -> None:
    change(synced.host, Mailbox, state=state)
    assert list_folders(synced)
    assert {"Inbox", "Sent Items", "Archive"} <= known(synced)
    assert (row(synced.host).lease_owner, row(synced.host).last_success_at) == (None, None)


def test_and_then_read_as_ever(synced: Synced) -> None:
    list_folders(synced)
    synced.mailbox.deliver(subject="In")
    synced.sync()
    assert synced.subjects() == {"In": "Inbox"}


def test_also_while_the_sync_is_off(synced: Synced) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"email_sync": "0"})
    assert list_folders(synced)


def test_nobody_is_disturbed_who_reads_the_mailbox(synced: Synced) -> None:
    synced.mailbox.deliver(subject="In")
    with while_it_waits(synced) as running:
        assert not list_folders(synced)
    assert (running.result().result, synced.subjects()) == (Result.DONE, {"In": "Inbox"})


def test_a_refusal_leaves_the_mailbox_free(synced: Synced) -> None:
    synced.mailbox.fail(403, "ErrorAccessDenied", times=None)
    with pytest.raises(GraphError):
        list_folders(synced)
    assert (row(synced.host).lease_owner, row(synced.host).fail_count, known(synced)) == (None, 0, set())


# counting


@pytest.fixture
def counted(synced: Synced) -> Synced:
    """Return a mailbox of which one message of four is here."""
    deliver(synced, 1)
    for year in (2020, 2025):
        synced.mailbox.deliver(subject=str(year), received_at=datetime(year, 6, 1, tzinfo=timezone.utc))
    synced.mailbox.deliver(subject="Filed", folder="archive")
    return synced


@pytest.mark.parametrize(
    ("since", "ticked", "expected"),
    [
        (None, ["Inbox"], (3, 1)),
        (MARCH, ["Inbox"], (2, 1)),
        (MARCH, ["Inbox", "Archive"], (3, 1)),
        (None, ["Archive"], (1, 0)),
    ],
)
def test_messages_are_counted_in_chosen_folders_since_a_day(
    counted: Synced, since: datetime | None, ticked: list[str], expected: tuple[int, int]
) -> None:
    found = count(counted, since, *ticked)
    assert (found.since, found.total, found.stored) == (since, *expected)


def test_counting_takes_one_request_and_changes_nothing(counted: Synced) -> None:
    counted.simulator.requests.clear()
    before = row(counted.host)
    count(counted, MARCH, "Inbox", "Archive")
    assert [each.path for each in counted.simulator.requests if each.method == "POST"] == ["/v1.0/$batch"]
    after = row(counted.host)
    assert (after.lease_epoch, after.next_due_at, after.sync_from) == (before.lease_epoch, before.next_due_at, None)


def test_a_folder_that_is_gone_meanwhile_holds_nothing(counted: Synced) -> None:
    projects = counted.mailbox.create_folder("Projects")
    counted.sync()
    counted.mailbox.delete_folder(projects)
    assert count(counted, None, "Inbox", reads_new=True).total == 3


def test_a_folder_that_cannot_be_counted_is_no_zero(counted: Synced) -> None:
    counted.mailbox.fail_folder("archive")
    with pytest.raises(GraphError):
        count(counted, None, "Inbox", "Archive")


# saving at the same time


def test_a_choice_and_a_run_that_ends_do_not_undo_each_other(synced: Synced) -> None:
    with while_it_waits(synced):
        choose(synced, sync_from=ALL_MAIL)
    assert (row(synced.host).sync_from, row(synced.host).lease_owner) == (ALL_MAIL, None)
