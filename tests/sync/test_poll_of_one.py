"""A mailbox that is due is looked at first: with anything new, unclear or in trouble it gets a run of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from flask_ms365 import Change
from flask_ms365.models import Connection, Folder, Mailbox, SyncRun, write_transaction
from flask_ms365.models.base import Base
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import TREE, delta_of, first_page, folder_of, on_sqlite, page, set_aside
from tests.sync.many import deltas

CREATED = Change.CREATED

pytestmark = on_sqlite

_READ = 3  # folders of a new mailbox that are read


def tick(synced: Synced, clock: Clock, *, minutes: float = 6) -> RunReport:
    """Tick once the mailbox is due again; return what came of it. What was asked before is forgotten."""
    clock.advance(minutes=minutes)
    synced.simulator.requests.clear()
    with synced.host.app.app_context():
        (report,) = synced.host.ms365.tick().runs
    return report


def change(synced: Synced, model: type[Base], **values: Any) -> None:
    with synced.host.app.app_context(), write_transaction(synced.session):
        synced.session.execute(update(model).values(**values))


def runs(synced: Synced) -> int:
    """Return how many runs of its own the mailbox has had."""
    with synced.host.app.app_context():
        return int(synced.session.scalar(select(func.count()).select_from(SyncRun)))


def test_an_idle_look_costs_one_request_a_folder(synced: Synced, clock: Clock) -> None:
    synced.sync()
    tick(synced, clock)

    assert len(deltas(synced.simulator)) == len(synced.simulator.requests) == _READ


def test_the_list_of_folders_is_asked_for_every_ten_minutes(synced: Synced, clock: Clock) -> None:
    synced.sync()
    asked = []
    for _ in range(6):
        tick(synced, clock)
        asked.append(synced.simulator.count("GET", "/mailFolders/delta"))

    assert asked == [0, 1, 0, 1, 0, 1]
    assert runs(synced) == 1


def test_a_folder_that_is_new_is_read_within_ten_minutes(synced: Synced, clock: Clock) -> None:
    synced.sync()
    synced.mailbox.deliver(subject="New", text="x", folder=synced.mailbox.create_folder("Projects"))
    for _ in range(2):
        tick(synced, clock)

    assert synced.subjects() == {"New": "Projects"}


def test_a_token_near_its_end_is_renewed_by_a_run(synced: Synced, clock: Clock) -> None:
    synced.sync()
    change(synced, Connection, expires_at=clock() + timedelta(minutes=7))

    assert tick(synced, clock).result is Result.DONE
    assert synced.simulator.count("POST", "/token") == 1
    assert runs(synced) == 2


def test_a_sign_in_that_ended_is_told_by_a_run(synced: Synced, clock: Clock) -> None:
    synced.sync()
    change(synced, Connection, is_dead=True, error_code="invalid_grant")

    assert tick(synced, clock).result is Result.SIGN_IN_NEEDED
    assert deltas(synced.simulator) == []


def test_a_token_that_graph_refuses_is_replaced_by_a_run(synced: Synced, clock: Clock) -> None:
    synced.sync()
    synced.simulator.expire_access_tokens()
    synced.mailbox.deliver(subject="New", text="x")

    assert tick(synced, clock).changes == {CREATED: 1}


def test_a_dead_cursor_is_made_good_by_a_run(synced: Synced, clock: Clock) -> None:
    gone = synced.mailbox.deliver(subject="Gone", text="x")
    synced.mailbox.deliver(subject="Kept", text="x")
    synced.sync()
    synced.mailbox.delete(gone)
    synced.mailbox.expire_cursors("inbox")

    assert tick(synced, clock).changes == {Change.REMOVED: 1}
    assert folder_of(synced, "Inbox").round == 2


def test_what_stops_a_mailbox_is_told_by_a_run(synced: Synced, clock: Clock) -> None:
    synced.sync()
    synced.simulator.fail_next(delta_of(synced), 429, headers={"Retry-After": "900"}, times=2)
    report = tick(synced, clock)

    assert (report.result, report.retry_after) == (Result.THROTTLED, 900)
    with synced.host.app.app_context():
        due = synced.session.scalars(select(Mailbox.next_due_at)).one()
    assert due >= clock() + timedelta(minutes=14)


def test_a_cursor_that_moved_though_nothing_was_new_is_kept(synced: Synced, clock: Clock) -> None:
    synced.sync()
    moved = f"{first_page(synced)}?$deltatoken=moved"
    synced.simulator.fail_next(delta_of(synced), 200, page(delta_link=moved))
    tick(synced, clock)

    assert folder_of(synced, "Inbox").delta_link == moved
    assert runs(synced) == 1


def test_a_cursor_of_the_folder_tree_that_moved_is_kept(synced: Synced, clock: Clock) -> None:
    synced.sync()
    moved = f"{synced.simulator.url}/v1.0/me/mailFolders/delta?$deltatoken=moved"
    synced.simulator.fail_next(TREE, 200, page(delta_link=moved))
    tick(synced, clock, minutes=11)

    with synced.host.app.app_context():
        assert synced.session.scalars(select(Mailbox.folders_link)).one() == moved
    assert runs(synced) == 1


def test_a_page_without_mail_that_is_not_the_last_is_followed_by_a_run(synced: Synced, clock: Clock) -> None:
    synced.sync()
    synced.mailbox.empty_pages = 2
    synced.mailbox.deliver(subject="New", text="x")

    assert tick(synced, clock).changes == {CREATED: 1}


@pytest.mark.parametrize(
    "values", [{"checked_at": None}, {"doubt": "believed"}, {"error_code": "ErrorAccessDenied"}, {"delta_link": None}]
)
def test_a_folder_with_something_open_is_not_idle(synced: Synced, clock: Clock, values: dict[str, Any]) -> None:
    synced.sync()
    change(synced, Folder, **values)
    tick(synced, clock)

    assert runs(synced) == 2


def test_a_mailbox_that_waits_for_a_message_set_aside_is_run_when_it_is_time(synced: Synced, clock: Clock) -> None:
    synced.sync()
    broken = synced.mailbox.deliver(subject="Broken", text="x", attachments=[("a.txt", "text/plain", b"a")])
    synced.mailbox.fail_message(broken)
    tick(synced, clock)
    assert set(set_aside(synced)) == {broken}

    synced.mailbox.heal_message(broken)
    tick(synced, clock)
    assert set_aside(synced) != {}
    tick(synced, clock, minutes=60)
    assert set_aside(synced) == {}
