"""What a mailbox's page and *My email* show of a reading, and what people answer there."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import event

from flask_ms365.models import Folder, SetAside
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.visitor import Visitor
from tests.web.conftest import main

MARCH = datetime(2024, 3, 3, 12, tzinfo=timezone.utc)
MY_EMAIL = "/ms365/my-email"

# a mailbox of the team and one's own, each with the page that shows it
MAILBOXES: dict[str, dict[str, Any]] = {
    "of the team": {"kind": "system"},
    "one's own": {"kind": "user", "owner_id": "ana"},
}


@pytest.fixture(params=MAILBOXES)
def waiting(host: Host, clock: Clock, request: pytest.FixtureRequest) -> Waiting:
    return waiting_mailbox(host, clock, **MAILBOXES[request.param])


@pytest.fixture
def team_mailbox(host: Host, clock: Clock) -> Waiting:
    return waiting_mailbox(host, clock)


def page_of(waiting: Waiting) -> str:
    """Return the address of the page that shows the mailbox."""
    is_own = waiting.row().owner_id == "ana"
    return MY_EMAIL if is_own else f"/ms365/mailboxes/{waiting.mailbox_id}"


def shown(waiting: Waiting) -> str:
    """Return the page as people read it: without tags."""
    answer = waiting.host.visitor().get(page_of(waiting))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))


def believe_path(waiting: Waiting, folder_id: int) -> str:
    return f"/ms365/mailboxes/{waiting.mailbox_id}/folders/{folder_id}/believe"


def retry_path(waiting: Waiting) -> str:
    return f"/ms365/mailboxes/{waiting.mailbox_id}/retry"


def press(waiting: Waiting, path: str, visitor: Visitor | None = None) -> str:
    """Press a button on the mailbox's page; return what the page says then."""
    visitor = visitor or waiting.host.visitor()
    answer = visitor.submit(page_of(waiting), {}, to=path)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, page_of(waiting))
    return main(visitor.get(answer.headers["Location"]).text)


# progress


def begin(waiting: Waiting, **columns: Any) -> None:
    """Let a reading of 80,000 messages be under way for a while."""
    reached: dict[str, Any] = {"read_count": 12_400, "read_seconds": 62.0, "oldest_at": MARCH, **columns}
    waiting.folder("Inbox", total_count=80_000, delta_link=None, began_at=MARCH, **reached)


def test_a_reading_under_way_is_told_with_what_is_left(configured: Host, waiting: Waiting, clock: Clock) -> None:
    begin(waiting)
    waiting.change(lease_owner="a worker", lease_expires_at=clock() + timedelta(minutes=1))
    text = shown(waiting)
    assert "12,400 of 80,000 messages · about 6 minutes left · back to 3 Mar 2024" in text


def test_the_bar_has_a_name_and_goes_as_far_as_the_reading(waiting: Waiting) -> None:
    begin(waiting)
    page = waiting.host.visitor().get(page_of(waiting)).text
    assert '<progress class="ms365-progress" aria-label="Messages read" value="12400" max="80000">' in page


@pytest.mark.parametrize("state", ["paused", "sign_in_needed"])
def test_nobody_is_told_how_long_it_takes_while_nothing_goes_on(waiting: Waiting, state: str) -> None:
    begin(waiting)
    waiting.change(state=state)
    text = shown(waiting)
    assert ("12,400 of 80,000 messages" in text, "left" in text) == (True, False)


def test_where_older_mail_is_left_out_only_what_was_read_is_told(waiting: Waiting) -> None:
    begin(waiting, since=MARCH)
    page = waiting.host.visitor().get(page_of(waiting)).text
    assert ("<progress" in page, "12,400 messages so far · back to 3 Mar 2024" in shown(waiting)) == (False, True)


def test_a_mailbox_that_was_read_says_how_much_of_it_is_here(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=2)
    assert "2 of 2" in shown(waiting)


# doubt


def test_a_doubt_is_asked_about_in_plain_words(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=2, doubt="asked")
    text = shown(waiting)
    assert "Microsoft says that Inbox is empty. 2 messages of it are stored here. Nothing was removed." in text
    assert "They are gone: mark them as removed (Inbox)" in text


def test_nobody_is_asked_without_a_doubt(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=2, doubt="believed")
    assert "They are gone" not in shown(waiting)


def test_a_folder_s_name_is_no_html(waiting: Waiting) -> None:
    waiting.folder("<img src=x>", doubt="asked", error_code="ErrorAccessDenied")
    page = waiting.host.visitor().get(page_of(waiting)).text
    assert ("<img" in page, page.count("&lt;img src=x&gt;") >= 3) == (False, True)


def test_the_button_keeps_the_answer_and_leads_back(waiting: Waiting) -> None:
    folder_id = waiting.folder("Inbox", doubt="asked")
    assert "The next sync asks Microsoft for each of these messages" in press(waiting, believe_path(waiting, folder_id))
    assert (waiting.doubts, waiting.is_due) == (["believed"], True)
    assert waiting.actions == [("mailbox.removal_believed", "ana", ADDRESS)]


def test_the_button_wakes_the_worker(team_mailbox: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int | None] = []
    state = team_mailbox.host.app.extensions["ms365.state"]
    monkeypatch.setattr(state, "hook", _Woken(woken))
    press(team_mailbox, believe_path(team_mailbox, team_mailbox.folder("Inbox", doubt="asked")))
    assert woken == [team_mailbox.mailbox_id]


class _Woken:
    """A host's scheduler that remembers what it was asked."""

    def __init__(self, woken: list[int | None]) -> None:
        self._woken = woken

    def wake(self, mailbox_id: int | None = None) -> None:
        self._woken.append(mailbox_id)


def test_the_second_of_two_who_press_is_told_so(waiting: Waiting) -> None:
    path = believe_path(waiting, waiting.folder("Inbox", doubt="asked"))
    first, second = waiting.host.visitor(), waiting.host.visitor()
    press(waiting, path, first)
    waiting.folder("Sent", doubt="asked")  # so that the second page has a form at all
    assert "There was nothing to do any more" in press(waiting, path, second)
    assert (waiting.doubts, len(waiting.actions)) == (["believed", "asked"], 1)


def test_the_audit_log_says_what_was_believed(waiting: Waiting) -> None:
    press(waiting, believe_path(waiting, waiting.folder("Inbox", doubt="asked")))
    audit = waiting.host.visitor().get("/ms365/audit").text
    assert f"{ADDRESS}: the missing mail of a folder taken for removed" in audit


# set aside


def test_messages_set_aside_are_listed_with_their_reason(waiting: Waiting, clock: Clock) -> None:
    folder_id = waiting.folder("Inbox")
    waiting.set_aside(folder_id, "Re: offer", received_at=MARCH, attempts=3)
    waiting.set_aside(folder_id, None, code="ErrorNew", next_try_at=clock())
    text = shown(waiting)
    assert "2 messages could not be read or stored. They are tried again, and hold up no others." in text
    assert "Re: offer Received: 3 Mar 2024, 12:00 UTC" in text
    assert "Microsoft says that it is damaged.ErrorCorruptData" in text
    assert "(no subject)" in text
    assert "Microsoft answered with an error.ErrorNew" in text
    assert "With the next sync" in text


def test_a_well_mailbox_shows_no_trouble(waiting: Waiting) -> None:
    waiting.folder("Inbox", stored=1)
    text = shown(waiting)
    assert [words for words in ("set aside", "could not be read", "really gone") if words in text] == []


def test_the_button_tries_them_again(waiting: Waiting, clock: Clock) -> None:
    waiting.set_aside(waiting.folder("Inbox"))
    assert "They are tried again" in press(waiting, retry_path(waiting))
    assert (waiting.all(SetAside.next_try_at)[0] <= clock(), waiting.is_due) == (True, True)


def test_a_long_list_says_that_it_is_not_all(team_mailbox: Waiting) -> None:
    folder_id = team_mailbox.folder("Inbox")
    for number in range(51):
        team_mailbox.set_aside(folder_id, f"Message {number}")
    text = shown(team_mailbox)
    assert ("51 messages could not be read" in text, "Only those that are tried next are shown." in text) == (
        True,
        True,
    )


# folders


def test_a_folder_that_could_not_be_read_is_told(waiting: Waiting) -> None:
    waiting.folder("Projects", error_code="ErrorAccessDenied")
    assert "Projects Microsoft does not let this app read it.ErrorAccessDenied" in shown(waiting)


# who may

PATHS: dict[str, Callable[[Waiting], str]] = {
    "believe": lambda waiting: believe_path(waiting, waiting.all(Folder.id)[0]),
    "retry": retry_path,
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("columns", "permissions", "status"),
    [
        ({"kind": "system"}, {"own_mailbox"}, 404),
        ({"kind": "system"}, {"read_mail"}, 403),
        ({"kind": "user", "owner_id": "ben"}, {"own_mailbox", "manage_mailboxes", "read_mail"}, 404),
        ({"kind": "user", "owner_id": "ana"}, {"manage_mailboxes"}, 404),
        ({"kind": "user", "owner_id": "ana", "state": "disconnected"}, {"own_mailbox"}, 404),
        ({"kind": "user", "owner_id": "ana", "state": "deleting"}, {"own_mailbox"}, 404),
    ],
)
def test_only_those_whose_mailbox_it_is_may_answer(
    host: Host, clock: Clock, path: str, columns: dict[str, Any], permissions: set[str], status: int
) -> None:
    waiting = waiting_mailbox(host, clock, **columns)
    waiting.set_aside(waiting.folder("Inbox", doubt="asked"))
    visitor = host.visitor()
    visitor.get("/ms365/settings")
    host.permissions = permissions
    assert visitor.post(PATHS[path](waiting)).status_code == status
    assert (waiting.doubts, waiting.all(SetAside.next_try_at)[0] > clock()) == (["asked"], True)


@pytest.mark.parametrize("path", PATHS)
def test_a_page_that_was_open_too_long_changes_nothing(waiting: Waiting, clock: Clock, path: str) -> None:
    waiting.set_aside(waiting.folder("Inbox", doubt="asked"))
    answer = waiting.host.visitor().post(PATHS[path](waiting), data={"csrf_token": "expired"})
    assert (answer.status_code, "open too long" in answer.text) == (400, True)
    assert (waiting.doubts, waiting.all(SetAside.next_try_at)[0] > clock(), waiting.is_due) == (["asked"], True, False)


# cost


def statements(waiting: Waiting) -> int:
    visitor, path, seen = waiting.host.visitor(), page_of(waiting), []
    visitor.get(path)
    with waiting.host.app.app_context():
        engine = waiting.host.app.extensions["sqlalchemy"].engine

    def listen(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)

    event.listen(engine, "before_cursor_execute", listen)
    assert visitor.get(path).status_code == 200
    event.remove(engine, "before_cursor_execute", listen)
    return len(seen)


def test_more_of_everything_costs_no_more_statements(waiting: Waiting) -> None:
    waiting.set_aside(waiting.folder("Inbox", stored=1, doubt="asked", error_code="ErrorAccessDenied"))
    few = statements(waiting)
    for number in range(20):
        folder_id = waiting.folder(f"Folder {number}", stored=1, doubt="asked", error_code="ErrorAccessDenied")
        waiting.set_aside(folder_id, f"Message {number}")
    begin(waiting, graph_id="under way")
    assert (statements(waiting), few <= 12) == (few, True)
