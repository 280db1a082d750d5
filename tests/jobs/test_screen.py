"""What a terminal shows while mail is read."""

from __future__ import annotations

import os
import pty
import re
import select
import threading
import time
from collections.abc import Sequence

import pytest

from flask_ms365 import Change
from flask_ms365.jobs import screen
from flask_ms365.jobs.screen import Screen, under_way
from flask_ms365.models import Message
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from tests.conftest import Host
from tests.jobs.processes import PATIENCE
from tests.jobs.worker_process import MESSAGES, read_some, start


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    monkeypatch.setattr(screen, "_EVERY", 0.01)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    return Drawn()


class Drawn:
    """Says what is under way, and lets a test wait until that was drawn."""

    def __init__(self) -> None:
        self.parts: Sequence[str] = ["ana 1 of 3"]
        self._asked = threading.Semaphore(0)

    def __call__(self) -> Sequence[str]:
        self._asked.release()
        return self.parts

    def wait(self) -> None:
        for _ in range(2):  # asked again, it has drawn what it was told first
            assert self._asked.acquire(timeout=PATIENCE)


def test_what_is_under_way_is_drawn_over_and_over_on_one_line(drawn: Drawn, capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(drawn).shown():
        drawn.wait()
    out = capsys.readouterr().out
    assert "\n" not in out
    assert set(out.split("\r\x1b[K")) == {"", "ana 1 of 3"}
    assert out.endswith("\r\x1b[K")


def test_lines_stay(drawn: Drawn, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Screen(drawn)
    with shown.shown():
        drawn.wait()
        shown.print("bob: done")
    assert "\r\x1b[Kbob: done\n" in capsys.readouterr().out


def test_it_never_takes_a_second_line(
    drawn: Drawn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    drawn.parts = ["ana 1 of 3", "bob 2 of 4"]
    with Screen(drawn).shown():
        drawn.wait()
    assert {len(line) for line in capsys.readouterr().out.split("\r\x1b[K")} == {0, 19}


def seen_at_the_first_message(host: Host, mailbox: MailboxAtMicrosoft, count: int) -> str:
    """Read a mailbox; return what is under way when the first page has been stored."""
    mailbox.max_page_size = 10
    mailbox.deliver_many(count, body_size=100)
    seen: list[str] = []
    handled: list[Message] = []

    @host.ms365.on_message
    def look(message: Message, change: Change) -> None:
        handled.append(message)
        if len(handled) == 15:  # of the second page
            seen.extend(under_way(host.app, host.app.extensions["ms365.state"]))

    with host.app.app_context():
        host.ms365.sync_mailbox(1)
    (line,) = seen
    return line


def test_of_a_first_reading_it_tells_n_of_m_and_how_long_still(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    line = seen_at_the_first_message(connected, mailbox, 60)
    assert re.fullmatch(r"ana@contoso\.example \[#-{9}\] 10 of 60, [\d,]+/s, .+ left", line)


def test_with_no_mailbox_in_work_nothing_is_asked_and_told(connected: Host) -> None:
    assert under_way(connected.app, connected.app.extensions["ms365.state"]) == []


class Terminal:
    """What a process writes to the other end of a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.shown = ""

    def wait_for(self, pattern: str) -> bool:
        """Read until the pattern was shown; False if it does not come."""
        until = time.monotonic() + 40
        while not re.search(pattern, self.shown) and time.monotonic() < until:
            if select.select([self._descriptor], [], [], 1)[0]:
                self.shown += os.read(self._descriptor, 4096).decode()
        return re.search(pattern, self.shown) is not None


@pytest.mark.slow
@pytest.mark.parametrize("command", ["sync", "worker"])
def test_a_terminal_shows_the_mailbox_under_way_and_then_how_it_went(
    connected: Host, mailbox: MailboxAtMicrosoft, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    read_some(connected, mailbox)
    ours, theirs = pty.openpty()
    terminal = Terminal(ours)
    with start(connected, command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with mailbox.hold():
            assert terminal.wait_for(rf"ana@contoso\.example \[#-{{9}}\] 50 of {MESSAGES}, [\d,]+/s, .+ left")
        assert terminal.wait_for(r"ana@contoso\.example: done \(250 created, 0 updated, 0 moved, 0 removed\)")
        if command == "worker":
            process.terminate()
        assert process.wait(timeout=PATIENCE) == 0
    os.close(ours)
