"""The check over each way of reading: what is allowed can be read, and what is forbidden cannot."""

from __future__ import annotations

import json

import pytest

from flask_ms365.check import Outcome
from flask_ms365.check.subject import Address
from flask_ms365.simulator import Simulator
from flask_ms365.state import current_state
from tests.check.conftest import CHECK, last_run, said
from tests.conftest import CALLBACK
from tests.team import ADDRESS, Team

CEO = "ceo@contoso.example"


@pytest.fixture(autouse=True)
def ceo(simulator: Simulator) -> None:
    simulator.add_user(CEO)


def look(team: Team, forbidden: str = "") -> Outcome:
    """Run the check; return what it says of mailboxes."""
    with team.host.app.app_context():
        check = current_state().check
        run = check.run_all(actor="ana", address=Address(redirect_uri=CALLBACK), forbidden=forbidden)
    return said(run, "mailbox")


def test_one_mailbox_of_each_way_is_read(team: Team, simulator: Simulator) -> None:
    shared = simulator.add_user("shared@contoso.example")
    shared.share_with(team.ana)
    team.visitor.connect(team.ana)
    team.come_back(team.add("shared", "shared@contoso.example"), team.ana)
    team.add("application")
    outcome = look(team)
    assert outcome.state == "passed"
    assert all(f"{name}@contoso.example can be read." in outcome.message for name in ("ana", "shared", "support"))


def test_a_shared_mailbox_without_full_access_is_red(team: Team) -> None:
    team.support.share_with(team.ana)
    team.connect("shared", team.ana)
    team.support.delegates.clear()
    outcome = look(team)
    assert (outcome.state, outcome.endpoint) == ("failed", "mailboxes")
    assert "full access" in outcome.next_step


def test_missing_app_permissions_are_told_as_missing_consent(team: Team) -> None:
    team.add("application")
    team.app.application_permissions = set()
    team.simulator.expire_access_tokens()
    outcome = look(team)
    assert (outcome.state, outcome.code, outcome.page) == ("failed", "ErrorAccessDenied", "permissions")
    assert ".default" in outcome.next_step


def test_a_forbidden_mailbox_that_is_refused_is_green(team: Team) -> None:
    team.app.allowed_mailboxes = {ADDRESS}
    team.add("application")
    outcome = look(team, CEO)
    assert outcome.state == "passed"
    assert "The app cannot read ceo@contoso.example by itself." in outcome.message


def test_a_forbidden_mailbox_that_can_be_read_is_red(team: Team) -> None:
    team.add("application")
    outcome = look(team, CEO)
    assert (outcome.state, outcome.endpoint) == ("failed", "mailboxes")
    assert "The app can read ceo@contoso.example" in outcome.message


def test_a_scope_in_exchange_beside_the_consent_is_found_out(team: Team) -> None:
    team.app.exchange_scope = {ADDRESS}
    team.add("application")
    assert look(team, CEO).state == "failed"
    team.app.application_permissions = set()
    team.simulator.expire_access_tokens()
    assert look(team, CEO).state == "passed"


@pytest.mark.parametrize("address", ["nobody@contoso.example", "no address"])
def test_what_is_no_mailbox_proves_nothing(team: Team, address: str) -> None:
    team.add("application")
    assert look(team, address).state == "warning"


def test_a_delegate_s_grant_is_measured_by_what_it_asked_for(team: Team) -> None:
    team.support.share_with(team.ana)
    team.connect("shared", team.ana)
    with team.host.app.app_context():
        run = current_state().check.run_all(actor="ana", address=None)
    assert said(run, "permissions").state == "passed"


def test_the_page_asks_for_a_forbidden_address_where_there_is_such_a_mailbox(team: Team) -> None:
    assert 'name="forbidden"' not in team.visitor.get(CHECK).text
    team.add("application")
    team.visitor.submit(CHECK, {"forbidden": CEO})
    assert said(last_run(team.host), "mailbox").state == "failed"


def test_step_by_step_it_is_asked_as_well(team: Team) -> None:
    team.add("application")
    fields = {"forbidden": CEO, "step": "next"}
    team.visitor.submit(CHECK, fields)
    run_id = str(last_run(team.host).id)
    while last_run(team.host).is_running:
        team.visitor.submit(CHECK, {**fields, "run": run_id})
    assert said(last_run(team.host), "mailbox").state == "failed"


def test_the_command_line_asks_too(team: Team) -> None:
    team.add("application")
    result = team.host.app.test_cli_runner().invoke(args=["ms365", "check", "--json", "--forbidden", CEO])
    steps = {step["name"]: step["state"] for step in json.loads(result.output)["steps"]}
    assert (result.exit_code, steps["mailbox"]) == (1, "failed")
