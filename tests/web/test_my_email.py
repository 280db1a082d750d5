"""*My email*: how one's own mailbox is, what is read of it and who can see that, and what can be done about it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from flask_ms365.simulator import User
from flask_ms365.sync.since import ALL_MAIL
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import Waiting, waiting_mailbox
from tests.visitor import Visitor
from tests.web.test_mailbox_state import MY_EMAIL, shown

MARCH = datetime(2024, 3, 3, 12, tzinfo=timezone.utc)


@pytest.fixture
def mine(configured: Host, clock: Clock) -> Waiting:
    """Return Ana's mailbox, up to date, read by the app's own permission so that no sign-in is in the way."""
    return waiting_mailbox(configured, clock, kind="user", owner_id="ana", access="application")


def test_who_is_not_connected_is_told_what_is_read_and_what_never_beside_one_button(configured: Host) -> None:
    page = configured.visitor().get(MY_EMAIL).text
    assert page.count("<form") == page.count("Connect your Microsoft 365 mailbox") == 1
    for words in (
        "Read: the messages in the folders that you choose, with their attachments.",
        "Never: your password, calendar, contacts or files. Nothing is sent, changed or deleted in your mailbox.",
    ):
        assert words in page


def test_the_folders_that_are_read_are_named(mine: Waiting) -> None:
    mine.folder("Inbox", well_known_name="inbox")
    mine.folder("Junk", well_known_name="junkemail")
    mine.folder("Sent", stored=2)
    text = shown(mine)
    told = ("What is read Inbox, Sent", "Who can see it hereOnly you", "Choose folders")
    assert [words for words in told if words not in text] == []


def test_of_many_only_some_are_named(mine: Waiting) -> None:
    for number in range(9):
        mine.folder(f"Folder {number}")
    assert "and 4 more" in shown(mine)


def test_before_the_first_sync_it_says_what_will_be_read(mine: Waiting) -> None:
    assert "All folders but Deleted Items, Junk, Drafts and the Outbox" in shown(mine)


@pytest.mark.parametrize(("sync_from", "is_told"), [(MARCH, True), (ALL_MAIL, False), (None, False)])
def test_the_day_that_was_chosen_is_told(mine: Waiting, sync_from: datetime | None, is_told: bool) -> None:
    mine.change(sync_from=sync_from)
    assert ("Mail received since 3 Mar 2024" in shown(mine)) is is_told


def test_what_is_kept_of_folders_that_are_not_read_is_counted_apart(mine: Waiting) -> None:
    mine.folder("Inbox", stored=2)
    mine.folder("Offers", stored=3, selected=False)
    text = shown(mine)
    assert ("2 of 2" in text, "Messages of folders that are not read: 3" in text) == (True, True)


def test_a_failure_is_told_with_since_when_and_the_next_try(mine: Waiting, clock: Clock) -> None:
    failure: dict[str, Any] = {"fail_count": 3, "last_result": "failed", "last_error": "The mailbox is gone."}
    mine.change(failing_since=MARCH, next_due_at=clock() + timedelta(hours=1), **failure)
    text = shown(mine)
    assert ("Failed" in text, "The mailbox is gone." in text) == (True, True)
    assert "Since 3 Mar 2024, 12:00 UTC. Next try:" in text


def test_one_without_success_for_long_says_so(mine: Waiting, clock: Clock) -> None:
    clock.advance(days=2)
    assert "No success for long" in shown(mine)


@pytest.mark.parametrize(
    ("columns", "offered", "not_offered"),
    [
        ({}, {"Sync now", "Pause"}, {"Resume"}),
        ({"state": "paused"}, {"Resume"}, {"Sync now"}),
        ({"state": "sign_in_needed"}, {"Sign in again", "Pause"}, {"Sync now", "Resume"}),
        ({"state": "sign_in_needed", "paused_at": MARCH}, {"Sign in again", "Resume"}, {"Sync now"}),
    ],
)
def test_each_state_offers_what_helps(
    mine: Waiting, columns: dict[str, Any], offered: set[str], not_offered: set[str]
) -> None:
    mine.change(**columns)
    page = mine.host.visitor().get(MY_EMAIL).text
    buttons = {words for words in offered | not_offered if f">{words}</button>" in page}
    assert buttons == offered


def test_what_needs_a_sign_in_says_so_although_it_is_paused(mine: Waiting) -> None:
    mine.change(state="sign_in_needed", paused_at=MARCH, paused_by="ben")
    text = shown(mine)
    assert ("Sign-in needed" in text, "Paused by ben since 3 Mar 2024" in text) == (True, True)


def test_whoever_signs_in_for_a_paused_mailbox_is_told_that_it_is_still_paused(connected: Host, ana: User) -> None:
    visitor: Visitor = connected.visitor()
    visitor.submit(MY_EMAIL, {}, to="/ms365/mailboxes/1/pause")
    assert "The mailbox is paused as before." in visitor.connect(ana).text


def test_the_state_asks_for_itself_again(mine: Waiting) -> None:
    page = mine.host.visitor().get(MY_EMAIL).text
    assert f'data-ms365-live="/ms365/mailboxes/{mine.mailbox_id}/live"' in page
