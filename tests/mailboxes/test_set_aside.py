"""Messages that could not be read or stored are counted, listed with a reason, and tried again when people say so."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import Result

from flask_ms365.mailboxes.set_aside import SHOWN, list_set_aside, reason
from flask_ms365.models import SetAside
from tests.conftest import Clock, Host
from tests.identity.conftest import session_of
from tests.mailboxes.waiting import ADDRESS, Waiting, waiting_mailbox


@pytest.fixture
def waiting(host: Host, clock: Clock) -> Waiting:
    return waiting_mailbox(host, clock)


def ms365(waiting: Waiting, *arguments: str) -> Result:
    return waiting.host.app.test_cli_runner().invoke(args=["ms365", *arguments])


@pytest.mark.parametrize(
    "code", ["ErrorCorruptData", "tooLarge", "ErrorItemNotFound", "refusedByDatabase", "handlerFailed", "idTooLong"]
)
def test_a_code_that_is_known_has_words_of_its_own(code: str) -> None:
    assert reason(code) != reason("ErrorNew") == "Microsoft answered with an error."


def test_those_that_are_tried_next_come_first_and_a_page_has_an_end(waiting: Waiting, clock: Clock) -> None:
    folder_id = waiting.folder()
    for minutes in range(SHOWN + 1, 0, -1):
        waiting.set_aside(folder_id, f"In {minutes}", next_try_at=clock() + timedelta(minutes=minutes))
    with waiting.host.app.app_context():
        listed = [row.subject for row in list_set_aside(session_of(waiting.host), waiting.mailbox_id)]
    assert listed == [f"In {minutes}" for minutes in range(1, SHOWN + 1)]


def test_status_tells_how_many_there_are(waiting: Waiting, clock: Clock) -> None:
    waiting_mailbox(waiting.host, clock, address="well@contoso.example")
    for subject in ("One", "Two"):
        waiting.set_aside(waiting.folder(subject), subject)
    found = {
        each["address"]: each["set_aside"]
        for each in json.loads(ms365(waiting, "status", "--json").stdout)["mailboxes"]
    }
    assert found == {ADDRESS: 2, "well@contoso.example": 0}
    assert "  2 messages could not be read or stored." in ms365(waiting, "status").stdout


def test_messages_set_aside_need_nobody(waiting: Waiting) -> None:
    waiting.set_aside(waiting.folder())
    assert ms365(waiting, "status").exit_code == 0


def test_retry_makes_them_and_their_mailbox_due(waiting: Waiting, clock: Clock) -> None:
    waiting.set_aside(waiting.folder(), attempts=3)
    result = ms365(waiting, "mailboxes", "retry", ADDRESS)
    assert (result.exit_code, result.stdout) == (0, f"{ADDRESS}: 1 message(s) to try again.\n")
    assert (waiting.all(SetAside.next_try_at)[0] <= clock(), waiting.all(SetAside.attempts), waiting.is_due) == (
        True,
        [3],
        True,
    )


def test_retry_leaves_other_mailboxes_alone(waiting: Waiting, clock: Clock) -> None:
    other = waiting_mailbox(waiting.host, clock, address="other@contoso.example")
    other.set_aside(other.folder())
    result = ms365(waiting, "mailboxes", "retry", ADDRESS)
    assert (result.exit_code, result.stdout) == (0, f"{ADDRESS}: no message is set aside.\n")
    assert waiting.all(SetAside.next_try_at)[0] > clock()
