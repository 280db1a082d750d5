"""Delta queries and ids while mail comes, moves and goes. Over the simulator only: the mailbox must change."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from .client import Desk, Graph, graph_error_of

IMMUTABLE = 'IdType="ImmutableId"'
INBOX = "/me/mailFolders/inbox/messages/delta"
ARCHIVE = "/me/mailFolders/archive/messages/delta"


@pytest.fixture
def me(desk: Desk) -> Graph:
    """Graph, signed in."""
    return desk.graph()


def changes(me: Graph, link: str, prefer: str = IMMUTABLE) -> list[dict[str, Any]]:
    return me.round(link, Prefer=prefer)[0]


def start(me: Graph, path: str = INBOX, prefer: str = IMMUTABLE) -> str:
    return me.round(path, Prefer=prefer)[1]


def removed(message_id: str, reason: str = "deleted") -> dict[str, Any]:
    return {"@odata.type": "#microsoft.graph.message", "id": message_id, "@removed": {"reason": reason}}


def test_new_mail_is_in_the_next_round(desk: Desk, me: Graph) -> None:
    link = start(me)
    message_id = desk.box.deliver(subject="New")
    assert [(m["id"], m["subject"]) for m in changes(me, link)] == [(message_id, "New")]


def test_the_same_delta_link_may_be_asked_again(desk: Desk, me: Graph) -> None:
    link = start(me)
    desk.box.deliver(subject="New")
    assert changes(me, link) == changes(me, link)


def test_a_round_without_changes_gives_the_same_delta_link(me: Graph) -> None:
    link = start(me)
    assert me.round(link, Prefer=IMMUTABLE) == ([], link)


def test_deleted_mail_is_removed(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Old")
    link = start(me)
    desk.box.delete(message_id)
    assert changes(me, link) == [removed(message_id)]


def test_a_move_keeps_an_immutable_id(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Moved")
    inbox, archive = start(me), start(me, ARCHIVE)
    desk.box.move(message_id, "archive")
    assert changes(me, inbox) == [removed(message_id)]
    assert [m["id"] for m in changes(me, archive)] == [message_id]


def test_a_move_changes_a_default_id(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Moved")
    before = me.get("/me/messages").json()["value"][0]["id"]
    inbox, archive = start(me, prefer=""), start(me, ARCHIVE, prefer="")
    desk.box.move(message_id, "archive")
    assert changes(me, inbox, prefer="") == [removed(before)]
    assert [m["id"] for m in changes(me, archive, prefer="")] != [before]


def test_a_mailbox_may_ignore_immutable_ids(desk: Desk, me: Graph) -> None:
    desk.box.immutable_ids = False
    before = desk.box.deliver(subject="Moved")
    assert desk.box.move(before, "archive") != before
    assert "Preference-Applied" not in me.get("/me/messages", Prefer=IMMUTABLE).headers


def test_a_message_that_came_back_is_there(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Round trip")
    link = start(me)
    desk.box.move(message_id, "archive")
    desk.box.move(message_id, "inbox")
    assert [("@removed" in m, m["id"]) for m in changes(me, link)] == [(False, message_id)]


def test_a_message_that_came_back_may_be_lost(desk: Desk, me: Graph) -> None:
    desk.box.lose_round_trips = True
    message_id = desk.box.deliver(subject="Round trip")
    link = start(me)
    desk.box.move(message_id, "archive")
    desk.box.move(message_id, "inbox")
    assert changes(me, link) == [removed(message_id)]


def test_a_read_toggle_is_a_partial_update(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Read me")
    link = start(me)
    desk.box.mark_read(message_id)
    (change,) = changes(me, link)
    assert {name for name in change if not name.startswith("@")} == {"id", "isRead", "parentFolderId"}


def test_a_read_toggle_goes_unreported_unless_selected(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Read me")
    link = start(me, f"{INBOX}?$select=subject")
    desk.box.mark_read(message_id)
    assert changes(me, link) == []


def test_a_read_toggle_leaves_the_modification_time(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Read me")
    before = me.get(f"/me/messages/{message_id}").json()
    desk.box.mark_read(message_id)
    after = me.get(f"/me/messages/{message_id}").json()
    assert after["lastModifiedDateTime"] == before["lastModifiedDateTime"]
    assert after["changeKey"] != before["changeKey"]


def test_links_remember_the_select(desk: Desk, me: Graph) -> None:
    link = start(me, f"{INBOX}?$select=subject")
    desk.box.deliver(subject="New")
    assert [set(m) for m in changes(me, link)] == [{"@odata.type", "@odata.etag", "id", "subject"}]


@pytest.mark.parametrize(("change_type", "expected"), [("created", 1), ("deleted", 1), ("updated", 0)])
def test_change_type_picks_what_later_rounds_report(desk: Desk, me: Graph, change_type: str, expected: int) -> None:
    old = desk.box.deliver(subject="Old")
    link = start(me, f"{INBOX}?changeType={change_type}")
    desk.box.deliver(subject="New")
    desk.box.delete(old)
    assert len(changes(me, link)) == expected


def test_mail_that_came_during_a_round_is_not_lost(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(4, body_size=200)
    first = me.get(INBOX, Prefer=f"{IMMUTABLE}, odata.maxpagesize=2").json()
    message_id = desk.box.deliver(subject="Meanwhile")
    _, link = me.round(first["@odata.nextLink"], Prefer=IMMUTABLE)
    assert [m["id"] for m in changes(me, link)] == [message_id]


def test_mail_that_left_during_a_round_is_removed(desk: Desk, me: Graph) -> None:
    ids = desk.box.deliver_many(4, body_size=200)
    first = me.get(INBOX, Prefer=f"{IMMUTABLE}, odata.maxpagesize=2").json()
    desk.box.delete(ids[3])
    assert removed(ids[3]) in me.round(first["@odata.nextLink"], Prefer=IMMUTABLE)[0]


def test_empty_pages_have_a_next_link(desk: Desk, me: Graph) -> None:
    desk.box.empty_pages = 1
    page = me.get(INBOX).json()
    assert page["value"] == []
    assert "@odata.nextLink" in page


def test_a_round_may_repeat_itself(desk: Desk, me: Graph) -> None:
    desk.box.duplicates = True
    message_id = desk.box.deliver(subject="Twice")
    assert [m["id"] for m in changes(me, INBOX)] == [message_id, message_id]


def test_top_limits_the_total(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(12, body_size=200)
    assert len(changes(me, f"{INBOX}?$top=11")) == 11


def test_a_filter_is_by_received_date(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(12, body_size=200)
    newest = me.get("/me/messages?$top=3").json()["value"]
    found = changes(me, f"{INBOX}?$filter=receivedDateTime%20ge%20{newest[2]['receivedDateTime']}")
    assert {m["subject"] for m in found} == {m["subject"] for m in newest}


def test_a_filter_stops_at_five_thousand(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(5_001, body_size=0)
    path = f"{INBOX}?$select=id&$filter=receivedDateTime%20ge%202000-01-01T00:00:00Z"
    assert len(changes(me, path, prefer="odata.maxpagesize=1000")) == 5_000


def test_a_filter_holds_in_later_rounds(desk: Desk, me: Graph) -> None:
    link = start(me, f"{INBOX}?$filter=receivedDateTime%20ge%202026-09-01T00:00:00Z")
    new, old = datetime(2026, 9, 2, tzinfo=timezone.utc), datetime(2026, 8, 1, tzinfo=timezone.utc)
    for received_at in (new, old):
        desk.box.deliver(subject=received_at.isoformat(), received_at=received_at)
    assert [m["subject"] for m in changes(me, link)] == [new.isoformat()]


def test_the_newest_may_come_first_and_links_remember_that(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(5, body_size=200)
    path = f"{INBOX}?$filter=receivedDateTime%20ge%202000-01-01T00:00:00Z&$orderby=receivedDateTime%20desc"
    found = changes(me, path, prefer=f"{IMMUTABLE}, odata.maxpagesize=2")
    assert [m["receivedDateTime"] for m in found] == sorted((m["receivedDateTime"] for m in found), reverse=True)


def test_any_other_order_is_refused(me: Graph) -> None:
    assert me.get(f"{INBOX}?$orderby=subject").status == 400


def test_what_lags_is_in_a_later_round(desk: Desk, me: Graph) -> None:
    link = start(me)
    with desk.box.lagging():
        message_id = desk.box.deliver(subject="Late")
        assert changes(me, link) == changes(me, INBOX) == []
        assert me.get(f"/me/messages/{message_id}").status == 200
    assert [m["id"] for m in changes(me, link)] == [m["id"] for m in changes(me, INBOX)] == [message_id]


def test_search_is_refused(me: Graph) -> None:
    assert me.get(f"{INBOX}?$search=hello").status == 400


@pytest.mark.parametrize(
    ("status", "code"), [(410, "SyncStateNotFound"), (400, "syncStateNotFound"), (404, "SyncStateNotFound")]
)
def test_a_dead_cursor_says_that_the_sync_state_is_gone(desk: Desk, me: Graph, status: int, code: str) -> None:
    link = start(me)
    desk.box.expire_cursors(status=status, code=code)
    assert graph_error_of(me.get(link)) == (status, code)


def test_a_410_says_where_to_start_again(desk: Desk, me: Graph) -> None:
    link = start(me)
    desk.box.expire_cursors("inbox")
    assert me.get(link).headers["Location"].endswith("/messages/delta?$deltatoken=")


def test_cursors_of_other_folders_live_on(desk: Desk, me: Graph) -> None:
    link = start(me, ARCHIVE)
    desk.box.expire_cursors("inbox")
    assert me.get(link).status == 200


def test_the_delta_of_a_deleted_folder_is_404(desk: Desk, me: Graph) -> None:
    folder = desk.box.create_folder("Projects")
    link = start(me, f"/me/mailFolders/{folder}/messages/delta")
    desk.box.delete_folder("Projects")
    assert graph_error_of(me.get(link)) == (404, "ErrorItemNotFound")


def test_the_folder_tree_has_a_delta(desk: Desk, me: Graph) -> None:
    kept, gone = desk.box.create_folder("Kept"), desk.box.create_folder("Gone")
    _, link = me.round("/me/mailFolders/delta")
    desk.box.rename_folder(kept, "Renamed")
    desk.box.delete_folder(gone)
    found = {f["id"]: f.get("displayName", "removed") for f in me.round(link)[0]}
    assert found == {kept: "Renamed", gone: "removed"}


def test_counters_are_changes_of_a_folder(desk: Desk, me: Graph) -> None:
    _, link = me.round("/me/mailFolders/delta")
    desk.box.deliver(subject="New")
    (changed,) = me.round(link)[0]
    assert (changed["unreadItemCount"], changed["totalItemCount"]) == (1, 1)
