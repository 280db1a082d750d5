"""A mailbox's name, its owner, and who may read it, as an admin chooses them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from flask_ms365.models import Mailbox
from tests.directory import People
from tests.team import ADDRESS, Team
from tests.visitor import controls
from tests.web.conftest import main, words
from tests.web.editing import edit, host, offered, people, readers, save, support, ticked

__all__ = ["host", "people", "support"]


# its name


def test_a_name_is_given(support: Team) -> None:
    answer = save(support, label="  Help desk ")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{edit(support)}?saved=1")
    assert support.row().label == "Help desk"
    assert "Saved" in main(support.visitor.get(answer.headers["Location"]).text)


def test_a_name_may_be_taken_away(support: Team) -> None:
    save(support, label="")
    assert support.row().label is None


def second_mailbox(team: Team, label: str, address: str = "sales@contoso.example") -> TestResponse:
    team.simulator.add_user(address, password="sales")
    return team.add("application", address, label)


@pytest.mark.parametrize("label", ["Sales", "SALES", " sales "])
def test_a_name_is_given_once(support: Team, label: str) -> None:
    page_path = edit(support)
    second_mailbox(support, "Sales")
    page = support.visitor.get(page_path).text
    given = controls(page)
    answer = support.visitor.post(page_path, data={**given, "label": label, "person": ["kim"]})
    assert answer.status_code == 200
    assert words(answer.text, r'id="ms365-label-error">(.*?)</div>') == "sales@contoso.example has this name already."
    # what was typed and ticked is still there
    assert (controls(answer.text)["label"], ticked(answer.text)) == (label, ["kim"])
    assert readers(support) == set()


def test_a_new_mailbox_gets_no_name_that_is_taken(support: Team) -> None:
    answer = second_mailbox(support, "support")
    assert answer.status_code == 200
    assert words(answer.text, r'id="ms365-label-error">(.*?)</div>') == f"{ADDRESS} has this name already."
    assert support.all(Mailbox.address) == [ADDRESS]


def test_mailboxes_without_a_name_are_no_namesakes(support: Team) -> None:
    save(support, label="")
    assert second_mailbox(support, "").status_code == 303


def test_a_mailbox_that_is_taken_up_again_may_have_its_own_name(support: Team) -> None:
    support.visitor.submit(f"{support.page_path}/disconnect", {"mail": "keep"})
    assert support.add("application").status_code == 303
    assert (support.row().label, support.row().state) == ("Support", "connected")


# who answers for it


def test_whoever_was_found_can_be_chosen_to_answer_for_it(support: Team) -> None:
    page = support.visitor.get(f"{edit(support)}?who=osei").text
    assert "Found: Kim Osei , Kit Osei" in main(page)
    assert {'value="kim"', 'value="kit"'} <= set(re.findall(r'value="ki."', words_of_select(page)))
    save(support, who="osei", owner="kim")
    assert support.row().owner_id == "kim"
    assert 'value="kim" selected' in support.visitor.get(edit(support)).text


def words_of_select(page: str) -> str:
    return re.findall(r"<select.*?</select>", page, re.DOTALL)[0]  # type: ignore[no-any-return]


def test_an_admin_can_choose_themselves_without_a_search(support: Team) -> None:
    assert '<option value="ana">Ana Ruiz</option>' in words_of_select(support.visitor.get(edit(support)).text)


def test_nobody_may_answer_for_it_again(support: Team) -> None:
    save(support, owner="kim")
    save(support, owner="")
    assert support.row().owner_id is None


def test_somebody_whom_the_host_does_not_know_cannot_answer_for_it(support: Team) -> None:
    page = save(support, owner="eve").text
    assert words(page, r'id="ms365-owner-error">(.*?)</div>') == "Nobody here has the user ID eve."
    assert support.row().owner_id is None


def test_an_owner_who_has_left_stays_until_somebody_else_is_chosen(support: Team, people: People) -> None:
    save(support, owner="kim")
    del people.names["kim"]
    assert '<option value="kim" selected>kim</option>' in support.visitor.get(edit(support)).text
    assert save(support, label="Renamed").status_code == 303
    assert (support.row().owner_id, support.row().label) == ("kim", "Renamed")


# who may read it


def test_roles_and_everyone_are_boxes(support: Team) -> None:
    page = support.visitor.get(edit(support)).text
    assert (offered(page, "role"), offered(page, "everyone"), ticked(page)) == (["sales", "desk"], ["y"], [])
    save(support, role=["desk", "sales"], everyone="y")
    assert readers(support) == {("role", "desk"), ("role", "sales"), ("everyone", "")}
    assert ticked(support.visitor.get(edit(support)).text) == ["y", "sales", "desk"]


def test_people_are_added_by_a_search_and_removed_by_a_box(support: Team) -> None:
    page = support.visitor.get(f"{edit(support)}?who=osei").text
    assert (offered(page, "person"), ticked(page)) == (["kim", "kit"], [])
    save(support, who="osei", person=["kim", "kit"])
    assert readers(support) == {("user", "kim"), ("user", "kit")}
    save(support, person=["kit"])
    assert readers(support) == {("user", "kit")}
    assert offered(support.visitor.get(edit(support)).text, "person") == ["kit"]


def test_a_search_that_finds_nobody_says_so(support: Team) -> None:
    assert "Nobody was found." in main(support.visitor.get(f"{edit(support)}?who=zoe").text)


def test_a_search_that_finds_too_many_says_so(support: Team, people: People) -> None:
    people.names = {f"u{number}": f"Kim {number}" for number in range(60)}
    page = support.visitor.get(f"{edit(support)}?who=kim").text
    assert (len(offered(page, "person")), "Only the first are shown." in page) == (50, True)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ({"person": ["eve"]}, "Nobody here has the user ID eve."),
        ({"role": ["board"]}, "There is no role board."),
        ({"role": ["desk", "kim"]}, "There is no role kim."),
    ],
)
def test_nobody_is_let_in_whom_the_host_does_not_know(support: Team, chosen: dict[str, Any], text: str) -> None:
    page = save(support, **chosen).text
    assert words(page, r'id="ms365-readers-error">(.*?)</div>') == text
    assert readers(support) == set()


def test_a_role_that_is_no_more_stays_until_it_is_unticked(support: Team, people: People) -> None:
    save(support, role=["sales"])
    del people.role_names["sales"]
    page = support.visitor.get(edit(support)).text
    assert (ticked(page), "Whoever has the role sales" in main(page)) == (["sales"], True)
    save(support, role=["sales"], label="Renamed")
    assert readers(support) == {("role", "sales")}
    save(support)
    assert readers(support) == set()


class Broken:
    """A directory whose database is away."""

    def _away(self, *_: object) -> Any:
        raise ConnectionError("the directory is away")

    names_of = search = roles = roles_of = _away


@pytest.fixture
def broken_directory(support: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    """Return the team whose directory went away once readers were chosen."""
    save(support, role=["desk"], who="kim", person=["kim"], owner="ana")
    monkeypatch.setattr(support.host.app.extensions["ms365.state"].directory, "directory", Broken())
    return support


def test_a_directory_that_is_away_loses_no_reader(broken_directory: Team) -> None:
    before = readers(broken_directory)
    assert ticked(broken_directory.visitor.get(f"{edit(broken_directory)}?who=kit").text) == ["desk", "kim"]
    assert save(broken_directory, role=["desk"], person=["kim"], label="Renamed").status_code == 303
    assert (readers(broken_directory), broken_directory.row().owner_id) == (before, "ana")


def test_a_directory_that_is_away_lets_nobody_in(broken_directory: Team) -> None:
    before = readers(broken_directory)
    assert save(broken_directory, role=["desk"], person=["kim", "kit"]).status_code == 200
    assert readers(broken_directory) == before


# without a directory


@pytest.fixture
def without_directory(support: Team, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setattr(support.host.app.extensions["ms365.state"].directory, "directory", None)
    return support


def test_without_a_directory_ids_are_typed(without_directory: Team) -> None:
    page = without_directory.visitor.get(edit(without_directory)).text
    assert ("Find people" in page, offered(page, "role"), "<select" in page) == (False, [], False)
    save(without_directory, owner=" 4711 ", person=["", " 12 "])
    assert (without_directory.row().owner_id, readers(without_directory)) == ("4711", {("user", "12")})
    save(without_directory, person=["12", "13"])
    assert readers(without_directory) == {("user", "12"), ("user", "13")}


def test_nul_is_no_part_of_an_id(without_directory: Team) -> None:
    save(without_directory, owner="4\x0011", person=["\0"])
    assert (without_directory.row().owner_id, readers(without_directory)) == ("411", set())


def test_an_id_that_is_too_long_is_refused(without_directory: Team) -> None:
    assert save(without_directory, person=["x" * 129]).status_code == 200
    assert readers(without_directory) == set()
