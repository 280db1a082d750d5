"""The folder tree while it changes, and folders that nobody may read. Over the simulator only: the tree must change."""

from __future__ import annotations

from typing import Any

import pytest

from .client import Desk, Graph, graph_error_of

TREE = "/me/mailFolders/delta"
HIDDEN = "includeHiddenFolders=true"


@pytest.fixture
def me(desk: Desk) -> Graph:
    """Graph, signed in."""
    return desk.graph()


def plain(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if not name.startswith("@")}


def test_a_renamed_folder_is_a_partial_update(desk: Desk, me: Graph) -> None:
    folder = desk.box.create_folder("Old name")
    _, link = me.round(TREE)
    desk.box.rename_folder(folder, "New name")
    assert [plain(one) for one in me.round(link)[0]] == [{"id": folder, "displayName": "New name"}]


def test_a_moved_folder_is_a_partial_update(desk: Desk, me: Graph) -> None:
    folder, parent = desk.box.create_folder("Inner"), desk.box.create_folder("Outer")
    _, link = me.round(TREE)
    desk.box.move_folder(folder, parent)
    assert [plain(one) for one in me.round(link)[0]] == [{"id": folder, "parentFolderId": parent}]


def test_a_folder_may_be_told_in_full(desk: Desk, me: Graph) -> None:
    desk.box.partial_updates = False
    folder = desk.box.create_folder("Old name")
    _, link = me.round(TREE)
    desk.box.rename_folder(folder, "New name")
    (change,) = me.round(link)[0]
    assert {"displayName", "parentFolderId", "totalItemCount", "isHidden"} < change.keys()


def test_a_deleted_folder_is_removed_with_those_below_it(desk: Desk, me: Graph) -> None:
    outer = desk.box.create_folder("Outer")
    inner = desk.box.create_folder("Inner", parent=outer)
    _, link = me.round(TREE)
    desk.box.delete_folder(outer)
    assert [(one["id"], one["@removed"]) for one in me.round(link)[0]] == [
        (inner, {"reason": "deleted"}),
        (outer, {"reason": "deleted"}),
    ]


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_folder_that_another_one_replaced_may_go_unreported(desk: Desk, me: Graph, is_lost: bool) -> None:
    desk.box.lose_replaced_folders = is_lost
    gone = desk.box.create_folder("Projects")
    _, link = me.round(TREE)
    desk.box.delete_folder(gone)
    new = desk.box.create_folder("Projects")
    assert {one["id"] for one in me.round(link)[0]} == ({new} if is_lost else {new, gone})


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_hidden_folders_are_in_the_delta_on_request(desk: Desk, me: Graph, is_asked_for: bool) -> None:
    first = desk.box.create_folder("First", hidden=True)
    found, link = me.round(f"{TREE}?{HIDDEN}" if is_asked_for else TREE)
    second = desk.box.create_folder("Second", hidden=True)
    assert (first in {one["id"] for one in found}) is is_asked_for
    assert [one["id"] for one in me.round(link)[0]] == ([second] if is_asked_for else [])


def test_the_tree_comes_in_pages(desk: Desk, me: Graph) -> None:
    page = me.get(TREE, Prefer="odata.maxpagesize=2").json()
    assert (len(page["value"]), "@odata.nextLink" in page, "@odata.deltaLink" in page) == (2, True, False)


def test_child_folders_come_in_pages(desk: Desk, me: Graph) -> None:
    parent = desk.box.create_folder("Parent")
    for number in range(3):
        desk.box.create_folder(str(number), parent=parent, hidden=number == 2)
    first = me.get(f"/me/mailFolders/{parent}/childFolders?{HIDDEN}&$top=2").json()
    second = me.get(first["@odata.nextLink"]).json()
    assert [one["displayName"] for one in first["value"] + second["value"]] == ["0", "1", "2"]
    assert "@odata.nextLink" not in second


@pytest.mark.parametrize(("status", "code"), [(403, "ErrorAccessDenied"), (404, "ErrorItemNotFound")])
def test_a_folder_that_nobody_may_read_is_still_listed(desk: Desk, me: Graph, status: int, code: str) -> None:
    desk.box.fail_folder("archive", status, code)
    assert graph_error_of(me.get("/me/mailFolders/archive/messages/delta")) == (status, code)
    assert graph_error_of(me.get("/me/mailFolders/archive/messages")) == (status, code)
    assert me.get("/me/mailFolders/archive").status == 200
    desk.box.heal_folder("archive")
    assert me.get("/me/mailFolders/archive/messages/delta").status == 200
