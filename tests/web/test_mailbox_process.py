"""The page on which an admin chooses what is done with new mail, fills in the options, and tries it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select
from werkzeug.test import TestResponse
from wtforms import BooleanField, DateField, Form, IntegerField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, NumberRange, Optional

from flask_ms365.models import AuditEvent, Mailbox, Message, Processed
from tests.team import NEW, Team
from tests.visitor import controls
from tests.web.conftest import main, words

TICKET = Table("page_ticket", MetaData(), Column("message_id", Integer), Column("owner", Text))


class Options(Form):  # type: ignore[misc]  # WTForms has no types
    owner = StringField("Who takes it", default="kim", validators=[DataRequired("Say who.")], description="A user ID.")
    days = IntegerField("Days", default=3, validators=[NumberRange(1, 9)])
    priority = SelectField("Priority", choices=["low", "high"], default="low")
    kind = RadioField("Kind", choices=["bug", "wish"], default="bug")
    until = DateField("Until", validators=[Optional()])
    is_loud = BooleanField("Ring a bell")
    note = TextAreaField("Note")


class StrictOptions(Form):  # type: ignore[misc]
    owner = StringField("Owner", validators=[DataRequired()])


@pytest.fixture
def desk(team: Team) -> Team:
    """Return the team's pages of a host with processes, whose rows are in a table of the host's."""
    ms365 = team.host.ms365

    @ms365.process("Create ticket", options=Options)
    def create_ticket(message: Message, options: dict[str, Any]) -> str:
        team.session.execute(insert(TICKET).values(message_id=message.id, owner=options["owner"]))
        return f"A ticket for {options['owner']}"

    @ms365.process("Count")
    def count(message: Message, options: dict[str, Any]) -> int:
        return 1

    ms365.process("Strict", options=StrictOptions)(lambda message, options: None)
    with team.host.app.app_context():
        TICKET.create(team.session.connection())
        team.session.commit()
    return team


def path(team: Team) -> str:
    return f"{team.page_path}/process"


def chosen(team: Team) -> Any:
    with team.host.app.app_context():
        columns = Mailbox.process, Mailbox.process_options, Mailbox.process_since
        return team.session.execute(select(*columns).where(Mailbox.kind == "system")).one()


def post(team: Team, process: str, do: str = "save", **options: str | None) -> TestResponse:
    """Choose a process, press *Next*, fill in its options, and press a button."""
    page = f"{path(team)}?process={process}"
    given = {f"options-{name}": value for name, value in options.items()}
    return team.visitor.submit(page, {"process": process, "do": do, **given}, to=path(team))


def tickets(team: Team) -> list[str]:
    return [str(owner) for owner in team.all(TICKET.c.owner)]


# choosing


def test_at_first_nothing_is_done_and_the_processes_are_there_to_choose(desk: Team) -> None:
    desk.add("application")
    page = desk.visitor.get(path(desk)).text
    assert "Nothing: mail is read and stored." in main(page)
    assert words(page, r"<select[^>]*>(.*?)</select>") == "None Create ticket Count Strict"


def test_next_shows_the_options_with_their_labels_hints_and_defaults(desk: Team) -> None:
    desk.add("application")
    page = desk.visitor.get(f"{path(desk)}?process=Create+ticket").text
    for said in ("Who takes it", "A user ID.", "Priority", "Ring a bell", "Save and switch on"):
        assert said in main(page)
    shown = controls(page)
    assert (shown["options-owner"], shown["options-days"], shown["options-kind"]) == ("kim", "3", "bug")
    assert 'aria-describedby="options-owner-hint"' in page


def test_a_process_is_saved_with_its_options_and_works_from_then_on(desk: Team) -> None:
    desk.add("application")
    answer = post(desk, "Create ticket", owner="ana", until="2026-12-24", is_loud="y")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{path(desk)}?saved=1")
    assert "Saved" in main(desk.visitor.get(answer.headers["Location"]).text)
    row = chosen(desk)
    assert (row.process, row.process_options["owner"], row.process_options["until"]) == (
        "Create ticket",
        ["ana"],
        ["2026-12-24"],
    )
    desk.support.mailbox.deliver(subject="Now", received_at=datetime.now(timezone.utc))
    desk.read()
    assert "ana" in tickets(desk)


def test_the_page_says_since_when_and_for_how_many(desk: Team) -> None:
    desk.add("application")
    post(desk, "Count")
    for subject in ("One", "Two"):
        desk.support.mailbox.deliver(subject=subject, received_at=datetime.now(timezone.utc) + timedelta(seconds=1))
    desk.read()
    page = main(desk.visitor.get(path(desk)).text)
    assert "For mail received since" in page
    assert f"Conversations processed {len(desk.all(Processed.id))}" in page


def test_what_was_saved_shows_again(desk: Team) -> None:
    desk.add("application")
    post(desk, "Create ticket", owner="<ana>", days="5", priority="high", is_loud="y")
    page = desk.visitor.get(path(desk)).text
    shown = controls(page)
    named = ("owner", "days", "priority", "is_loud")
    assert [shown[f"options-{name}"] for name in named] == ["<ana>", "5", "high", "y"]
    assert "<ana>" not in page


def test_options_that_will_not_do_are_refused_beside_their_fields(desk: Team) -> None:
    desk.add("application")
    answer = post(desk, "Create ticket", owner="", days="30")
    assert answer.status_code == 200
    assert words(answer.text, r"<title>(.*?)</title>").startswith("Error:")
    assert words(answer.text, r'id="options-owner-error">(.*?)</div>') == "Say who."
    assert 'href="#options-days"' in answer.text
    assert controls(answer.text)["options-days"] == "30"
    assert chosen(desk).process is None


def test_saving_the_options_again_moves_no_date(desk: Team) -> None:
    """Weakness 24."""
    desk.add("application")
    post(desk, "Create ticket")
    since = chosen(desk).process_since
    desk.host.ms365._clock.advance(hours=3)  # type: ignore[attr-defined]
    post(desk, "Create ticket", owner="ana")
    assert (chosen(desk).process_since, chosen(desk).process_options["owner"]) == (since, ["ana"])
    post(desk, "Count")
    assert chosen(desk).process_since > since


def test_it_is_switched_off(desk: Team) -> None:
    desk.add("application")
    post(desk, "Count")
    assert "Switch it off" in main(desk.visitor.get(f"{path(desk)}?process=").text)
    assert post(desk, "").status_code == 303
    assert tuple(chosen(desk)) == (None, None, None)


def test_what_was_chosen_is_told_in_the_audit_log(desk: Team) -> None:
    desk.add("application")
    post(desk, "Count")
    post(desk, "")
    page = desk.visitor.get("/ms365/audit").text
    assert "support@contoso.example: the process Count switched on" in main(page)
    assert "support@contoso.example: the process Count switched off" in main(page)
    assert "mailbox.process_chosen" in desk.all(AuditEvent.action)


def test_a_process_that_the_app_has_no_more_is_said_plainly(desk: Team) -> None:
    desk.add("application")
    post(desk, "Count")
    del desk.host.ms365._processes["Count"]
    desk.support.mailbox.deliver(subject="Meanwhile")
    assert sorted(desk.read()) == ["Help", "Meanwhile"]
    page = main(desk.visitor.get(path(desk)).text)
    assert "This app has no such process any more" in page
    assert "Switch it off" in page
    assert "Count Not in this app any more" in main(desk.visitor.get(desk.page_path).text)


def test_an_app_without_processes_says_what_one_is(team: Team) -> None:
    team.add("application")
    assert "This app has no process to choose." in main(team.visitor.get(path(team)).text)


def test_a_process_that_nobody_knows_is_not_saved(desk: Team) -> None:
    desk.add("application")
    assert "Nothing happened" in main(post(desk, "Unknown").text)
    assert chosen(desk).process is None


def test_it_is_for_those_who_manage_mailboxes_and_for_mailboxes_of_the_team(desk: Team) -> None:
    desk.add("application")
    place = path(desk)
    desk.host.permissions = {"own_mailbox", "read_mail", "manage_settings"}
    assert desk.visitor.get(place).status_code == 403
    desk.host.permissions = {"manage_mailboxes", "own_mailbox"}
    desk.visitor.connect(desk.ana)
    with desk.host.app.app_context():
        own = desk.session.scalar(select(Mailbox.id).where(Mailbox.kind == "user"))
    assert desk.visitor.get(f"/ms365/mailboxes/{own}/process").status_code == 404


# with a new mailbox


def add(team: Team, access: str, process: str) -> TestResponse:
    given = {"access": access, "address": team.support.upn, "label": "Support", "process": process}
    return team.visitor.submit(NEW, given)


def test_a_new_mailbox_may_have_one_at_once_and_leads_to_its_options(desk: Team) -> None:
    answer = add(desk, "application", "Create ticket")
    assert answer.headers["Location"] == f"{path(desk)}?process=Create+ticket&connected=1"
    assert "Connected" in main(desk.visitor.get(answer.headers["Location"]).text)
    assert (chosen(desk).process, chosen(desk).process_options) == ("Create ticket", None)
    desk.support.mailbox.deliver(subject="Now", received_at=datetime.now(timezone.utc))
    desk.read()
    assert tickets(desk) == ["kim"] * len(desk.all(Processed.id)) != []


def test_one_without_options_leads_to_the_mailbox(desk: Team) -> None:
    assert add(desk, "application", "Count").headers["Location"] == f"{desk.page_path}?connected=1"
    assert chosen(desk).process == "Count"


def test_a_sign_in_comes_first_where_the_defaults_will_do(desk: Team) -> None:
    assert add(desk, "sign_in", "Create ticket").headers["Location"].startswith(desk.simulator.url)
    assert chosen(desk).process == "Create ticket"


def test_options_come_first_where_the_defaults_will_not_do(desk: Team) -> None:
    assert add(desk, "sign_in", "Strict").headers["Location"] == f"{path(desk)}?process=Strict"
    assert chosen(desk).process is None


def test_a_mailbox_that_is_taken_up_again_goes_on_with_its_process_and_skips_no_mail(desk: Team) -> None:
    """Weakness 24."""
    add(desk, "application", "Create ticket")
    post(desk, "Create ticket", owner="ana")
    before = chosen(desk)
    desk.visitor.submit(f"{desk.page_path}/disconnect", {"mail": "keep"})
    desk.host.ms365._clock.advance(hours=3)  # type: ignore[attr-defined]
    add(desk, "application", "Create ticket")
    assert (desk.row().state, tuple(chosen(desk))) == ("connected", tuple(before))


def test_a_new_mailbox_with_an_unknown_process_is_not_added(desk: Team) -> None:
    assert "Choose one of the processes, or none." in main(add(desk, "application", "Unknown").text)
    assert desk.row() is None


def test_without_processes_the_form_has_no_such_field(team: Team) -> None:
    assert 'name="process"' not in team.visitor.get(NEW).text


# trying


@pytest.fixture
def full(desk: Team) -> Team:
    """Return the pages with mail of before, which no process was called for."""
    old = datetime.now(timezone.utc) - timedelta(days=2)
    for number in range(25):
        first, thread = old + timedelta(minutes=number), str(number)
        desk.support.mailbox.deliver(subject=f"Old {number}", thread=thread, received_at=first)
        desk.support.mailbox.deliver(subject=f"Re: {number}", thread=thread, received_at=first + timedelta(days=1))
    desk.add("application")
    desk.read()
    return desk


def rows(page: str) -> list[str]:
    table = page[page.index('id="ms365-trials"') :]
    return [words(row, r"(.*)") for row in table.split('<tr class="ms365-tr" role="row">')[2:]]


def nothing_is_left(team: Team) -> bool:
    return (tickets(team), team.all(Processed.id), chosen(team).process) == ([], [], None)


def test_a_try_tells_what_would_happen_to_the_newest_twenty_first_messages(full: Team) -> None:
    answer = post(full, "Create ticket", do="try", owner="ana")
    told = rows(answer.text)
    assert (answer.status_code, len(told)) == (200, 20)
    assert all("A ticket for ana" in row and "Re:" not in row for row in told)
    assert controls(answer.text)["options-owner"] == "ana"
    assert nothing_is_left(full)


def test_a_try_without_an_answer_says_that_it_runs(full: Team) -> None:
    assert all("It runs" in row for row in rows(post(full, "Count", do="try").text))


def test_a_try_without_mail_says_so(desk: Team) -> None:
    desk.add("application")
    assert "There is no mail yet that it would be called for." in main(post(desk, "Count", do="try").text)


@pytest.mark.parametrize(
    ("verb", "error"), [("raise", "LookupError"), ("commit", "RuntimeError"), ("rollback", "RuntimeError")]
)
def test_a_process_that_fails_or_ends_the_transaction_is_told_and_undone(full: Team, verb: str, error: str) -> None:
    @full.host.ms365.process("Bad")
    def go_wrong(message: Message, options: dict[str, Any]) -> None:
        full.session.execute(insert(TICKET).values(message_id=message.id, owner="nobody"))
        message.subject = "Changed"
        if verb == "raise":
            raise LookupError
        getattr(full.session, verb)()

    told = rows(post(full, "Bad", do="try").text)
    assert len(told) == 20
    assert all(f"It fails {error}" in row for row in told)
    assert nothing_is_left(full)
    assert "Changed" not in full.read()


def test_a_try_with_options_that_will_not_do_calls_nothing(full: Team) -> None:
    answer = post(full, "Create ticket", do="try", owner="")
    assert "Say who." in main(answer.text)
    assert 'id="ms365-trials"' not in answer.text


def test_a_host_that_reads_along_hears_nothing_of_a_try(full: Team) -> None:
    told: list[Message] = []
    full.host.ms365.on_message(lambda message, change: told.append(message))
    post(full, "Create ticket", do="try")
    assert told == []
