"""The page of one mailbox: folders, days, runs, what was set aside, and who sees what of it."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest

from flask_ms365.models import AuditEvent, Mailbox, Reader, SetAside, SyncRun
from flask_ms365.simulator import Simulator
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.team import LIST
from tests.visitor import BASE_URL
from tests.web.conftest import main
from tests.web.test_mailboxes_list import link, on, receive, statements

MOST = 8


@pytest.fixture
def waiting(configured: Host, clock: Clock) -> Waiting:
    """Return a mailbox of the team, read with the app's own permission."""
    return waiting_mailbox(configured, clock, access="application")


@pytest.fixture
def of_ben(configured: Host, clock: Clock) -> Waiting:
    """Return a person's mailbox that is not the visitor's."""
    return waiting_mailbox(configured, clock, kind="user", owner_id="ben", address="ben@contoso.example")


def path_of(waiting: Waiting) -> str:
    return f"{LIST}/{waiting.mailbox_id}"


def shown(waiting: Waiting, query: str = "") -> str:
    answer = waiting.host.visitor().get(path_of(waiting) + query)
    assert answer.status_code == 200, answer.text
    return main(answer.text)


def run(waiting: Waiting, number: int = 0, **columns: Any) -> None:
    """Add a run that ended ``number`` minutes ago."""
    began = waiting.clock() - timedelta(minutes=number)
    given = {"result": "done", "pages": 1, "created": 0, "updated": 0, "moved": 0, "removed": 0, **columns}
    waiting._add(
        SyncRun(mailbox_id=waiting.mailbox_id, started_at=began, finished_at=began + timedelta(seconds=5), **given)
    )


# state


def test_what_stopped_it_is_told_in_plain_words_with_a_next_step(waiting: Waiting, clock: Clock) -> None:
    since = clock() - timedelta(days=3)
    failed = {"last_result": "failed", "last_error": "It was refused.", "last_error_code": "ErrorAccessDenied"}
    waiting.change(fail_count=3, failing_since=since, **failed)
    page = shown(waiting)
    assert "It was refused." in page
    assert "Let a Microsoft admin limit the app to its mailboxes in Exchange" in page
    assert f"Failed Since {on(since)} . Next try:" in page


def test_the_size_is_told_once_it_was_counted(waiting: Waiting) -> None:
    assert "Size of what is stored" not in shown(waiting)
    waiting.change(stored_bytes=123_456_789)
    assert "Size of what is stored 118 MB" in shown(waiting)


@pytest.mark.parametrize(("size", "said"), [(0, "0 KB"), (2048, "2 KB"), (3 * 2**40, "3,072.0 GB")])
def test_a_size_is_told_as_people_read_it(waiting: Waiting, size: int, said: str) -> None:
    waiting.change(stored_bytes=size)
    assert said in shown(waiting)


def test_how_fast_it_is_read_is_told_while_it_is(waiting: Waiting, clock: Clock) -> None:
    waiting.folder(delta_link=None, began_at=clock(), total_count=9000, read_count=3000, read_seconds=60.0)
    assert "a minute" not in shown(waiting)
    waiting.change(lease_owner="a", lease_expires_at=clock() + timedelta(minutes=1))
    assert "Speed 3,000 messages a minute" in shown(waiting)


# folders


def test_folders_are_listed_with_what_is_read_of_them(waiting: Waiting, clock: Clock) -> None:
    """Weakness 40 of the reference: no state of a folder anywhere."""
    waiting.folder("Inbox", stored=2, well_known_name="inbox", synced_at=clock())
    waiting.folder("Archive", delta_link=None, began_at=clock(), total_count=9000, read_count=3000)
    waiting.folder("Junk", well_known_name="junkemail", delta_link=None)
    waiting.folder("Projects", error_code="ErrorAccessDenied")
    page = shown(waiting)
    assert f"Inbox Read Yes Messages 2 of 2 Last read {on(clock())}" in page
    assert "Archive Read Yes Messages 3,000 of 9,000 Last read Not yet" in page
    assert "Junk Read No Messages 0 Last read Not yet" in page
    assert "Projects Read Could not be read" in page


def test_a_folder_that_is_gone_is_told_only_while_it_holds_mail(waiting: Waiting, clock: Clock) -> None:
    waiting.folder("Old", removed_at=clock())
    waiting.folder("Older", stored=1, removed_at=clock())
    page = shown(waiting)
    assert ("Old Read" in page, "Older Read No Messages 1" in page) == (False, True)


# days and runs


def test_the_days_are_drawn_and_told_as_a_table(waiting: Waiting, clock: Clock) -> None:
    receive(waiting, 3)
    page = waiting.host.visitor().get(path_of(waiting)).text
    assert (page.count("<rect "), "Messages in 30 days: 3, on the busiest day 3" in main(page)) == (30, True)
    assert re.search(rf"Day {clock().day} \w+ {clock().year} Messages 3", main(page))


def test_runs_are_listed_with_what_they_did(waiting: Waiting) -> None:
    run(waiting, created=1234, updated=2, moved=3, removed=4, set_aside=5)
    run(waiting, 10, result="throttled", error="Microsoft asked us to slow down.")
    page = shown(waiting)
    said = "Took 5 seconds New 1,234 Changed 2 Moved 3 Removed 4 Set aside 5 Result Done"
    assert said in page
    assert "Microsoft asked us to wait Microsoft asked us to slow down." in page


def test_older_runs_are_on_further_pages(waiting: Waiting) -> None:
    for number in range(25):
        run(waiting, 30 - number, created=1000 + number)
    first = waiting.host.visitor().get(path_of(waiting)).text
    assert ("1,024" in first, "1,004" in first) == (True, False)
    second = waiting.host.visitor().get(link(first, "next")).text
    assert ("1,004" in second, "1,005" in second) == (True, False)
    assert "1,024" in waiting.host.visitor().get(link(second, "prev")).text


def test_a_run_says_how_many_messages_it_set_aside(connected: Host, mailbox: Any) -> None:
    broken = mailbox.deliver(subject="Broken", folder="archive")
    with connected.app.app_context():
        connected.ms365.sync_mailbox(1)
        mailbox.move(broken, "inbox")
        mailbox.fail_message(broken)
        connected.ms365.sync_mailbox(1)
    path = f"{LIST}/1"
    assert re.search("Set aside [12] Result", main(connected.visitor().get(path).text))


# set aside


def press(waiting: Waiting, verb: str, message: int | None = None) -> str:
    visitor = waiting.host.visitor()
    fields = {"message": str(message)} if message is not None else {"message": None}
    answer = visitor.submit(path_of(waiting), fields, to=f"{path_of(waiting)}/{verb}")
    assert answer.status_code == 303, answer.text
    return main(visitor.get(answer.headers["Location"]).text)


def test_one_message_is_tried_now_and_the_others_wait(waiting: Waiting, clock: Clock) -> None:
    """Weakness 28 of the reference: what failed is neither retried nor listed."""
    folder_id = waiting.folder()
    for subject in ("First", "Second"):
        waiting.set_aside(folder_id, subject)
    assert "They are tried again" in press(waiting, "retry", waiting.all(SetAside.id)[1])
    assert [at <= clock() for at in waiting.all(SetAside.next_try_at)] == [False, True]


def test_a_message_is_skipped_and_that_is_written_down(waiting: Waiting) -> None:
    waiting.set_aside(waiting.folder(), "Re: offer")
    page = press(waiting, "skip", waiting.all(SetAside.id)[0])
    assert "It is skipped" in page
    assert "1 message was skipped. It is not tried again, unless it changes in the mailbox." in page
    assert "Next try Skipped" in page
    assert waiting.actions == [("mailbox.message_skipped", "ana", ADDRESS)]
    audit = main(waiting.host.visitor().get("/ms365/audit").text)
    assert (f"{ADDRESS}: a message that could not be read is skipped" in audit, "offer" in audit) == (True, False)


def test_what_was_skipped_stays_so_when_all_are_tried_again(waiting: Waiting, clock: Clock) -> None:
    folder_id = waiting.folder()
    waiting.set_aside(folder_id, "First", skipped_at=clock())
    waiting.set_aside(folder_id, "Second")
    press(waiting, "retry")
    assert [at is None for at in waiting.all(SetAside.skipped_at)] == [False, True]
    assert [at <= clock() for at in waiting.all(SetAside.next_try_at)] == [False, True]


def test_what_was_skipped_may_be_tried_after_all(waiting: Waiting, clock: Clock) -> None:
    waiting.set_aside(waiting.folder(), "First", skipped_at=clock())
    press(waiting, "retry", waiting.all(SetAside.id)[0])
    assert waiting.all(SetAside.skipped_at) == [None]


def test_a_message_of_another_mailbox_is_not_skipped(waiting: Waiting, of_ben: Waiting) -> None:
    of_ben.set_aside(of_ben.folder())
    assert "There was nothing to do any more" in press(waiting, "skip", waiting.all(SetAside.id)[0])
    assert (waiting.all(SetAside.skipped_at), waiting.all(AuditEvent.action)[-1] != "mailbox.message_skipped") == (
        [None],
        True,
    )


# who sees what


def test_whoever_manages_mailboxes_sees_how_a_person_s_mailbox_is(of_ben: Waiting) -> None:
    of_ben.folder("Inbox", stored=2, well_known_name="inbox")
    run(of_ben, created=1234)
    page = shown(of_ben)
    assert "This mailbox belongs to ben" in page
    assert "Inbox Read Yes Messages 2 of 2" in page
    assert "1,234" in page


def test_of_what_is_in_it_they_learn_nothing(of_ben: Waiting) -> None:
    folder_id = of_ben.folder("Divorce", stored=2, doubt="asked", error_code="ErrorAccessDenied")
    of_ben.set_aside(folder_id, "My lawyer writes")
    page = of_ben.host.visitor().get(path_of(of_ben)).text + of_ben.host.visitor().get(f"{path_of(of_ben)}/live").text
    assert [words for words in ("Divorce", "lawyer") if words in page] == []
    assert "A folder of their own" in page
    assert [verb for verb in ("retry", "skip", "believe", "folders", "restart", "edit") if f"/{verb}" in page] == []


def test_they_are_given_a_message_for_its_owner_where_a_sign_in_is_needed(of_ben: Waiting) -> None:
    assert "Ask ben to sign in" not in shown(of_ben)
    of_ben.change(state="sign_in_needed")
    page = of_ben.host.visitor().get(path_of(of_ben)).text
    assert "Ask ben to sign in Nobody else can. Send them this message." in main(page)
    assert html.unescape(re.findall(r'(?s)id="ms365-please"[^>]*>(.*?)</pre>', page)[0]).splitlines() == [
        "Your mailbox ben@contoso.example needs you to sign in again.",
        "Please open this page and press Sign in again:",
        f"{BASE_URL}/ms365/my-email",
    ]


@pytest.mark.parametrize("columns", [{}, {"kind": "user", "owner_id": "ana"}])
def test_a_mailbox_of_the_team_or_one_s_own_asks_nobody_else(
    configured: Host, clock: Clock, columns: dict[str, Any]
) -> None:
    waiting = waiting_mailbox(configured, clock, state="sign_in_needed", **columns)
    assert "ms365-please" not in waiting.host.visitor().get(path_of(waiting)).text


def test_they_may_pause_and_resume_it(of_ben: Waiting) -> None:
    assert "The mailbox is paused" in press(of_ben, "pause")
    assert of_ben.all(Mailbox.state) == ["paused"]
    assert "The mailbox goes on" in press(of_ben, "resume")
    assert [action for action, _, _ in of_ben.actions] == ["mailbox.paused", "mailbox.resumed"]


@pytest.mark.parametrize("verb", ["retry", "skip", "restart", "folders", "connect", "check", "edit", "process"])
def test_all_else_is_for_its_owner(of_ben: Waiting, verb: str) -> None:
    visitor = of_ben.host.visitor()
    answer = visitor.submit(path_of(of_ben), {"message": "1"}, to=f"{path_of(of_ben)}/{verb}")
    assert answer.status_code == 404


def test_the_owner_sees_the_page_without_managing_any(configured: Host, clock: Clock) -> None:
    mine = waiting_mailbox(configured, clock, kind="user", owner_id="ana")
    folder_id = mine.folder("Private", stored=1)
    mine.set_aside(folder_id, "Mine")
    configured.permissions = {"own_mailbox"}
    page = shown(mine)
    assert ("Private" in page, "Mine" in page, "All mailboxes" in page) == (True, True, False)


# cost


@pytest.mark.parametrize("columns", [{}, {"access": "sign_in"}, {"kind": "user", "owner_id": "ana"}])
def test_the_page_takes_few_statements(configured: Host, clock: Clock, columns: dict[str, Any]) -> None:
    waiting = waiting_mailbox(configured, clock, **columns)
    waiting.folder("Inbox", stored=2)
    run(waiting)
    ran = statements(configured, path_of(waiting))
    assert (len(ran) <= MOST, ran) == (True, ran)


@pytest.mark.parametrize(
    "columns",
    [{}, {"access": "application", "owner_id": "ana"}, {"kind": "user", "owner_id": "ana"}, {"access": "sign_in"}],
)
def test_so_does_that_of_one_in_trouble_with_messages_set_aside(
    configured: Host, clock: Clock, columns: dict[str, Any]
) -> None:
    failing = {"fail_count": 3, "last_result": "failed", "last_error": "No.", "failing_since": clock()}
    waiting = waiting_mailbox(configured, clock, **failing, **columns)
    waiting.set_aside(waiting.folder("Inbox", stored=2))
    for user_id in ("ben", "kim"):
        waiting._add(Reader(mailbox_id=waiting.mailbox_id, kind="user", subject=user_id))
    run(waiting)
    ran = statements(configured, path_of(waiting))
    assert (len(ran) <= MOST, ran) == (True, ran)


def test_the_page_never_talks_to_microsoft(waiting: Waiting, simulator: Simulator) -> None:
    simulator.requests.clear()
    shown(waiting)
    assert len(simulator.requests) == 0
