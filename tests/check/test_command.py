"""``flask ms365 check``: what a person reads, what a monitor reads, and the exit code for both."""

from __future__ import annotations

import json
from datetime import timedelta

from click.testing import Result
from sqlalchemy import select

from flask_ms365.audit import command_line_user
from flask_ms365.check import failed, passed
from flask_ms365.models import AuditEvent
from flask_ms365.state import current_state
from tests.check.conftest import Desk, last_run


def check(desk: Desk, *arguments: str) -> Result:
    return desk.host.app.test_cli_runner().invoke(args=["ms365", "check", *arguments])


def test_when_all_is_well_it_ends_with_0(desk: Desk) -> None:
    assert check(desk).exit_code == 0


def test_when_a_step_failed_it_ends_with_1(desk: Desk) -> None:
    desk.app.expire_secret()
    assert check(desk).exit_code == 1


def test_a_warning_is_no_failure(desk: Desk) -> None:
    desk.simulator.date_skew = timedelta(minutes=2)
    result = check(desk)
    assert ("WARNING" in result.output, result.exit_code) == (True, 0)


def test_a_person_reads_a_line_a_step_and_what_to_do(desk: Desk) -> None:
    desk.app.expire_secret()
    lines = check(desk).stdout.splitlines()
    failure = next(number for number, line in enumerate(lines) if "FAILED" in line)
    assert lines[failure] == " 6 FAILED      Credentials: The client secret has expired."
    assert lines[failure + 1].strip().startswith("What to do: Create a new client secret")


def test_a_monitor_reads_one_json_object(desk: Desk) -> None:
    desk.app.expire_secret()
    steps = json.loads(check(desk, "--json").stdout)["steps"]
    failure = next(each for each in steps if each["state"] == "failed")
    assert failure["name"] == "credentials"
    assert failure["code"] == "7000222"
    assert set(failure) == {"name", "title", "state", "message", "next_step", "code", "trace", "details"}
    assert {each["state"] for each in steps} == {"passed", "failed", "not_checked"}


def test_a_monitor_reads_when_the_secret_ends(desk: Desk) -> None:
    day = desk.clock().date() + timedelta(days=12)
    desk.save(client_secret_expires_on=day.isoformat())
    said = json.loads(check(desk, "--json").stdout)
    assert (said["client_secret_expires_on"], said["client_secret_days_left"]) == (day.isoformat(), 12)


def test_an_address_that_nobody_has_said_cannot_be_checked_here(desk: Desk) -> None:
    desk.restart(MS365_PUBLIC_BASE_URL=None)
    steps = json.loads(check(desk, "--json").stdout)["steps"]
    assert (steps[0]["name"], steps[0]["state"]) == ("address", "not_checked")


def test_checks_of_the_host_come_last_and_count(desk: Desk) -> None:
    desk.host.ms365.check("Ticket queue")(lambda: passed("12 tickets"))
    desk.host.ms365.check("Search index")(lambda: failed("It is gone.", "Build it again."))
    result = check(desk)
    assert (result.stdout.splitlines()[-2:], result.exit_code) == (
        ["14 FAILED      Search index: It is gone.", "               What to do: Build it again."],
        1,
    )


def test_a_run_from_here_can_be_seen_on_the_page(desk: Desk) -> None:
    check(desk)
    assert last_run(desk.host).counts["passed"] > 5


def test_the_audit_log_names_who_ran_it(desk: Desk) -> None:
    check(desk)
    with desk.host.app.app_context():
        event = current_state().session.scalars(select(AuditEvent).where(AuditEvent.action == "check.run")).one()
        assert event.actor == command_line_user()


def test_no_secret_is_printed(desk: Desk) -> None:
    desk.app.expire_secret()
    assert desk.app.client_secret not in check(desk).output + check(desk, "--json").output


def test_before_anything_is_set_up_it_says_what_is_missing(desk: Desk) -> None:
    desk.host = desk.make_host("new")
    result = check(desk)
    assert ("Application (Client) ID is missing." in result.stdout, result.exit_code) == (True, 1)
