"""The worker in this process: what it ticks, what it prints, and that it ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from flask_ms365.jobs.until_told import UntilTold
from flask_ms365.jobs.worker import tick_until
from flask_ms365.models import Heartbeat
from flask_ms365.signals import run_finished
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from flask_ms365.simulator import Simulator
from flask_ms365.sync.report import TickReport
from tests.conftest import Clock, Host, HostFactory


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def looped(ticks: int, *, tick: Callable[[], TickReport] | None = None, interval: float = 0) -> None:
    """Tick until so many ticks have begun; then the process is told to stop."""
    begun: list[int] = []

    def count_and_tick() -> TickReport:
        begun.append(1)
        if len(begun) == ticks:
            terminate()
            told.wait(10)  # a signal is heard a moment later, by the main thread
        return tick() if tick else TickReport(is_on=True)

    told = UntilTold(let_go=lambda: pytest.fail("everything had ended"))
    told.run(lambda: tick_until(told, count_and_tick, interval=timedelta(seconds=interval)))
    assert len(begun) == ticks


def test_it_ticks_until_it_is_told_to_stop() -> None:
    looped(3)


def test_stopping_does_not_wait_for_the_interval() -> None:
    looped(1, interval=3600)


def test_with_more_to_do_it_does_not_wait_for_the_interval() -> None:
    looped(3, tick=lambda: TickReport(is_on=True, has_more=True), interval=3600)


def test_a_tick_that_fails_is_logged_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    failures = [OSError("the database is away")]

    def tick() -> TickReport:
        if failures:
            raise failures.pop()
        return TickReport(is_on=True)

    looped(2, tick=tick)
    assert [record.message for record in caplog.records] == ["tick.failed"]


def test_what_a_failed_statement_was_to_write_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    link = "".join(["a ", "link"])  # a traceback shows the source, too

    def tick() -> TickReport:
        raise OperationalError("UPDATE folder SET delta_link = ?", (link,), Exception("away"))

    looped(1, tick=tick)
    assert "UPDATE folder" in caplog.text
    assert link not in caplog.text


def test_signals_are_given_back() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    looped(1)
    assert [signal.getsignal(number) for number in numbers] == before


def test_an_error_of_the_work_is_raised_where_it_was_begun() -> None:
    def work() -> None:
        raise LookupError("who?")

    with pytest.raises(LookupError, match="who"):
        UntilTold(let_go=lambda: None).run(work)


def work_once(host: Host, *arguments: str, runs: int = 1) -> Result:
    """Let ``flask ms365 worker`` work until so many looks or runs have ended."""
    finished: list[Any] = []

    def count(_: object, report: object) -> None:
        finished.append(report)
        if len(finished) == runs:
            terminate()

    with run_finished.connected_to(count, sender=host.app):
        return host.app.test_cli_runner().invoke(args=["ms365", "worker", *arguments])


def bob(host: Host, simulator: Simulator) -> MailboxAtMicrosoft:
    """Connect a second mailbox."""
    host.user_id = "bob"
    user = simulator.add_user("bob@contoso.example", password="bob")
    host.visitor().connect(user)
    return user.mailbox


def test_it_prints_a_line_of_json_a_run_and_no_address(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver(subject="One")
    result = work_once(connected)
    assert result.exit_code == 0
    line = json.loads(result.stdout)
    assert line.pop("pages") > 0
    assert line == {
        "event": "run.finished",
        "mailbox_id": 1,
        "state": "done",
        "created": 1,
        "updated": 0,
        "moved": 0,
        "removed": 0,
        "set_aside": 0,
    }


def test_of_a_mailbox_with_nothing_new_it_prints_nothing(connected: Host, clock: Clock) -> None:
    work_once(connected)
    clock.advance(minutes=20)
    assert work_once(connected).stdout == ""


def test_two_mailboxes_are_read_at_a_time(connected: Host, mailbox: MailboxAtMicrosoft, simulator: Simulator) -> None:
    other, is_held, met = bob(connected, simulator), threading.Event(), list[bool]()

    def hold_until_both_came() -> None:
        with mailbox.hold() as one, other.hold() as two:
            is_held.set()
            met.extend([one.wait_for(1), two.wait_for(1)])

    watcher = threading.Thread(target=hold_until_both_came)
    watcher.start()
    assert is_held.wait(10)
    work_once(connected, "--at-once", "2", runs=2)
    watcher.join()
    assert met == [True, True]


def test_another_app_in_the_process_is_left_alone(connected: Host, make_host: HostFactory) -> None:
    other = make_host("other")
    work_once(connected)
    beats = []
    for host in (connected, other):
        with host.app.app_context():
            beats.append(host.app.extensions["sqlalchemy"].session.scalar(select(Heartbeat.at)))
    assert (bool(beats[0]), beats[1]) == (True, None)


@pytest.mark.parametrize("at_once", ["0", "11", "many"])
def test_nonsense_is_a_usage_error(host: Host, at_once: str) -> None:
    assert host.app.test_cli_runner().invoke(args=["ms365", "worker", "--at-once", at_once]).exit_code == 2
