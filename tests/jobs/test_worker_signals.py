"""The worker as a process that is told to stop or to begin anew, also while Microsoft leaves it waiting."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest
from sqlalchemy import select, update

from flask_ms365.crypto import generate_key
from flask_ms365.models import Mailbox, Message, write_transaction
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from tests.conftest import Host
from tests.jobs.processes import PATIENCE
from tests.jobs.worker_process import MESSAGES, keys_file, read_some, session_of, start

pytestmark = pytest.mark.slow

IN_TIME = 5.0  # seconds from the signal to the end of the process


def count(host: Host) -> int:
    with host.app.app_context():
        return len(session_of(host).scalars(select(Message.id)).all())


def lease_of(host: Host) -> tuple[str | None, int]:
    with host.app.app_context():
        mailbox = session_of(host).get(Mailbox, 1)
        return mailbox.lease_owner, mailbox.lease_epoch


def ended(worker: subprocess.Popen[str], number: int = signal.SIGTERM) -> float:
    """Send the signal, wait for the end, which must be a good one, and return how long it took."""
    began = time.monotonic()
    worker.send_signal(number)
    assert worker.wait(timeout=PATIENCE) == 0
    return time.monotonic() - began


@pytest.fixture
def half_read(connected: Host, mailbox: MailboxAtMicrosoft) -> Host:
    read_some(connected, mailbox)
    return connected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_while_it_waits_for_the_next_tick_it_ends_at_once(
    connected: Host, mailbox: MailboxAtMicrosoft, number: int
) -> None:
    mailbox.deliver(subject="One")
    with start(connected, "worker") as worker:
        assert worker.stdout is not None
        assert json.loads(worker.stdout.readline())["created"] == 1
        assert ended(worker, number) < IN_TIME


def test_told_to_stop_in_mid_page_it_ends_with_the_page_and_lets_go_of_its_lease(
    half_read: Host, mailbox: MailboxAtMicrosoft
) -> None:
    with start(half_read, "worker") as worker:
        with mailbox.hold() as traffic:
            assert traffic.wait_for(1, timeout=PATIENCE)
            worker.terminate()
        assert worker.wait(timeout=IN_TIME) == 0
    assert lease_of(half_read)[0] is None


def test_told_to_stop_while_an_answer_does_not_come_it_lets_go_and_ends(
    half_read: Host, mailbox: MailboxAtMicrosoft
) -> None:
    stored = count(half_read)
    with start(half_read, "worker") as worker, mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        held = lease_of(half_read)
        assert held[0]
        assert ended(worker) < IN_TIME
        # whoever would still write is fenced off
        assert lease_of(half_read) == (None, held[1] + 1)
    assert count(half_read) == stored
    with half_read.app.app_context():
        (run,) = half_read.ms365.tick().runs
    assert (str(run.result), sum(run.changes.values())) == ("done", MESSAGES - stored)


def test_a_database_that_is_locked_does_not_hold_it_up_either(half_read: Host, mailbox: MailboxAtMicrosoft) -> None:
    """Its lease cannot be freed then, and runs out."""
    with start(half_read, "worker") as worker, mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        with half_read.app.app_context():
            session_of(half_read).connection().exec_driver_sql("BEGIN IMMEDIATE")
            assert ended(worker) < IN_TIME
    assert lease_of(half_read)[0] is not None


def test_looks_are_let_go_as_well(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    with connected.app.app_context():
        connected.ms365.tick()
        with write_transaction(session_of(connected)):
            session_of(connected).execute(update(Mailbox).values(next_due_at=Mailbox.created_at))
    with start(connected, "worker") as worker, mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        assert lease_of(connected)[0]
        assert ended(worker) < IN_TIME
    assert lease_of(connected)[0] is None


def test_told_twice_it_does_not_even_wait_for_that(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    with start(connected, "worker") as worker, mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=IN_TIME) in {128 + signal.SIGTERM, 128 + signal.SIGINT}


def test_a_pass_of_a_timer_stops_the_same_way(half_read: Host, mailbox: MailboxAtMicrosoft) -> None:
    with start(half_read, "sync") as worker, mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=PATIENCE)
        assert ended(worker) < IN_TIME
    assert lease_of(half_read)[0] is None


def test_on_sighup_it_reads_all_configuration_anew_and_goes_on(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    right = keys_file(connected)
    right.write_text(generate_key(), encoding="utf-8")
    mailbox.deliver(subject="One")
    with start(connected, "worker", stderr=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stderr is not None
        assert "locked" in worker.stderr.readline()
        right.write_text(str(connected.app.config["MS365_ENCRYPTION_KEYS"]), encoding="utf-8")
        for _ in range(2):  # impatience must not end it
            worker.send_signal(signal.SIGHUP)
        assert json.loads(worker.stdout.readline())["created"] == 1
        assert ended(worker) < IN_TIME
