"""The team's mailboxes from the button to the mail: each way of reading, refusals in words, and who may."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.models import AuditEvent, Connection, Mailbox, Message
from flask_ms365.simulator import Simulator
from tests.identity.conftest import session_of
from tests.team import ADDRESS, LIST, NEW, Team
from tests.visitor import path_of, sign_in_at_microsoft
from tests.web.conftest import main, words


def asked_of_microsoft(answer: TestResponse) -> dict[str, list[str]]:
    return parse_qs(urlsplit(answer.headers["Location"]).query)


# its own account


def test_a_service_account_signs_in_for_its_own_mailbox(team: Team) -> None:
    page = team.connect("sign_in", team.support)
    assert "Connected" in page.text
    row = team.row()
    assert (row.kind, row.owner_id, row.access, row.state, row.label) == (
        "system",
        None,
        "sign_in",
        "connected",
        "Support",
    )
    assert team.read() == ["Help"]


def test_another_address_of_the_account_is_the_same_mailbox(team: Team) -> None:
    team.support.aliases.append("help@contoso.example")
    team.come_back(team.add("sign_in", "HELP@contoso.example"), team.support)
    assert (team.row().address, team.row().upn) == (ADDRESS, ADDRESS)


def test_the_account_of_the_mailbox_is_filled_in_at_microsoft(team: Team) -> None:
    assert asked_of_microsoft(team.add("sign_in"))["login_hint"] == [ADDRESS]


def test_another_account_is_asked_about_and_nothing_is_stored(team: Team) -> None:
    page = main(team.connect("sign_in", team.ana).text)
    assert "You signed in as ana@contoso.example, and that is not support@contoso.example." in page
    assert "Read it as a shared mailbox" in page
    assert team.all(Connection.id) == []
    assert team.row().state == "sign_in_needed"


def test_another_account_may_read_it_as_a_shared_mailbox_after_all(team: Team) -> None:
    team.support.share_with(team.ana)
    team.connect("sign_in", team.ana)
    team.come_back(team.press("connect", access="shared"), team.ana)
    assert (team.row().access, team.row().state) == ("shared", "connected")
    assert team.read() == ["Help"]


def test_a_sign_in_that_was_broken_off_leaves_a_mailbox_that_says_so(team: Team) -> None:
    team.add("sign_in")
    assert "Sign-in needed" in main(team.visitor.get(LIST).text)
    page = main(team.visitor.get(team.page_path).text)
    assert "Nobody has signed in for this mailbox yet" in page
    assert team.read() == []


def test_permissions_that_were_declined_are_told_on_the_mailbox_s_page(team: Team) -> None:
    page = team.come_back(team.add("sign_in"), team.support, action="cancel")
    assert page.request.path == team.page_path
    assert "Not connected" in main(page.text)


def test_a_grant_that_died_is_renewed_from_the_mailbox_s_page(team: Team) -> None:
    team.connect("sign_in", team.support)
    team.simulator.revoke(team.support)
    team.simulator.expire_access_tokens()
    with team.host.app.app_context():
        team.host.ms365.sync_mailbox(team.row().id)
    assert team.row().state == "sign_in_needed"
    assert "Sign in again" in main(team.visitor.get(team.page_path).text)
    team.come_back(team.press("connect"), team.support)
    assert (team.row().state, team.read()) == ("connected", ["Help"])


# a delegate


def test_a_delegate_reads_a_shared_mailbox(team: Team) -> None:
    team.support.share_with(team.ana)
    team.connect("shared", team.ana)
    assert (team.row().access, team.read()) == ("shared", ["Help"])
    assert "Account that signed in ana@contoso.example" in main(team.visitor.get(team.page_path).text)


def test_only_a_shared_mailbox_asks_for_the_permission_on_shared_mail(team: Team) -> None:
    scopes = {
        access: asked_of_microsoft(team.add(access, f"{access}@contoso.example", access))["scope"]
        for access in ("sign_in", "shared")
    }
    assert scopes == {
        "sign_in": ["openid profile offline_access User.Read Mail.Read"],
        "shared": ["openid profile offline_access User.Read Mail.Read.Shared"],
    }


def test_without_full_access_nothing_is_stored(team: Team) -> None:
    page = main(team.connect("shared", team.ana).text)
    assert "Microsoft does not let this app read support@contoso.example." in page
    assert "full access to this mailbox in Exchange" in page
    assert team.all(Connection.id) == []


def test_an_address_that_microsoft_does_not_know_is_told(team: Team) -> None:
    page = main(team.come_back(team.add("shared", "nobody@contoso.example"), team.ana).text)
    assert "Microsoft knows no mailbox nobody@contoso.example." in page


def test_another_delegate_may_take_over(team: Team, simulator: Simulator) -> None:
    kim = simulator.add_user("kim@contoso.example", password="kim")
    for delegate in (team.ana, kim):
        team.support.share_with(delegate)
    team.connect("shared", team.ana)
    team.come_back(team.press("connect"), kim)
    with team.host.app.app_context():
        grants = session_of(team.host).execute(select(Connection.upn, Connection.is_dead, Connection.refresh_token))
        found = {upn: (is_dead, token is None) for upn, is_dead, token in grants}
    assert found == {"ana@contoso.example": (True, True), "kim@contoso.example": (False, False)}
    assert team.read() == ["Help"]


def test_a_delegate_s_own_mailbox_goes_on_beside_the_shared_one(team: Team) -> None:
    team.support.share_with(team.ana)
    team.ana.mailbox.deliver(subject="Mine")
    team.visitor.connect(team.ana)
    team.connect("shared", team.ana)
    team.simulator.expire_access_tokens()
    with team.host.app.app_context():
        results = {run.address: str(run.result) for run in team.host.ms365.tick().runs}
    assert results == {"ana@contoso.example": "done", ADDRESS: "done"}
    assert sorted(team.all(Message.subject)) == ["Help", "Mine"]


def test_one_sign_in_of_a_delegate_wakes_all_mailboxes_that_waited_for_it(team: Team, simulator: Simulator) -> None:
    sales = simulator.add_user("sales@contoso.example")
    for box in (team.support, sales):
        box.share_with(team.ana)
    team.connect("shared", team.ana)
    team.come_back(team.add("shared", "sales@contoso.example", "Sales"), team.ana)
    simulator.revoke(team.ana)
    simulator.expire_access_tokens()
    with team.host.app.app_context():
        team.host.ms365.tick()
    assert team.all(Mailbox.state) == ["sign_in_needed"] * 2
    page = f"{LIST}/{team.all(Mailbox.id)[0]}"
    team.come_back(team.visitor.submit(page, {}, to=f"{page}/connect"), team.ana)
    assert team.all(Mailbox.state) == ["connected"] * 2


# the list, the form and the people


@pytest.mark.parametrize(
    "address", ["", "support", "a/b@contoso.example", "a b@contoso.example", "../me@x", "ä@contoso.example", "a@b@c.de"]
)
def test_what_is_no_address_is_refused_beside_the_field(team: Team, address: str) -> None:
    answer = team.add("application", address)
    assert answer.status_code == 200
    assert words(answer.text, r'id="ms365-address-error">(.*?)</div>') != ""
    assert team.row() is None


def test_a_mailbox_is_added_once(team: Team) -> None:
    team.add("sign_in")
    answer = team.add("application", "SUPPORT@Contoso.example")
    assert "support@contoso.example is there already." in main(answer.text)
    assert len(team.all(Mailbox.id)) == 1


def test_a_mailbox_is_not_added_a_second_time_under_its_alias(team: Team) -> None:
    team.support.aliases.append("help@contoso.example")
    team.connect("sign_in", team.support)
    page = main(team.come_back(team.add("sign_in", "help@contoso.example", "Help desk"), team.support).text)
    assert "This account's mailbox is among the team's already." in page
    assert team.all(Mailbox.state) == ["connected", "sign_in_needed"]


def test_a_mailbox_that_a_person_reads_too_is_told(team: Team) -> None:
    team.visitor.connect(team.ana)
    team.come_back(team.add("sign_in", "ana@contoso.example"), team.ana)
    assert "This mailbox is read twice" in main(team.visitor.get(team.page_path).text)


def test_a_mailbox_whose_mail_was_kept_is_taken_up_again(team: Team) -> None:
    team.add("application")
    team.read()
    before = team.row().id
    team.visitor.submit(f"{team.page_path}/disconnect", {"mail": "keep"})
    assert team.row().state == "disconnected"
    team.connect("sign_in", team.support)
    assert (team.row().id, team.row().access, team.row().state) == (before, "sign_in", "connected")
    assert team.read() == ["Help"]


def test_the_list_leads_to_each_mailbox(team: Team) -> None:
    team.add("application")
    assert f'href="{team.page_path}"' in team.visitor.get(LIST).text
    assert "The app's own permission" in main(team.visitor.get(team.page_path).text)


def test_adding_and_connecting_is_in_the_audit_log(team: Team) -> None:
    team.connect("sign_in", team.support)
    assert [action for action in team.all(AuditEvent.action) if action.startswith("mailbox")] == [
        "mailbox.added",
        "mailbox.connected",
    ]
    page = main(team.visitor.get("/ms365/audit").text)
    assert "support@contoso.example added" in page
    assert "support@contoso.example connected" in page


def test_a_person_s_own_mailbox_is_not_the_team_s_to_handle(team: Team) -> None:
    team.visitor.connect(team.ana)
    path = f"{LIST}/{team.all(Mailbox.id)[0]}"
    posted = [team.visitor.post(f"{path}/{verb}").status_code for verb in ("connect", "check", "disconnect", "edit")]
    assert posted == [404] * 4


@pytest.mark.parametrize("permission", ["manage_settings", "own_mailbox", "read_mail"])
def test_only_who_manages_mailboxes_comes_in(team: Team, permission: str) -> None:
    team.add("application")
    paths = [LIST, NEW, team.page_path]
    team.host.permissions = {permission}
    # whoever has a mailbox of their own may see that one: this one does not exist for them
    refused = 404 if permission == "own_mailbox" else 403
    assert [team.visitor.get(path).status_code for path in paths] == [403, 403, refused]
    team.host.permissions = {"manage_mailboxes"}
    assert [team.visitor.get(path).status_code for path in paths] == [200] * 3


def test_who_may_no_longer_manage_mailboxes_does_not_finish_a_sign_in(team: Team) -> None:
    """The permission of a flow is that of its purpose: fault 8."""
    begun = team.add("sign_in")
    team.host.permissions = {"own_mailbox"}
    back = sign_in_at_microsoft(begun.headers["Location"], team.support)
    team.visitor.get(path_of(back))
    assert team.all(Connection.id) == []


def test_the_team_s_mail_is_read_by_those_who_may(team: Team) -> None:
    """Reading the team's mail is not enough: somebody must let one in. See tests/web/test_readers.py."""
    team.add("application")
    team.read()
    subjects = {}
    for permissions in ("read_mail manage_mailboxes", "read_mail", "own_mailbox"):
        team.host.permissions = set(permissions.split())
        subjects[permissions] = "Help" in team.visitor.get("/ms365/messages").text
    assert subjects == {"read_mail manage_mailboxes": True, "read_mail": False, "own_mailbox": False}


def test_nobody_is_sent_to_microsoft_before_it_can_work(make_host: Any) -> None:
    host = make_host()
    visitor = host.visitor()
    answer = visitor.submit(NEW, {"access": "sign_in", "address": ADDRESS, "label": ""})
    assert answer.status_code == 200
    assert "Nobody can sign in for a mailbox yet" in main(answer.text)
