"""Who runs before whom, and for how long: turns, two lanes, and several mailboxes at a time."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select, update

from flask_ms365 import Change, simulator
from flask_ms365.models import Mailbox, Message, SyncRun, write_transaction
from flask_ms365.signals import message_synced, run_finished
from flask_ms365.sync.report import Result, RunReport
from flask_ms365.sync.runner import Runner
from tests.conftest import Clock, Host
from tests.sync.many import Many, deltas

PAGES = 20  # a turn


@pytest.fixture
def many(configured: Host, simulator: simulator.Simulator, clock: Clock) -> Many:
    return Many(host=configured, simulator=simulator, clock=clock)


def runner_of(many: Many) -> Runner:
    runner: Runner = many.host.app.extensions["ms365.state"].runner
    return runner


def deliver(box: simulator.Mailbox, count: int) -> None:
    """Deliver so many messages, each of which takes a page."""
    box.max_page_size = 1
    for number in range(count):
        box.deliver(subject=f"{number}", text="x")


def runs_of(many: Many, box: simulator.Mailbox, at_once: int = 1) -> list[RunReport]:
    with many.host.app.app_context():
        return [report for report in runner_of(many).tick(at_once).runs if report.address == box.address]


def test_a_tick_reads_much_mail_in_turns_and_each_message_once(many: Many) -> None:
    (box,) = many.add(1)
    deliver(box, 2 * PAGES + 5)
    created: Counter[str | None] = Counter()

    @many.host.ms365.on_message
    def keep(message: Message, change: Change) -> None:
        created[message.subject] += change is Change.CREATED

    reports = runs_of(many, box)

    assert [report.result for report in reports] == [Result.UNDER_WAY, Result.UNDER_WAY, Result.DONE]
    assert reports[0].pages == PAGES
    assert created == {str(number): 1 for number in range(2 * PAGES + 5)}
    assert set(Counter(deltas(many.simulator)).values()) == {1}  # each turn began where the last one ended


def test_a_turn_that_is_over_is_a_good_run_that_goes_on_at_once(many: Many, clock: Clock) -> None:
    (box,) = many.add(1)
    deliver(box, PAGES + 5)
    ended = []

    def keep(*_: Any, **__: Any) -> None:
        ended.append(state(many))

    with run_finished.connected_to(keep):
        runs_of(many, box)

    last_result, success, due = ended[0]
    assert last_result == "under_way"
    assert success is not None
    assert due <= clock()
    with many.host.app.app_context():
        assert list(many.session.scalars(select(SyncRun.result).order_by(SyncRun.id))) == ["under_way", "done"]


def state(many: Many) -> tuple[Any, ...]:
    with many.host.app.app_context():
        row = select(Mailbox.last_result, Mailbox.last_success_at, Mailbox.next_due_at).where(Mailbox.id == 1)
        return tuple(many.session.execute(row).one())


def test_by_hand_a_mailbox_is_read_to_its_end(connected: Host, mailbox: simulator.Mailbox) -> None:
    deliver(mailbox, PAGES + 5)
    with connected.app.app_context():
        assert connected.ms365.sync_mailbox(1).result is Result.DONE


def test_a_turn_can_be_had_by_hand_and_ticks_go_on(connected: Host, mailbox: simulator.Mailbox) -> None:
    deliver(mailbox, PAGES + 5)
    with connected.app.app_context():
        report = connected.app.extensions["ms365.state"].runner.run(1, is_turn=True)
        assert (report.result, report.has_more) == (Result.UNDER_WAY, True)
        assert connected.ms365.tick().runs[-1].result is Result.DONE


def test_a_turn_ends_with_its_time(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.sync.turn._SECONDS", 0.0)
    (box,) = many.add(1)
    deliver(box, 3)

    assert [report.pages for report in runs_of(many, box)] == [1, 1, 1]


def test_a_tick_ends_with_its_time_and_says_that_there_is_more(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_ms365.sync.tick._A_WHILE", 0.1)
    (box,) = many.add(1)
    deliver(box, 2 * PAGES)

    def take_long(*_: Any, **__: Any) -> None:
        threading.Event().wait(0.1)

    with run_finished.connected_to(take_long):
        report = many.tick()

    assert [run.result for run in report.runs] == [Result.UNDER_WAY]
    assert report.has_more
    assert not many.tick().has_more


def test_new_mail_goes_before_a_long_reading_that_waits_longer(many: Many, clock: Clock) -> None:
    boxes = many.add(3)
    for box in boxes:
        deliver(box, 1)
    with many.host.app.app_context(), write_transaction(many.session):
        long = update(Mailbox).where(Mailbox.id == 1)
        many.session.execute(long.values(last_result="under_way", last_success_at=clock()))

    assert [report.mailbox_id for report in many.tick().runs if report.pages][-1] == 1


def test_what_was_never_read_goes_before_what_is_being_read(many: Many, clock: Clock) -> None:
    many.add(2)
    with many.host.app.app_context(), write_transaction(many.session):
        long = update(Mailbox).where(Mailbox.id == 1)
        many.session.execute(long.values(last_result="under_way", last_success_at=clock()))
        many.session.execute(update(Mailbox).where(Mailbox.id == 2).values(folders_listed_at=None))

    assert [report.mailbox_id for report in many.tick().runs] == [2, 1]


def test_several_mailboxes_run_at_once(many: Many) -> None:
    for box in many.add(2):
        deliver(box, 1)
    both = threading.Barrier(2, timeout=10)

    def meet(*_: Any, **__: Any) -> None:
        both.wait()

    with message_synced.connected_to(meet), many.host.app.app_context():
        reports = runner_of(many).tick(at_once=2).runs
    assert [report.result for report in reports] == [Result.DONE] * 2


def test_a_run_that_was_let_go_of_writes_nothing_more_and_the_next_one_goes_on(many: Many) -> None:
    (box,) = many.add(1)
    deliver(box, 3)
    ended: list[RunReport] = []

    def let_go(*_: Any, **__: Any) -> None:
        runner_of(many).let_go()

    def keep(_: Any, report: RunReport) -> None:
        ended.append(report)

    with message_synced.connected_to(let_go), run_finished.connected_to(keep):
        assert runs_of(many, box) == []
    assert [(report.result, report.pages) for report in ended] == [(Result.TAKEN, 1)]

    assert [report.pages for report in runs_of(many, box)] == [2]
    with many.host.app.app_context():
        assert sorted(many.session.scalars(select(Message.subject))) == ["0", "1", "2"]


def test_what_others_hold_is_not_let_go(many: Many, clock: Clock) -> None:
    many.add(1)
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).values(lease_owner="another", lease_expires_at=clock()))
    runner_of(many).let_go()

    with many.host.app.app_context():
        assert many.session.scalar(select(Mailbox.lease_owner)) == "another"
