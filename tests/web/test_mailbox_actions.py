"""The buttons of a mailbox, on its own page and on *My email*: sync now, pause, resume, start over."""

from __future__ import annotations

from typing import Any

import pytest

from flask_ms365.models import Folder, Mailbox
from tests.conftest import Clock, Host
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox
from tests.web.conftest import main
from tests.web.test_mailbox_state import MAILBOXES, _Woken, page_of, shown

VERBS = ("sync", "pause", "resume", "restart")


@pytest.fixture(params=MAILBOXES)
def waiting(host: Host, clock: Clock, request: pytest.FixtureRequest) -> Waiting:
    mailbox = waiting_mailbox(host, clock, access="application", **MAILBOXES[request.param])
    mailbox.folder("Inbox", stored=2)
    return mailbox


def path_of(waiting: Waiting, verb: str) -> str:
    return f"/ms365/mailboxes/{waiting.mailbox_id}/{verb}"


def press(waiting: Waiting, verb: str) -> str:
    """Press a button on the mailbox's page; return what the page says then."""
    visitor = waiting.host.visitor()
    answer = visitor.submit(page_of(waiting), {}, to=path_of(waiting, verb))
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, page_of(waiting))
    return main(visitor.get(answer.headers["Location"]).text)


def test_sync_now_lets_the_next_tick_take_it_and_wakes_the_worker(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[int | None] = []
    monkeypatch.setattr(waiting.host.app.extensions["ms365.state"], "hook", _Woken(woken))
    assert "It is read as soon as a worker is free" in press(waiting, "sync")
    assert (waiting.is_due, woken) == (True, [waiting.mailbox_id])
    assert waiting.actions == [("mailbox.sync_asked", "ana", ADDRESS)]
    audit = main(waiting.host.visitor().get("/ms365/audit").text)
    assert f"{ADDRESS}: to be read now" in audit


@pytest.mark.parametrize("columns", [{"fail_count": 1}, {"state": "paused"}, {"state": "sign_in_needed"}])
def test_what_waits_is_not_hurried_and_the_page_says_so(waiting: Waiting, columns: dict[str, Any]) -> None:
    waiting.change(**columns)
    assert "It is not read now" in press(waiting, "sync")
    assert waiting.actions == []
    assert columns.items() <= vars(waiting.row()).items()


def test_pause_and_resume_say_what_they_did_and_each_offers_the_other(waiting: Waiting) -> None:
    assert "Nothing more of it is read until somebody resumes it." in press(waiting, "pause")
    assert (waiting.row().state, "Resume" in shown(waiting)) == ("paused", True)
    assert "It goes on where it stopped." in press(waiting, "resume")
    assert (waiting.row().state, waiting.is_due) == ("connected", True)
    assert waiting.actions == [("mailbox.paused", "ana", ADDRESS), ("mailbox.resumed", "ana", ADDRESS)]


def test_the_second_of_two_who_press_is_told_so(waiting: Waiting) -> None:
    press(waiting, "pause")
    assert "There was nothing to do any more" in press(waiting, "pause")


def test_the_page_says_who_paused_it(waiting: Waiting) -> None:
    press(waiting, "pause")
    assert "Paused by ana since" in shown(waiting)


def test_starting_over_asks_first_and_says_that_nothing_is_lost(waiting: Waiting) -> None:
    answer = waiting.host.visitor().get(path_of(waiting, "restart"))
    assert (answer.status_code, "Nothing that is stored is lost." in answer.text) == (200, True)
    assert waiting.all(Folder.round) == [1]


def test_once_confirmed_it_is_read_again_from_the_start(waiting: Waiting) -> None:
    visitor, path = waiting.host.visitor(), path_of(waiting, "restart")
    answer = visitor.submit(path, {})
    assert answer.status_code == 303
    assert "The mailbox is read again from the start" in visitor.get(answer.headers["Location"]).text
    assert (waiting.all(Folder.round), waiting.all(Folder.delta_link), waiting.is_due) == ([2], [None], True)
    assert waiting.actions == [("mailbox.restarted", "ana", ADDRESS)]


def test_the_audit_log_has_words_for_each(waiting: Waiting) -> None:
    for verb in ("pause", "resume", "restart"):
        press(waiting, verb)
    audit = waiting.host.visitor().get("/ms365/audit").text
    for words in ("paused", "resumed", ": to be read again from the start"):
        assert f"{ADDRESS}{'' if words.startswith(':') else ' '}{words}" in audit


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("columns", "permissions", "status"),
    [
        ({"kind": "system"}, {"own_mailbox"}, 404),
        ({"kind": "system"}, {"read_mail"}, 403),
        ({"kind": "user", "owner_id": "ben"}, {"own_mailbox", "read_mail"}, 404),
        ({"kind": "user", "owner_id": "ana"}, {"read_mail"}, 403),
        ({"kind": "user", "owner_id": "ana", "state": "disconnected"}, {"own_mailbox"}, 404),
        ({"kind": "user", "owner_id": "ana", "state": "deleting"}, {"own_mailbox"}, 404),
    ],
)
def test_only_those_whose_mailbox_it_is_may_press(
    host: Host, clock: Clock, verb: str, columns: dict[str, Any], permissions: set[str], status: int
) -> None:
    waiting = waiting_mailbox(host, clock, **columns)
    visitor, before = host.visitor(), waiting.row()
    visitor.get("/ms365/settings")
    host.permissions = permissions
    assert visitor.post(path_of(waiting, verb)).status_code == status
    if verb == "restart":
        assert visitor.get(path_of(waiting, verb)).status_code == status
    after = waiting.row()
    assert (after.state, after.lease_epoch, waiting.is_due) == (before.state, before.lease_epoch, False)


@pytest.mark.parametrize(("verb", "status"), [("sync", 303), ("pause", 303), ("resume", 303), ("restart", 404)])
def test_those_who_manage_mailboxes_stop_and_start_anybody_s_and_begin_none_anew(
    host: Host, clock: Clock, verb: str, status: int
) -> None:
    waiting = waiting_mailbox(host, clock, kind="user", owner_id="ben")
    visitor = host.visitor()
    answer = visitor.submit("/ms365/settings", {}, to=path_of(waiting, verb))
    assert (answer.status_code, waiting.all(Mailbox.lease_epoch)) == (status, [int(verb == "pause")])


@pytest.mark.parametrize("verb", VERBS)
def test_a_page_that_was_open_too_long_changes_nothing(waiting: Waiting, verb: str) -> None:
    answer = waiting.host.visitor().post(path_of(waiting, verb), data={"csrf_token": "expired"})
    assert (answer.status_code, "open too long" in answer.text) == (400, True)
    assert (waiting.row().lease_epoch, waiting.is_due) == (0, False)
