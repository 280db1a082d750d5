"""Runs of the check: stored step by step, in any language, without secrets, and not for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from flask_ms365.check import Outcome, StepResult, failed
from flask_ms365.check.chain import STEPS
from flask_ms365.check.report import report
from flask_ms365.check.runs import Check
from flask_ms365.models import AuditEvent, CheckRun
from flask_ms365.state import current_state
from flask_ms365.words import Words, counted
from tests.check.conftest import Desk, run_check


@pytest.fixture
def check(desk: Desk) -> Iterator[Check]:
    with desk.host.app.app_context():
        yield current_state().check


def began(check: Check) -> int:
    run_id = check.begin(actor="ana")
    assert run_id is not None
    return run_id


def test_a_run_grows_step_by_step(check: Check) -> None:
    run_id = began(check)
    assert check.advance(run_id, None)
    run = check.find(run_id)
    assert run is not None
    assert (len(run.results), len(run.waiting), run.is_running) == (1, len(STEPS) - 1, True)


def test_the_last_step_ends_a_run(check: Check) -> None:
    run_id = began(check)
    advanced = [check.advance(run_id, None) for _ in STEPS]
    run = check.find(run_id)
    assert run is not None
    assert (advanced[-1], set(advanced[:-1]), run.is_running, run.waiting) == (False, {True}, False, ())


def test_a_run_that_has_ended_goes_no_further(check: Check) -> None:
    run = check.run_all(actor="ana", address=None)
    assert run.id is not None
    assert not check.advance(run.id, None)


def test_a_run_that_nobody_knows_goes_no_further(check: Check) -> None:
    assert (check.advance(4711, None), check.find(4711)) == (False, None)


def test_a_run_that_stopped_half_way_ends_after_two_minutes(desk: Desk, check: Check) -> None:
    run_id = began(check)
    check.advance(run_id, None)
    desk.clock.advance(minutes=2, seconds=1)
    run = check.find(run_id)
    assert run is not None
    assert (run.is_running, len(run.waiting)) == (False, len(STEPS) - 1)


@pytest.mark.parametrize(("seconds", "is_recent"), [(9, True), (11, False)])
def test_a_run_is_recent_for_ten_seconds(desk: Desk, check: Check, seconds: int, is_recent: bool) -> None:
    run_id = began(check)
    desk.clock.advance(seconds=seconds)
    assert check.recent() == (run_id if is_recent else None)


def test_the_last_twenty_runs_are_kept(check: Check) -> None:
    ids = [began(check) for _ in range(22)]
    kept = check.session.scalars(select(CheckRun.id).order_by(CheckRun.id)).all()
    assert kept == ids[2:]


def test_a_run_is_in_the_audit_log(check: Check) -> None:
    began(check)
    event = check.session.scalars(select(AuditEvent).where(AuditEvent.action == "check.run")).one()
    assert event.actor == "ana"


def test_a_database_that_takes_nothing_is_checked_all_the_same(check: Check) -> None:
    check.session.connection().exec_driver_sql("PRAGMA query_only = 1")
    check.session.commit()
    run = check.run_all(actor="ana", address=None)
    assert (run.id, run.counts["failed"], run.results[-1].outcome.state) == (None, 1, "failed")
    assert check.session.scalar(select(func.count()).select_from(CheckRun)) == 0


def test_what_is_stored_is_read_again_in_any_language() -> None:
    result = StepResult(
        name="x",
        title=Words("Database"),
        outcome=failed(
            counted("%(count)s key", "%(count)s keys", 2),
            Words("Needs step %(number)s: %(title)s", number=2, title=Words("Settings")),
            page="secrets",
            endpoint="settings",
            code="7000222",
            trace="0a",
            details=((Words("Error"), "invalid_client"), (Words("Also"), Words("Emails sync is off."))),
        ),
    )
    read = StepResult.from_json(json.loads(json.dumps(result.as_json())))
    assert read == result
    assert [_patterns(each) for each in (read, result)] == [
        ["%(count)s keys", "Needs step %(number)s: %(title)s", "Database", "Error", "Emails sync is off."]
    ] * 2


def _patterns(result: StepResult) -> list[str]:
    outcome: Outcome = result.outcome
    texts = (outcome.message, outcome.next_step, result.title, outcome.details[0][0], outcome.details[1][1])
    return [text.pattern for text in texts if isinstance(text, Words)]


def test_the_report_has_every_step_and_its_details(desk: Desk) -> None:
    desk.app.expire_secret()
    text = report(run_check(desk.host))
    assert [f"{number:2} " in text for number in range(1, len(STEPS) + 1)] == [True] * len(STEPS)
    assert " 6 FAILED      Credentials: The client secret has expired." in text
    assert "AADSTS code: 7000222" in text
    assert "Trace ID: " in text


def test_the_report_holds_no_secret(desk: Desk) -> None:
    desk.connect()
    desk.app.expire_secret()
    text = report(run_check(desk.host))
    assert [secret.value in text for secret in desk.app.secrets] == [False]
