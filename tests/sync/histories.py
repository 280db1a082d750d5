"""What may happen to a mailbox and to those who sync it, in whatever order.

Hypothesis invents histories: people deliver, move, edit and delete, folders come and go, Graph forgets its cursors,
repeats itself, sends empty pages and refuses; processes die at any moment, sleep through their lease, and find their
place taken. In the end all is quiet, and then the database must equal the mailbox.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from flask_ms365.simulator import Mailbox
from flask_ms365.sync.report import Result
from tests.sync.hooks import Crash, Kind
from tests.sync.world import World

HISTORIES = int(os.environ.get("MS365_TEST_HISTORIES", "300"))

INTERRUPTIBLE: tuple[Kind, ...] = ("before request", "after request", "begin", "before commit", "after commit")
_NAMES = ("Projects", "2026", "projekte", "A/B")
_EXPIRIES = ((410, "SyncStateNotFound"), (410, "resyncRequired"), (400, "syncStateInvalid"), (404, "SyncStateNotFound"))

a_folder = st.sampled_from(("inbox", "archive", "own", "deleteditems"))
a_number = st.integers(0, 30)
a_moment = st.integers(0, 50)
GOOD = (Result.DONE, Result.THROTTLED, Result.UNAVAILABLE)


class HandlerFailed(Exception):
    """The host's own code is out of order."""


class Histories(RuleBasedStateMachine):
    """One mailbox with folders that are read and one that is not, in pages of two messages."""

    world: ClassVar[World]
    box: Mailbox

    @initialize(is_immutable=st.sampled_from((True, True, False)), loses=st.booleans(), repeats=st.booleans())
    def begin(self, is_immutable: bool, loses: bool, repeats: bool) -> None:
        self.box = self.world.begin()
        self.box.immutable_ids, self.box.lose_round_trips, self.box.duplicates = is_immutable, loses, repeats
        self.box.max_page_size = 2
        for name in ("drafts", "junkemail", "outbox", "sentitems"):
            self.box.delete_folder(name)
        self.number = 0

    def place(self, folder: str, number: int = 0) -> str:
        """Return a folder, for ``own`` one that people made; while there is none, the inbox."""
        if folder != "own":
            return folder
        own = [one.id for one in self.box.folders if one.well_known_name is None]
        return own[number % len(own)] if own else "inbox"

    def one(self, number: int) -> str:
        """Return one of the messages."""
        messages = self.box.messages()
        return messages[number % len(messages)].id

    # people

    @rule(folder=a_folder, number=a_number, count=st.integers(1, 4), days_ago=st.sampled_from((0, 0, 5, 50)))
    def deliver(self, folder: str, number: int, count: int, days_ago: int) -> None:
        for _ in range(count):
            self.number += 1
            received_at = self.world.clock() - timedelta(days=days_ago, minutes=self.number)
            files = [("a.txt", "text/plain", b"a")] if self.number % 4 == 0 else []
            self.box.deliver(
                subject=f"Message {self.number}",
                text=f"Text {self.number}",
                folder=self.place(folder, number),
                received_at=received_at,
                attachments=files,
            )

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, folder=a_folder)
    def move(self, number: int, folder: str) -> None:
        self.box.move(self.one(number), self.place(folder, number))

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, first=a_folder, is_return=st.booleans(), second=a_folder)
    def move_and_move_on(self, number: int, first: str, is_return: bool, second: str) -> None:
        message = self.one(number)
        home = self.box.message(message).folder_id
        message = self.box.move(message, self.place(first))
        self.box.move(message, home if is_return else self.place(second))

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, permanently=st.booleans())
    def delete(self, number: int, permanently: bool) -> None:
        self.box.delete(self.one(number), permanently=permanently)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, is_read=st.booleans())
    def mark_read(self, number: int, is_read: bool) -> None:
        self.box.mark_read(self.one(number), is_read)

    @precondition(lambda self: self.box.messages())
    @rule(number=a_number, subject=st.sampled_from(("Offer", "Invoice", "Bell")))
    def edit(self, number: int, subject: str) -> None:
        self.box.update(self.one(number), subject=subject)

    @rule(number=a_number, name=st.sampled_from(_NAMES))
    def create_folder(self, number: int, name: str) -> None:
        if not any(one.name == name for one in self.box.folders):
            parent = self.place("own", number) if number % 2 else None
            self.box.create_folder(name, parent)

    @rule(number=a_number, name=st.sampled_from(_NAMES))
    def rename_folder(self, number: int, name: str) -> None:
        folder = self.place("own", number)
        if folder != "inbox" and not any(one.name == name for one in self.box.folders):
            self.box.rename_folder(folder, name)

    @rule(number=a_number)
    def delete_folder(self, number: int) -> None:
        folder = self.place("own", number)
        if folder != "inbox":
            self.box.delete_folder(folder)

    @rule(days=st.sampled_from((0, 1, 30)))
    def read_last(self, days: int) -> None:
        self.world.read_last(days)

    # Microsoft

    @rule(folder=st.sampled_from((None, "inbox", "archive")), how=st.sampled_from(_EXPIRIES))
    def expire_cursors(self, folder: str | None, how: tuple[int, str]) -> None:
        self.box.expire_cursors(folder, *how)

    @rule(pages=st.integers(0, 2))
    def send_empty_pages(self, pages: int) -> None:
        self.box.empty_pages = pages

    @rule(status=st.sampled_from((429, 503, 504)), times=st.integers(1, 2))
    def throttle(self, status: int, times: int) -> None:
        self.box.throttle(times, retry_after=60, status=status)

    # those who sync

    @rule(hours=st.sampled_from((2, 2, 26)))
    def sync(self, hours: int) -> None:
        self.run(GOOD)
        self.world.clock.advance(hours=hours)

    @rule(moment=a_moment)
    def sync_and_die(self, moment: int) -> None:
        self.run(GOOD, self.world.hooks.crash, at=moment)

    @rule(moment=st.integers(0, 8))
    def sync_with_a_handler_that_fails(self, moment: int) -> None:
        def fail() -> None:
            raise HandlerFailed

        self.run((*GOOD, Result.FAILED), fail, at=moment, kinds=("handler",))

    @rule(moment=a_moment)
    def sync_and_sleep_through_the_lease(self, moment: int) -> None:
        self.stored: object = None
        results = (*GOOD, Result.TAKEN)
        result = self.run(results, self.take_over, at=moment, kinds=("before request", "begin"))
        if self.stored is not None:
            assert result is Result.TAKEN
            assert self.world.dump() == self.stored, "a process wrote after another had taken its place"

    @precondition(lambda self: self.box.messages())
    @rule(
        moment=a_moment,
        verb=st.sampled_from(("move", "delete", "mark_read", "deliver", "expire", "throttle")),
        number=a_number,
        folder=a_folder,
    )
    def sync_while_things_happen(self, moment: int, verb: str, number: int, folder: str) -> None:
        verbs: dict[str, Callable[[], object]] = {
            "move": lambda: self.move(number, folder),
            "delete": lambda: self.delete(number, bool(number % 2)),
            "mark_read": lambda: self.mark_read(number, bool(number % 2)),
            "deliver": lambda: self.deliver(folder, number, 2, 0),
            "expire": lambda: self.box.expire_cursors(None if number % 2 else "inbox", *_EXPIRIES[number % 4]),
            "throttle": lambda: self.box.throttle(1, retry_after=60, status=(429, 503, 504)[number % 3]),
        }
        self.run(GOOD, verbs[verb], at=moment)

    def run(
        self,
        results: tuple[Result, ...],
        action: Callable[[], object] = lambda: None,
        *,
        at: int = 0,
        kinds: tuple[Kind, ...] = INTERRUPTIBLE,
    ) -> Result | None:
        """Sync, and let something happen at one moment of it; return None where the process died."""
        self.world.hooks.begin()
        self.world.hooks.plan(kinds, at, action)
        try:
            report = self.world.run()
        except Crash:
            return None
        finally:
            self.world.clock.advance(hours=2)
            self.world.hooks.begin()
        assert report.result in results, report
        return report.result

    def take_over(self) -> None:
        """Sleep until another process has synced the mailbox."""
        if threading.current_thread() is not threading.main_thread():
            self.world.hooks.plan(("begin",), 0, self.take_over)
            return
        self.world.clock.advance(minutes=5)
        was_held = self.world.is_held()
        result = self.world.run().result
        assert result in (*GOOD, Result.RESTING), result
        if was_held and result in GOOD:
            self.stored = self.world.dump()

    def teardown(self) -> None:
        if not hasattr(self, "box"):
            return
        self.world.settle()
        differences = self.world.differences()
        assert differences == [], "\n".join(differences)


def histories(count: int, *, steps: int = 14) -> settings:
    """Return how so many histories are run. One that fails is shown as it was found, which is short enough."""
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),
    )
