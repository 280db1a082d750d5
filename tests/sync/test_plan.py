"""The decision table of ``sync/plan.py``, row by row: values in, values out."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from msgspec import UNSET

from flask_ms365 import Change
from flask_ms365.graph import MessageData, Outline
from flask_ms365.graph.types import Body, EmailAddress, Person, Removed
from flask_ms365.sync.plan import (
    FolderRef,
    Known,
    departures,
    is_as_known,
    likeness_of,
    merge,
    pair_up,
    plan_arrivals,
    plan_departures,
    still_in_sight,
    to_read_in_full,
)

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
HERE = FolderRef(id=1, is_selected=True)
THERE = FolderRef(id=2, is_selected=True)
WASTE = FolderRef(id=3, is_selected=False)
GONE = {"folder_id": 1, "removed_at": NOW, "removed_reason": "deleted"}
FOLDERS = {"here": HERE, "there": THERE, "waste": WASTE}


def full(key: str = "m", **changed: Any) -> MessageData:
    """Return a message in full."""
    given: dict[str, Any] = {
        "subject": "Hello",
        "received_date_time": NOW,
        "body": Body(content_type="text", content="x"),
        "change_key": "k1",
        "is_read": False,
    }
    return MessageData(id=key, **{**given, **changed})


def removed(key: str = "m") -> MessageData:
    return MessageData(id=key, removed=Removed(reason="deleted"))


def known(**changed: Any) -> Known:
    """Return what the database has of message ``m``."""
    given: dict[str, Any] = {
        "id": 7,
        "graph_id": "m",
        "folder_id": 1,
        "change_key": "k1",
        "is_read": False,
        "removed_at": None,
    }
    return Known(**{**given, **changed})


def test_an_item_is_as_known_by_its_change_key_and_read_state() -> None:
    assert is_as_known(Outline(id="m", change_key="k1", is_read=False), known(), HERE)
    assert is_as_known(Outline(id="m", change_key="k1"), known(), HERE)


@pytest.mark.parametrize(
    ("item", "before"),
    [
        pytest.param(Outline(id="m", change_key="k1", is_read=False), None, id="unknown"),
        pytest.param(Outline(id="m", change_key="k2", is_read=False), known(), id="other change key"),
        pytest.param(Outline(id="m", is_read=False), known(), id="no change key"),
        pytest.param(Outline(id="m", change_key="k1", is_read=True), known(), id="read, same change key"),
        pytest.param(Outline(id="m", change_key="k1"), known(folder_id=2), id="known in another folder"),
        pytest.param(Outline(id="m", change_key="k1"), known(removed_at=NOW), id="known as removed"),
        pytest.param(Outline(id="m", change_key="k1"), known(change_key=None), id="to be read again"),
        pytest.param(Outline(id="m", change_key="k1", removed=Removed(reason="changed")), known(), id="removed"),
    ],
)
def test_whatever_else_an_item_says_is_planned(item: Outline, before: Known | None) -> None:
    assert not is_as_known(item, before, HERE)


@pytest.mark.parametrize(
    ("item", "before", "change"),
    [
        pytest.param(full(), None, Change.CREATED, id="unknown"),
        pytest.param(full(change_key="k2"), known(), Change.UPDATED, id="other change key"),
        pytest.param(full(is_read=True), known(), Change.UPDATED, id="read, same change key"),
        pytest.param(MessageData(id="m", is_read=True), known(), Change.UPDATED, id="read state only"),
        pytest.param(full(), known(folder_id=2), Change.MOVED, id="known in another folder"),
        pytest.param(full(), known(removed_at=NOW), Change.UPDATED, id="back where it was"),
        pytest.param(full(), known(removed_at=NOW, folder_id=3), Change.MOVED, id="back from the waste"),
        pytest.param(full(), known(graph_id="old"), Change.UPDATED, id="under a new id"),
    ],
)
def test_an_item_is_written_with_its_change(item: MessageData, before: Known | None, change: Change | None) -> None:
    (write,) = plan_arrivals({"m": item}, {"m": before} if before else {}, HERE)

    assert write.change == change
    assert write.row_id == (before.id if before else None)
    assert write.values["folder_id"] == HERE.id


@pytest.mark.parametrize("item", [full(), MessageData(id="m", is_read=False)])
def test_an_item_that_says_nothing_new_is_not_written(item: MessageData) -> None:
    assert plan_arrivals({"m": item}, {"m": known()}, HERE) == []


def test_a_read_state_alone_leaves_the_other_columns_as_they_are() -> None:
    (write,) = plan_arrivals({"m": MessageData(id="m", is_read=True)}, {"m": known()}, HERE)

    assert "subject" not in write.values
    assert write.values["is_read"] is True


@pytest.mark.parametrize(
    ("item", "before", "is_read"),
    [
        pytest.param(MessageData(id="m", is_read=True), None, True, id="in part and unknown"),
        pytest.param(MessageData(id="m", subject="New"), known(), True, id="in part and says more"),
        pytest.param(MessageData(id="m", is_read=True), known(), False, id="read state of a known one"),
        pytest.param(full(), None, False, id="in full"),
        pytest.param(removed(), None, False, id="removed"),
        pytest.param(MessageData(id="m", change_key="k1"), known(), False, id="compared, the same"),
        pytest.param(MessageData(id="m", change_key="k2"), known(), True, id="compared, and not the same"),
        pytest.param(MessageData(id="m", change_key="k1"), known(removed_at=NOW), True, id="compared, and back"),
        pytest.param(MessageData(id="m", change_key="k1"), None, True, id="compared and unknown"),
    ],
)
def test_an_item_that_says_too_little_is_read_in_full(item: MessageData, before: Known | None, is_read: bool) -> None:
    assert to_read_in_full({"m": item}, {"m": before} if before else {}, HERE) == (["m"] if is_read else [])


@pytest.mark.parametrize(
    ("before", "is_departure"),
    [(known(), True), (known(folder_id=2), False), (known(removed_at=NOW), True), (None, True)],
)
def test_a_departure_counts_unless_the_message_is_elsewhere_by_now(before: Known | None, is_departure: bool) -> None:
    found = departures({"m": removed()}, {"m": before} if before else {}, HERE)

    assert found == (["m"] if is_departure else [])


@pytest.mark.parametrize(
    ("place", "moved", "change", "values"),
    [
        pytest.param(None, {}, Change.REMOVED, GONE, id="gone"),
        pytest.param(
            "there",
            {"m": None},
            Change.REMOVED,
            GONE,
            id="gone while we asked",
        ),
        pytest.param(
            "waste",
            {},
            Change.REMOVED,
            {"folder_id": 3, "removed_at": NOW, "removed_reason": "unselected"},
            id="not selected",
        ),
        pytest.param(
            "nowhere",
            {},
            Change.REMOVED,
            {**GONE, "removed_reason": "unselected"},
            id="not even listed",
        ),
    ],
)
def test_a_confirmed_departure_is_a_removal(
    place: str | None, moved: dict[str, MessageData | None], change: Change, values: dict[str, Any]
) -> None:
    (write,) = plan_departures({"m": place}, moved, {"m": known()}, FOLDERS, NOW)

    assert (write.change, write.values) == (change, values)


def test_a_departure_to_a_selected_folder_is_a_move_with_all_that_changed() -> None:
    (write,) = plan_departures({"m": "there"}, {"m": full(subject="Edited")}, {"m": known()}, FOLDERS, NOW)

    assert (write.change, write.values["folder_id"], write.values["subject"]) == (Change.MOVED, 2, "Edited")


@pytest.mark.parametrize("before", [None, known(removed_at=NOW)])
def test_a_departure_of_what_we_do_not_have_is_nothing(before: Known | None) -> None:
    assert plan_departures({"m": None}, {}, {"m": before} if before else {}, FOLDERS, NOW) == []


def test_an_unknown_message_that_came_back_is_created() -> None:
    (write,) = plan_departures({"m": "here"}, {"m": full()}, {}, FOLDERS, NOW)

    assert (write.change, write.row_id) == (Change.CREATED, None)


def test_a_message_that_came_back_the_same_is_left_alone() -> None:
    assert plan_departures({"m": "here"}, {"m": full()}, {"m": known()}, FOLDERS, NOW) == []


def test_a_message_that_came_back_edited_is_an_update() -> None:
    (write,) = plan_departures({"m": "here"}, {"m": full(change_key="k2")}, {"m": known()}, FOLDERS, NOW)

    assert (write.change, write.values["change_key"]) == (Change.UPDATED, "k2")


def test_only_messages_in_selected_folders_are_read_in_full() -> None:
    whereabouts = {"a": "there", "b": "waste", "c": None, "d": "here", "e": "unknown"}

    assert still_in_sight(whereabouts, FOLDERS) == ["a", "d"]


def test_the_last_word_on_a_message_counts_property_by_property() -> None:
    (item,) = merge([full(), MessageData(id="m", is_read=True)]).values()

    assert (item.subject, item.is_read) == ("Hello", True)


def test_a_removal_and_a_return_on_one_page_follow_their_order() -> None:
    assert merge([full(), removed()])["m"].removed is not None
    assert merge([removed(), full()])["m"].removed is None


def test_a_property_that_was_left_out_is_not_null() -> None:
    assert MessageData(id="m").subject is UNSET


def test_a_message_under_a_new_id_is_told_by_what_stays() -> None:
    one, other = full("new", internet_message_id="<1@x>"), full("also-new", internet_message_id="<2@x>")
    likenesses = {"old": likeness_of(full("old", internet_message_id="<1@x>"))}

    assert pair_up([one, other], likenesses) == {"new": "old"}


@pytest.mark.parametrize(
    "changed",
    [
        {"internet_message_id": "<2@x>"},
        {"received_date_time": NOW.replace(year=2025)},
        {"sent_from": Person(email_address=EmailAddress(address="eve@contoso.example"))},
        {"body": Body(content_type="text", content="longer")},
    ],
)
def test_a_message_that_differs_in_one_thing_is_another(changed: dict[str, Any]) -> None:
    old = full("old", internet_message_id="<1@x>")

    assert pair_up([full("new", **{"internet_message_id": "<1@x>", **changed})], {"old": likeness_of(old)}) == {}


def test_of_two_copies_one_keeps_the_row() -> None:
    likenesses = {"old": likeness_of(full("old"))}

    assert len(pair_up([full("copy"), full("another")], likenesses)) == 1


def test_a_message_under_a_new_id_keeps_its_row() -> None:
    (write,) = plan_arrivals({"new": full("new")}, {"new": known(graph_id="old", folder_id=2)}, HERE)

    assert (write.row_id, write.change, write.values["graph_id"]) == (7, Change.MOVED, "new")
