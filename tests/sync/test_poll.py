"""A tick looks at all that is due at once: idle mailboxes cost next to nothing, the others get a run of their own."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flask_ms365 import Change
from flask_ms365.models import Mailbox, SyncRun
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host
from tests.sync.many import Many, deltas

CREATED = Change.CREATED


@pytest.fixture
def many(configured: Host, simulator: Simulator, clock: Clock) -> Many:
    return Many(host=configured, simulator=simulator, clock=clock)


def test_an_idle_mailbox_costs_one_request_a_folder(many: Many) -> None:
    many.add(20)
    reports = many.tick().runs

    assert [report.result for report in reports] == [Result.DONE] * 20
    assert len(deltas(many.simulator)) == many.simulator.count("GET", "/v1.0/") == 20
    assert many.simulator.count("POST", "/v1.0/") == 0


@pytest.mark.parametrize("count", [3, 200])
def test_any_number_of_idle_mailboxes_take_as_many_statements(many: Many, count: int) -> None:
    many.add(count)
    many.begin()
    with many.statements() as statements:
        reports = many.tick().runs

    assert len(reports) == count
    changes = [text for text in statements if text.startswith(("INSERT", "UPDATE", "DELETE"))]
    # to take them, and to let them go; the rest is the tick's
    assert sum("ms365_mailbox" in text for text in changes) == 2
    assert len([text for text in statements if not text.startswith("BEGIN")]) <= 15


def test_an_idle_mailbox_is_not_listed_among_the_runs_it_had(many: Many) -> None:
    many.add(2)
    many.tick()

    with many.host.app.app_context():
        assert many.session.scalar(select(func.count()).select_from(SyncRun)) == 0
        assert None not in set(many.session.scalars(select(Mailbox.last_success_at)))


def test_of_many_only_the_one_with_new_mail_is_run(many: Many) -> None:
    box = many.add(20)[7]
    box.deliver(subject="New", text="x")
    reports = many.tick().runs

    assert {report.address: report.changes for report in reports if report.changes} == {box.address: {CREATED: 1}}
    assert len(reports) == 20


def test_a_page_that_was_looked_at_is_not_asked_for_twice(many: Many) -> None:
    box = many.add(5)[2]
    box.deliver(subject="New", text="x")
    many.tick()

    assert len(deltas(many.simulator)) == 5
    assert set(Counter(deltas(many.simulator)).values()) == {1}


def test_mail_that_takes_several_pages_arrives_all(many: Many) -> None:
    box = many.add(3)[1]
    box.max_page_size = 2
    for number in range(5):
        box.deliver(subject=f"{number}", text="x")

    assert sum(report.changes[CREATED] for report in many.tick().runs) == 5
    assert set(Counter(deltas(many.simulator)).values()) == {1}


def test_after_a_look_nothing_is_due(many: Many) -> None:
    many.add(20)
    many.tick()
    many.simulator.requests.clear()

    assert many.tick().runs == []
    assert len(many.simulator.requests) == 0


def test_the_next_look_comes_after_the_interval(many: Many) -> None:
    many.add(20)
    before = many.clock()
    many.tick()
    with many.host.app.app_context():
        due = list(many.session.scalars(select(Mailbox.next_due_at)))

    interval = timedelta(minutes=5)
    assert before + interval * 0.9 <= min(due)
    assert max(due) <= many.clock() + interval * 1.1


def test_nothing_is_looked_at_while_the_toggle_is_off(many: Many) -> None:
    many.add(3)
    with many.host.app.app_context():
        many.host.ms365.settings.save({"email_sync": "0"})
    report = many.tick()

    assert (report.is_on, list(report.runs)) == (False, [])
    assert many.simulator.count("GET", "/v1.0/") == 0


def test_two_ticks_at_once_look_at_no_mailbox_twice(many: Many) -> None:
    box, *_ = many.add(3)
    with ThreadPoolExecutor(1) as pool:
        with box.hold() as traffic:
            first = pool.submit(many.tick)
            assert traffic.wait_for(1)
            assert many.tick().runs == []
        assert len(first.result(timeout=30).runs) == 3

    assert set(Counter(deltas(many.simulator)).values()) == {1}


def test_a_mailbox_in_trouble_is_run_and_keeps_no_other_waiting(many: Many) -> None:
    boxes = many.add(4)
    boxes[0].throttle(times=None, retry_after=600)
    boxes[1].expire_cursors()
    boxes[2].fail(503, times=1)
    reports = {report.address: report for report in many.tick().runs}

    assert [reports[box.address].result for box in boxes] == [
        Result.THROTTLED, Result.DONE, Result.DONE, Result.DONE
    ]  # fmt: skip
    assert reports[boxes[0].address].retry_after == 600


def test_a_mailbox_that_cannot_be_asked_is_let_go_by_the_look(many: Many) -> None:
    box, *_ = many.add(3)
    box.throttle(times=None, retry_after=600)
    many.tick()

    with many.host.app.app_context():
        assert set(many.session.scalars(select(Mailbox.lease_owner))) == {None}
