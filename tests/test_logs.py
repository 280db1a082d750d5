"""Logs are for programs: an event and its fields, and nothing of whose mail it is or what is in it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import object_session

from flask_ms365.models import Mailbox, Message, write_transaction
from flask_ms365.simulator import Mailbox as Box
from tests.conftest import Clock, Host

ROOT = Path(__file__).parents[1]
SUBJECT, BODY, SENDER, FOLDER = (
    "Canary in the subject",
    "canary in the body",
    "canary@sender.example",
    "Canary's folder",
)
FORBIDDEN = ("canary", "ana@", "contoso.example", "deltatoken", "skiptoken", "eyJ", "Bearer", "/me/", "users/")
_ORDINARY = {*vars(logging.makeLogRecord({})), "message"}  # the last comes of formatting it


class Records(logging.Handler):
    """Keeps what our own loggers say, at every level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.all: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record)

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the fields of each record of an event."""
        return [fields(record) for record in self.all if record.getMessage() == event]


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _ORDINARY}


@pytest.fixture
def records() -> Iterator[Records]:
    records, logger = Records(), logging.getLogger("flask_ms365")
    before = logger.level
    logger.addHandler(records)
    logger.setLevel(logging.DEBUG)
    yield records
    logger.removeHandler(records)
    logger.setLevel(before)


def sync(host: Host, clock: Clock) -> None:
    clock.advance(minutes=20)
    with host.app.app_context():
        host.ms365.tick()


def write_again(message: Message, change: object) -> None:
    """Fail as a host does whose own rows the database refuses: its error names what was to be stored."""
    session = object_session(message)
    assert session is not None
    session.execute(text("INSERT INTO ms365_told (subject) VALUES (:subject)"), {"subject": message.subject})


@pytest.fixture
def journey(connected: Host, mailbox: Box, clock: Clock, records: Records) -> list[logging.LogRecord]:
    """Return what was logged of mail that comes, of trouble of every kind, and of pages and commands."""
    mailbox.create_folder(FOLDER)
    mailbox.deliver(subject=SUBJECT, text=BODY, sender=SENDER)
    sync(connected, clock)
    mailbox.fail(503, times=2)  # for the look, and for the run
    mailbox.deliver(subject=SUBJECT, text=BODY, sender=SENDER)
    sync(connected, clock)
    mailbox.throttle(times=None, retry_after=600)
    sync(connected, clock)
    mailbox.stop_failing()
    mailbox.expire_cursors()
    sync(connected, clock)
    connected.ms365.on_message(write_again)
    mailbox.deliver(subject=SUBJECT, text=BODY, sender=SENDER)
    sync(connected, clock)
    with connected.app.app_context():
        session = connected.app.extensions["sqlalchemy"].session
        with write_transaction(session):
            held = session.scalars(select(Mailbox)).one()
            held.lease_owner, held.lease_expires_at, held.next_due_at = "killed", clock(), clock()
    sync(connected, clock)
    for path in ("/", "/mailboxes", "/messages", "/metrics", "/health/ready"):
        connected.visitor().get(f"/ms365{path}")
    for command in ("status", "check"):
        connected.app.test_cli_runner().invoke(args=["ms365", command])
    return records.all


def test_nothing_is_told_of_people_and_their_mail(journey: list[logging.LogRecord]) -> None:
    said = [f"{logging.Formatter().format(record)} {fields(record)}" for record in journey]
    assert len(said) > 30
    assert [line for line in said for word in FORBIDDEN if word.lower() in line.lower()] == []


def test_each_record_names_its_event(journey: list[logging.LogRecord]) -> None:
    for record in journey:
        assert record.getMessage().split(":")[0] == fields(record)["event"]


def test_events_of_the_journey(journey: list[logging.LogRecord]) -> None:
    told = {record.getMessage() for record in journey}
    assert told >= {"run.finished", "run.failed", "graph.request", "graph.retried", "lease.taken_over"}


def test_a_warning_is_for_people_alone(journey: list[logging.LogRecord]) -> None:
    loud = {record.getMessage() for record in journey if record.levelno >= logging.WARNING}
    assert loud <= {"run.failed", "run.finished"}


def test_a_run_tells_what_it_did(connected: Host, mailbox: Box, clock: Clock, records: Records) -> None:
    mailbox.deliver(subject=SUBJECT, text=BODY)
    sync(connected, clock)
    (told,) = records.of("run.finished")
    duration, pages = told.pop("duration_ms"), told.pop("pages")
    assert told == {
        "event": "run.finished",
        "mailbox_id": 1,
        "lease_epoch": told["lease_epoch"],
        "run_id": 1,
        "result": "done",
        "messages_created": 1,
        "messages_updated": 0,
        "messages_moved": 0,
        "messages_removed": 0,
        "messages_set_aside": 0,
        "error_code": "",
        "graph_request_id": "",
    }
    assert duration >= 0
    assert pages > 0


def test_a_run_that_was_refused_names_the_request(
    connected: Host, mailbox: Box, clock: Clock, records: Records
) -> None:
    mailbox.throttle(times=None, retry_after=600)
    sync(connected, clock)
    (told,) = records.of("run.finished")
    assert (told["result"], told["error_code"]) == ("throttled", "ApplicationThrottled")
    assert told["graph_request_id"]


def test_every_event_is_documented() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "flask_ms365").rglob("*.py"))
    events = set(re.findall(r'"event": "([a-z_.]+)"', source))
    documented = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert {event for event in events if f"`{event}`" not in documented} == set()
