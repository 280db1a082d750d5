"""A process is called once a conversation, in the transaction of its first message, for mail that came since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import delete, event, select, update
from wtforms import BooleanField, DateField, Form, IntegerField, SelectMultipleField, StringField
from wtforms.validators import Optional

from flask_ms365.models import AuditEvent, Folder, Mailbox, Message
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.desk import LEAD, TICKET, Desk, tickets_in
from tests.sync.faults.conftest import on_sqlite

OWN = "ana@contoso.example"


@pytest.fixture
def desk(synced: Synced) -> Iterator[Desk]:
    with tickets_in(synced):
        yield Desk(synced)


# which mail


def test_new_mail_is_processed_in_the_sync_that_stores_it(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Help")
    synced.sync()
    assert (desk.tickets(), desk.processed()) == (["Help"], 1)


def test_without_a_process_mail_is_only_stored(synced: Synced, desk: Desk) -> None:
    desk.deliver("Help")
    synced.sync()
    assert (set(synced.subjects()), desk.tickets()) == ({"Help"}, [])


def test_mail_of_before_is_not_processed_whenever_it_is_read(synced: Synced, desk: Desk) -> None:
    desk.deliver_old("Old, and stored")
    synced.sync()
    desk.choose()
    desk.deliver_old("Old, and not stored")
    desk.deliver("New")
    synced.sync()
    assert desk.tickets() == ["New"]


def test_the_senders_date_decides_nothing(synced: Synced, desk: Desk) -> None:
    """Weakness 24: leads trusted the sender's Date."""
    desk.choose()
    now = datetime.now(timezone.utc)
    desk.deliver("Years ago, they say", received_at=now, sent_at=datetime(1999, 1, 1, tzinfo=timezone.utc))
    desk.deliver_old("In years, they say", sent_at=datetime(2099, 1, 1, tzinfo=timezone.utc))
    synced.sync()
    assert desk.tickets() == ["Years ago, they say"]


def test_a_reply_is_no_new_ticket(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Help", thread="t")
    synced.sync()
    desk.deliver("Re: Help", thread="t")
    synced.sync()
    assert (desk.tickets(), set(synced.subjects())) == (["Help"], {"Help", "Re: Help"})


def test_of_a_conversation_that_comes_at_once_the_oldest_counts(synced: Synced, desk: Desk) -> None:
    desk.choose()
    now = datetime.now(timezone.utc)
    desk.deliver("Re: Help", thread="t", received_at=now + timedelta(seconds=20))
    desk.deliver("Help", thread="t", received_at=now + timedelta(seconds=10))
    synced.sync()
    assert desk.tickets() == ["Help"]


def test_of_two_that_were_received_in_one_second_one_counts(synced: Synced, desk: Desk) -> None:
    desk.choose()
    now = datetime.now(timezone.utc) + timedelta(seconds=10)
    for subject in ("Help", "Help!"):
        desk.deliver(subject, thread="t", received_at=now)
    synced.sync()
    assert len(desk.tickets()) == desk.processed() == 1


def test_a_reply_to_mail_of_before_is_no_new_ticket(synced: Synced, desk: Desk) -> None:
    desk.deliver_old("Help", thread="t")
    synced.sync()
    desk.choose()
    desk.deliver("Re: Help", thread="t")
    synced.sync()
    assert desk.tickets() == []


def test_a_reply_that_is_read_before_its_first_message_counts_for_both(synced: Synced, desk: Desk) -> None:
    desk.choose()
    now = datetime.now(timezone.utc)
    desk.deliver("Re: Help", thread="t", received_at=now + timedelta(seconds=20))
    synced.sync()
    desk.deliver("Help", thread="t", received_at=now + timedelta(seconds=10))
    synced.sync()
    assert desk.tickets() == ["Re: Help"]


def test_a_message_without_a_conversation_is_one_by_itself(synced: Synced, desk: Desk) -> None:
    desk.choose()
    for subject in ("One", "Two"):
        one = desk.deliver(subject)
        synced.mailbox._messages[one] = replace(synced.mailbox.message(one), conversation_id="")
    synced.sync()
    assert (desk.tickets(), desk.processed()) == (["One", "Two"], 2)


@pytest.mark.parametrize("folder", ["sentitems", "outbox", "drafts"])
def test_what_was_written_in_the_mailbox_is_not_processed(synced: Synced, desk: Desk, folder: str) -> None:
    """Weaknesses 27 and 43: what we send must not come back as a ticket."""
    desk.choose()
    synced.sync()
    with synced.host.app.app_context():
        synced.session.execute(update(Folder).values(selected=True))
        synced.session.commit()
    desk.deliver("Ours", folder=folder, sender=("Colleague", "kim@contoso.example"))
    synced.sync()
    assert (set(synced.subjects()), desk.tickets()) == ({"Ours"}, [])


def test_mail_from_the_mailboxs_own_address_is_not_processed_in_any_folder(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("To myself", sender=("Ana Ruiz", OWN.upper()))
    synced.sync()
    assert (set(synced.subjects()), desk.tickets()) == ({"To myself"}, [])


def test_a_reply_to_what_the_mailbox_wrote_is_no_new_ticket(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Our offer", folder="sentitems", sender=("Ana Ruiz", OWN), thread="t")
    synced.sync()
    desk.deliver("Re: Our offer", thread="t")
    synced.sync()
    assert desk.tickets() == []


# once, ever


def test_a_move_an_edit_and_a_deletion_call_nothing(synced: Synced, desk: Desk) -> None:
    desk.choose()
    one = desk.deliver("Help")
    for act in (
        lambda: None,
        lambda: synced.mailbox.move(one, "archive"),
        lambda: synced.mailbox.update(one, subject="Help!"),
        lambda: synced.mailbox.delete(one),
    ):
        act()
        synced.sync()
    assert [subject for subject, _ in desk.calls] == ["Help"]


def test_reading_again_from_the_start_calls_nothing(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Help", thread="t")
    desk.deliver("Re: Help", thread="t")
    desk.deliver("Another")
    synced.sync()
    synced.mailbox.expire_cursors()
    synced.sync()
    assert desk.tickets() == ["Another", "Help"]


def test_even_mail_whose_rows_were_deleted_is_not_processed_again(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Help", thread="t")
    desk.deliver("Re: Help", thread="t")
    desk.deliver("Another")
    synced.sync()
    with synced.host.app.app_context():
        synced.session.execute(delete(Message))
        synced.session.commit()
    synced.mailbox.expire_cursors()
    synced.sync()
    assert (len(synced.subjects()), desk.tickets()) == (3, ["Another", "Help"])


def test_it_counts_once_over_many_pages_and_folders(synced: Synced, desk: Desk) -> None:
    desk.choose()
    synced.mailbox.max_page_size = 2
    for number in range(9):
        desk.deliver(f"Help {number}", thread=str(number % 3), folder=("inbox", "archive")[number % 2])
    synced.sync()
    assert len(desk.tickets()) == len(desk.calls) == desk.processed() == 3


# switching


def test_off_is_off_and_on_again_is_from_then_on(synced: Synced, desk: Desk, clock: Clock) -> None:
    desk.choose()
    desk.choose("")
    desk.deliver("While it was off")
    synced.sync()
    clock.advance(minutes=5)
    desk.choose()
    desk.deliver("After that", received_at=clock())
    synced.sync()
    assert desk.tickets() == ["After that"]


def test_another_process_takes_over_from_then_on_and_none_is_called_for_what_the_other_had(
    synced: Synced, desk: Desk, clock: Clock
) -> None:
    desk.choose()
    desk.deliver("For tickets", thread="t")
    synced.sync()
    clock.advance(minutes=5)
    desk.choose(LEAD)
    desk.deliver("Re: For tickets", thread="t", received_at=clock())
    desk.deliver("For leads", received_at=clock())
    synced.sync()
    assert (desk.tickets(), desk.tickets(LEAD)) == (["For tickets"], ["For leads"])


def test_it_may_be_chosen_while_a_sync_is_under_way(synced: Synced, desk: Desk) -> None:
    synced.mailbox.max_page_size = 1
    for number in range(4):
        desk.deliver_old(f"Old {number}")
    synced.sync()
    chosen: list[str | None] = []

    @synced.host.ms365.on_message
    def choose_once(message: Message, change: object) -> None:
        if not chosen:  # its own transaction would wait for this one: it is as if it had been first
            values = {"process": TICKET, "process_since": datetime.now(timezone.utc) - timedelta(minutes=1)}
            synced.session.execute(update(Mailbox).values(values))
        chosen.append(message.subject)

    for number in range(4):
        desk.deliver(f"New {number}")
    synced.sync()
    assert (desk.tickets(), len(chosen)) == (sorted(subject or "" for subject in chosen[1:]), 4)


def test_saving_again_skips_no_mail_of_a_broken_time(synced: Synced, desk: Desk, clock: Clock) -> None:
    """Weakness 24: each save moved the date from which mail counted."""
    desk.choose()
    desk.deliver("While nobody read")
    clock.advance(hours=5)
    desk.choose(TICKET, {"priority": ["high"]})
    synced.sync()
    assert desk.tickets() == ["While nobody read"]


def test_a_process_that_the_host_has_no_more_is_not_in_the_way(synced: Synced, desk: Desk) -> None:
    desk.choose()
    with synced.host.app.app_context():
        synced.session.execute(update(Mailbox).values(process="Gone"))
        synced.session.commit()
    desk.deliver("Help")
    assert synced.sync().result is Result.DONE
    assert (set(synced.subjects()), desk.tickets()) == ({"Help"}, [])


def test_what_was_chosen_is_in_the_audit_log(synced: Synced, desk: Desk) -> None:
    for name, options in ((TICKET, None), (TICKET, {"a": ["1"]}), (TICKET, {"a": ["1"]}), (LEAD, None), ("", None)):
        desk.choose(name, options)
    with synced.host.app.app_context():
        wanted = AuditEvent.action.startswith("mailbox.process")
        found = synced.session.execute(
            select(AuditEvent.action, AuditEvent.detail, AuditEvent.actor).where(wanted).order_by(AuditEvent.id)
        )
        assert [tuple(row) for row in found] == [
            ("mailbox.process_chosen", {"process": TICKET}, "ana"),
            ("mailbox.process_options_changed", {"process": TICKET}, "ana"),
            ("mailbox.process_chosen", {"process": LEAD, "before": TICKET}, "ana"),
            ("mailbox.process_off", {"process": LEAD}, "ana"),
        ]


# what it is called with


class Options(Form):  # type: ignore[misc]  # WTForms has no types
    owner = StringField(default="kim")
    days = IntegerField(default=3, validators=[Optional()])
    until = DateField(validators=[Optional()])
    is_urgent = BooleanField(default=True)
    tags = SelectMultipleField(choices=["a", "b", "c"])


def with_options(synced: Synced, desk: Desk, texts: dict[str, list[str]] | None) -> Any:
    """Let a process with options be called once; return what it was called with."""
    called = []
    synced.host.ms365.process("With options", options=Options)(lambda message, options: called.append(options))
    desk.choose("With options", texts)
    desk.deliver("Help")
    synced.sync()
    return called[0]


@on_sqlite
def test_options_are_the_data_of_the_form(synced: Synced, desk: Desk) -> None:
    texts = {"owner": ["ana"], "days": ["5"], "until": ["2026-12-24"], "tags": ["a", "c"]}
    assert with_options(synced, desk, texts) == {
        "owner": "ana",
        "days": 5,
        "until": date(2026, 12, 24),
        "is_urgent": False,
        "tags": ["a", "c"],
    }


@on_sqlite
def test_options_that_nobody_filled_in_are_the_forms_defaults(synced: Synced, desk: Desk) -> None:
    given = with_options(synced, desk, None)
    assert (given["owner"], given["days"], given["is_urgent"]) == ("kim", 3, True)


@on_sqlite
def test_a_form_of_unticked_boxes_alone_stays_unticked(synced: Synced, desk: Desk) -> None:
    assert with_options(synced, desk, {})["is_urgent"] is False


@on_sqlite
def test_a_process_without_options_gets_none(synced: Synced, desk: Desk) -> None:
    desk.choose()
    desk.deliver("Help")
    synced.sync()
    assert desk.calls == [("Help", {})]


# what it costs


@on_sqlite
@pytest.mark.parametrize(("is_chosen", "statements"), [(False, 1), (True, 1)])
def test_the_pages_of_a_history_cost_one_statement_between_them(
    synced: Synced, desk: Desk, is_chosen: bool, statements: int
) -> None:
    desk.choose(TICKET if is_chosen else "")
    synced.mailbox.max_page_size = 5
    for number in range(20):
        desk.deliver_old(f"Old {number}")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "process_since" in statement and statement.startswith("SELECT ms365_mailbox.process"):
            asked.append(statement)

    with synced.host.app.app_context():
        event.listen(synced.session.get_bind(), "before_cursor_execute", note)
    synced.sync()
    assert (len(synced.subjects()), len(asked)) == (20, statements)
