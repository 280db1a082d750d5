"""The mail of the team on the pages: nobody reads it but those who manage it, until somebody lets them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from flask_ms365.models import Message, Reader
from tests.directory import People
from tests.identity.conftest import session_of
from tests.team import Team
from tests.visitor import controls
from tests.web.editing import host, people

__all__ = ["host", "people"]

MESSAGES = "/ms365/messages"
STAFF = {"own_mailbox", "read_mail"}


@pytest.fixture
def desk(team: Team) -> Team:
    """Return the team with one message, and the mailbox's edit page open to an admin."""
    team.add("application")
    assert team.read() == ["Help"]
    return team


def let_in(team: Team, **chosen: Any) -> None:
    """Choose readers as an admin does."""
    visitor, path = team.host.visitor(), f"{team.page_path}/edit"
    answer = visitor.post(path, data={**controls(visitor.get(path).text), **chosen})
    assert answer.status_code == 303


def reads(team: Team, user_id: str | None = "kim", permissions: set[str] = STAFF) -> bool:
    """Tell whether somebody can read the team's message, in the list and by its address alike."""
    with team.host.app.app_context():
        message_id = team.session.scalars(select(Message.id)).one()
    before, team.host.user_id = team.host.user_id, user_id
    allowed, team.host.permissions = team.host.permissions, permissions
    try:
        visitor = team.host.visitor()
        is_listed = "Help" in visitor.get(MESSAGES).text
        assert (visitor.get(f"{MESSAGES}/{message_id}").status_code == 200) is is_listed
    finally:
        team.host.user_id, team.host.permissions = before, allowed
    return is_listed


def test_nobody_reads_it_but_who_manages_it(desk: Team) -> None:
    """Before, and in many a help desk, the permission to read mail was enough."""
    assert reads(desk) is False
    assert reads(desk, "ana", STAFF | {"manage_mailboxes"}) is True


def test_who_manages_mailboxes_reads_no_mail_without_that_permission(desk: Team) -> None:
    assert reads(desk, "ana", {"own_mailbox", "manage_mailboxes"}) is False


@pytest.mark.parametrize(
    ("chosen", "who"),
    [
        ({"person": ["ben"]}, {"ben"}),
        ({"owner": "ben"}, {"ben"}),
        ({"role": ["desk"]}, {"kim"}),
        ({"role": ["sales"]}, set()),
        ({"role": ["sales"], "person": ["ben"]}, {"ben"}),
        ({"everyone": "y"}, {"kim", "ben", None}),
    ],
)
def test_whoever_is_let_in_reads_it(desk: Team, chosen: dict[str, Any], who: set[str | None]) -> None:
    let_in(desk, **chosen)
    assert {user_id for user_id in ("kim", "ben", None) if reads(desk, user_id)} == who


def test_to_be_let_in_is_not_enough(desk: Team) -> None:
    """The host has the last word: its permission to read mail is needed as well."""
    let_in(desk, everyone="y", person=["kim"], role=["desk"], owner="kim")
    assert reads(desk, "kim", {"own_mailbox"}) is False


def test_a_role_that_is_taken_away_closes_at_once(desk: Team, people: People) -> None:
    let_in(desk, role=["desk"])
    before = reads(desk)
    people.roles_by_user["kim"] = ["sales"]
    assert (before, reads(desk)) == (True, False)


@pytest.mark.parametrize("answer", [ConnectionError("away"), "desk", None, [["desk"]], {"desk": None, None: "desk"}])
def test_a_directory_that_fails_closes(desk: Team, monkeypatch: pytest.MonkeyPatch, answer: object) -> None:
    let_in(desk, role=["desk"])

    def roles_of(user_id: str) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(desk.host.app.extensions["ms365.state"].directory.directory, "roles_of", roles_of)
    assert reads(desk) is False


def test_who_is_let_in_by_name_does_not_need_the_directory(desk: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    let_in(desk, person=["kim"])
    monkeypatch.setattr(desk.host.app.extensions["ms365.state"].directory, "directory", None)
    assert reads(desk) is True


def test_a_reader_does_not_manage(desk: Team) -> None:
    let_in(desk, person=["kim"], owner="kim")
    visitor, paths = desk.host.visitor(), [desk.page_path, f"{desk.page_path}/edit", f"{desk.page_path}/folders"]
    desk.host.user_id, desk.host.permissions = "kim", STAFF
    # routes that are for one's own mailbox as well look whose it is
    assert [visitor.get(path).status_code for path in paths] == [404, 403, 404]


def test_an_owner_s_mailbox_of_the_team_is_not_their_own(desk: Team) -> None:
    """*My email* is for the mailbox that somebody has connected, and leaving is not theirs to do."""
    let_in(desk, owner="kim")
    desk.host.user_id, desk.host.permissions = "kim", STAFF
    page = desk.host.visitor().get("/ms365/my-email")
    assert (page.status_code, "support@contoso.example" in page.text) == (200, False)


def test_reading_asks_for_roles_once_and_costs_no_statement_more(desk: Team, people: People) -> None:
    asked: list[str] = []

    def roles_of(user_id: str) -> list[str]:
        asked.append(user_id)
        return ["desk"]

    people.roles_of = roles_of  # type: ignore[method-assign]
    let_in(desk, role=["desk"])
    managing = statements(desk, "ana", STAFF | {"manage_mailboxes"})
    assert asked == []  # who manages needs no role
    reading = statements(desk, "kim", STAFF)
    assert (asked, reading <= managing) == (["kim"], True)


def statements(team: Team, user_id: str, permissions: set[str]) -> int:
    team.host.user_id, team.host.permissions = user_id, permissions
    seen: list[str] = []
    with team.host.app.app_context():
        engine = session_of(team.host).get_bind()

    def listen(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)

    event.listen(engine, "before_cursor_execute", listen)
    assert "Help" in team.host.visitor().get(MESSAGES).text
    event.remove(engine, "before_cursor_execute", listen)
    return len(seen)


def test_readers_leave_with_their_mailbox(desk: Team) -> None:
    let_in(desk, person=["kim"], role=["desk"])
    desk.visitor.submit(f"{desk.page_path}/disconnect", {"mail": "delete"})
    with desk.host.app.app_context():
        desk.host.ms365.tick()
        left = [session_of(desk.host).query(model).count() for model in (Message, Reader)]
    assert (left, desk.row()) == ([0, 0], None)


def test_kept_mail_is_read_by_the_same_people(desk: Team) -> None:
    let_in(desk, person=["kim"])
    desk.visitor.submit(f"{desk.page_path}/disconnect", {"mail": "keep"})
    assert (reads(desk, "kim"), reads(desk, "ben")) == (True, False)
