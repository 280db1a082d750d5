"""Mailboxes that are read with the app's own permission: proved before they are kept, and limited in Exchange."""

from __future__ import annotations

import html

import pytest

from flask_ms365.models import Connection
from flask_ms365.simulator import Simulator
from tests.team import ADDRESS, LIST, Team
from tests.web.conftest import main, words

OTHER = "ceo@contoso.example"


def commands_on(page: str) -> str:
    return html.unescape(words(page, r'id="ms365-scope-first"[^>]*>(.*?)</pre>'))


def test_nobody_signs_in(team: Team) -> None:
    answer = team.add("application")
    assert answer.headers["Location"] == f"{team.page_path}?connected=1"
    assert team.all(Connection.id) == []
    assert team.read() == ["Help"]


def test_graph_is_asked_for_the_address_and_never_for_me(team: Team) -> None:
    team.add("application")
    team.read()
    assert team.simulator.count("GET", f"/v1.0/users/{ADDRESS}/") > 0
    assert team.simulator.count("GET", "/v1.0/me") == 0


def test_the_address_is_kept_as_microsoft_says_it(team: Team) -> None:
    team.support.mailbox.address = "help@contoso.example"
    team.add("application")
    assert (team.row().address, team.row().upn) == ("help@contoso.example", ADDRESS)
    assert team.read() == ["Help"]


def test_no_permission_to_read_profiles_is_needed(team: Team) -> None:
    team.app.application_permissions = {"Mail.Read"}
    team.add("application")
    assert (team.row().address, team.row().upn) == (ADDRESS, None)
    assert team.read() == ["Help"]


def test_without_consent_nothing_is_stored_and_the_consent_is_named(team: Team) -> None:
    team.app.application_permissions = set()
    answer = team.add("application")
    assert answer.status_code == 200
    page = main(answer.text)
    assert "Microsoft does not let this app read support@contoso.example." in page
    assert "admin consent for the application permission Mail.Read (.default)" in page
    assert team.row() is None


def test_a_refusal_brings_the_commands_for_this_mailbox(team: Team) -> None:
    team.app.application_permissions = set()
    commands = commands_on(team.add("application").text)
    assert f"PrimarySmtpAddress -eq ''{ADDRESS}''" in commands
    assert team.app.client_id in commands


def test_with_the_scope_of_those_commands_it_works_without_consent(team: Team) -> None:
    team.app.application_permissions = set()
    team.app.exchange_scope = {ADDRESS}
    team.add("application")
    assert team.read() == ["Help"]


def test_the_commands_name_every_mailbox_and_warn_of_the_permission_that_adds_up(team: Team) -> None:
    team.simulator.add_user("sales@contoso.example")
    team.add("application")
    team.add("application", "sales@contoso.example", "Sales")
    page = team.visitor.get(LIST).text
    assert ADDRESS in commands_on(page)
    assert "sales@contoso.example" in commands_on(page)
    assert "the two add up" in main(page)


def test_mailboxes_with_a_sign_in_are_not_in_the_commands(team: Team) -> None:
    team.add("sign_in")
    assert commands_on(team.visitor.get(LIST).text) == ""


def test_an_unknown_address_is_told(team: Team) -> None:
    page = main(team.add("application", "nobody@contoso.example").text)
    assert "Microsoft knows no mailbox nobody@contoso.example." in page
    assert team.row() is None


@pytest.mark.parametrize("tenant", ["common", "organizations"])
def test_a_tenant_must_be_named(team: Team, tenant: str) -> None:
    with team.host.app.app_context():
        team.host.ms365.settings.save({"tenant_id": tenant}, actor="ana")
    page = main(team.add("application").text)
    assert f"The app's own permission is for one tenant, and the settings say {tenant}." in page
    assert team.simulator.count("POST", "/token") == 0


def test_a_wrong_secret_is_told_and_nothing_is_stored(team: Team) -> None:
    team.app.remove_secret(team.app.client_secret)
    page = main(team.add("application").text)
    assert "The client secret is wrong" in page
    assert team.row() is None


def test_it_is_connected_again_from_its_page(team: Team) -> None:
    team.add("application")
    team.visitor.submit(f"{team.page_path}/disconnect", {"mail": "keep"})
    team.press("connect")
    assert (team.row().state, team.read()) == ("connected", ["Help"])


def test_a_refusal_on_its_page_says_what_to_do(team: Team) -> None:
    team.add("application")
    team.app.allowed_mailboxes = set()
    page = main(team.press("connect").text)
    assert "Microsoft does not let this app read support@contoso.example." in page
    assert "limit the app to its mailboxes in Exchange" in page


def test_a_run_that_was_refused_says_what_to_do(team: Team) -> None:
    team.add("application")
    team.app.allowed_mailboxes = set()
    team.run()
    page = main(team.visitor.get(team.page_path).text)
    assert "Failed" in page
    assert "limit the app to its mailboxes in Exchange" in page


def test_the_check_of_a_mailbox_says_that_it_can_be_read(team: Team) -> None:
    team.add("application")
    assert "The inbox of support@contoso.example can be read." in main(team.press("check").text)


@pytest.fixture
def ceo(simulator: Simulator) -> None:
    simulator.add_user(OTHER)


@pytest.mark.usefixtures("ceo")
def test_the_check_of_a_mailbox_proves_another_one_out_of_reach(team: Team) -> None:
    team.app.allowed_mailboxes = {ADDRESS}
    team.add("application")
    page = main(team.press("check", forbidden=OTHER).text)
    assert "The app cannot read ceo@contoso.example by itself." in page


@pytest.mark.usefixtures("ceo")
def test_the_check_of_a_mailbox_is_red_where_the_app_reads_another_one(team: Team) -> None:
    team.add("application")
    page = main(team.press("check", forbidden=OTHER).text)
    assert "Failed The app can read ceo@contoso.example, and probably every mailbox of the tenant." in page
    assert "Open the mailboxes" in page
