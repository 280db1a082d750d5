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
from typing import ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from flask_ms365.sync.report import Result
from tests.sync.hooks import KINDS, Crash, Kind
from tests.sync.world import World

HISTORIES = int(os.environ.get("MS365_TEST_HISTORIES", "300"))

_NAMES = ("Projects", "2026", "projekte", "A/B")
_EXPIRIES = ((410, "SyncStateNotFound"), (410, "resyncRequired"), (400, "syncStateInvalid"), (404, "SyncStateNotFound"))
GOOD = (Result.DONE, Result.THROTTLED, Result.UNAVAILABLE)

# nothing that is drawn depends on how a sync went: what makes no sense at some moment is left out when it is its turn
_folders = st.sampled_from(("inbox", "archive", "own", "deleteditems"))
_numbers = st.integers(0, 30)


class Turn(NamedTuple):
    """Something that people or Microsoft do to a mailbox."""

    verb: str
    number: int
    folder: str
    other: str


def turns(*verbs: str) -> st.SearchStrategy[Turn]:
    """Return a strategy for what these verbs may do."""
    return st.builds(Turn, st.sampled_from(verbs), _numbers, _folders, _folders)


_CHANGES = ("move", "move_on", "move_and_return", "delete", "delete_softly", "mark_read", "edit", "copy")
_FOLDER_CHANGES = ("create_folder", "rename_folder", "move_folder", "delete_folder")
_FAULTS = ("expire_all", "expire_one", "throttle", "send_empty_pages", "fail_message")


class HandlerFailed(Exception):
    """The host's own code is out of order."""


class Histories(RuleBasedStateMachine):
    """One mailbox with folders that are read and one that is not, in pages of two messages."""

    world: ClassVar[World]

    @initialize(
        is_immutable=st.sampled_from((True, True, False)),
        loses=st.booleans(),
        repeats=st.booleans(),
        letters=st.integers(0, 7),
        is_synced=st.booleans(),
    )
    def begin(self, is_immutable: bool, loses: bool, repeats: bool, letters: int, is_synced: bool) -> None:
        self.mail = Mail(self.world)
        self.mail.box.immutable_ids = is_immutable
        self.mail.box.lose_round_trips, self.mail.box.duplicates = loses, repeats
        for number in range(letters):
            self.mail.deliver(("inbox", "archive", "own", "inbox")[number % 4], number)
        if is_synced:
            self.run(GOOD)

    @rule(folder=_folders, days_ago=st.lists(st.sampled_from((0, 0, 5, 50)), min_size=1, max_size=4))
    def deliver(self, folder: str, days_ago: list[int]) -> None:
        for number, days in enumerate(days_ago):
            self.mail.deliver(folder, number, days)

    @rule(changes=st.lists(turns(*_CHANGES), min_size=1, max_size=3))
    def change(self, changes: list[Turn]) -> None:
        for turn in changes:
            self.mail.take(turn)

    @rule(turn=turns(*_FOLDER_CHANGES))
    def change_folders(self, turn: Turn) -> None:
        self.mail.take(turn)

    @rule(turn=turns(*_FAULTS))
    def disturb(self, turn: Turn) -> None:
        self.mail.take(turn)

    @rule(changes=st.lists(turns(*_CHANGES), min_size=1, max_size=3), turn=turns("expire_all", "expire_one"))
    def change_and_forget(self, changes: list[Turn], turn: Turn) -> None:
        self.change(changes)
        self.disturb(turn)

    @rule(days=st.sampled_from((0, 1, 30)))
    def read_last(self, days: int) -> None:
        self.world.read_last(days)

    @rule(hours=st.sampled_from((0, 0, 26)))
    def sync(self, hours: int) -> None:
        self.run(GOOD)
        self.world.clock.advance(hours=hours)

    @rule(moment=st.integers(0, 50))
    def sync_and_die(self, moment: int) -> None:
        self.run(GOOD, self.world.hooks.crash, at=moment)

    @rule(moment=st.integers(0, 8), is_lasting=st.booleans())
    def sync_with_a_handler_that_fails(self, moment: int, is_lasting: bool) -> None:
        def fail() -> None:
            if is_lasting:
                self.world.hooks.plan(("handler",), 0, fail)
            raise HandlerFailed

        self.run((*GOOD, Result.FAILED), fail, at=moment, kinds=("handler",))

    @rule(moment=st.integers(0, 30), changes=st.lists(turns(*_CHANGES, *_FAULTS), max_size=2))
    def sync_and_sleep_through_the_lease(self, moment: int, changes: list[Turn]) -> None:
        self.stored: object = None
        results = (*GOOD, Result.TAKEN, Result.RESTING)
        kinds: tuple[Kind, ...] = ("before request", "begin")
        result = self.run(results, lambda: self.take_over(changes), at=moment, kinds=kinds)
        if self.stored is not None:
            assert result is Result.TAKEN, f"{result}, although another process had taken the place"
            assert self.world.dump() == self.stored, "a process wrote after another had taken its place"

    @rule(moment=st.integers(0, 40), turn=turns(*_CHANGES, *_FOLDER_CHANGES, *_FAULTS))
    def sync_while_things_happen(self, moment: int, turn: Turn) -> None:
        self.run(GOOD, lambda: self.mail.take(turn), at=moment)

    def run(
        self,
        results: tuple[Result, ...],
        action: Callable[[], object] = lambda: None,
        *,
        at: int = 0,
        kinds: tuple[Kind, ...] = KINDS,
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

    def take_over(self, changes: list[Turn]) -> None:
        """Sleep until another process has synced the mailbox."""
        if threading.current_thread() is not threading.main_thread():
            self.world.hooks.plan(("begin",), 0, lambda: self.take_over(changes))
            return
        was_held = self.world.is_held()
        self.world.clock.advance(minutes=5)
        for turn in changes:
            self.mail.take(turn)
        result = self.world.run().result
        assert result in (*GOOD, Result.RESTING), result
        if was_held and result in GOOD:
            self.stored = self.world.dump()

    def teardown(self) -> None:
        if not hasattr(self, "mail"):
            return
        self.world.settle()
        differences = self.world.differences()
        assert differences == [], "\n".join(differences)


class Mail:
    """A mailbox that is used: each verb does what it can."""

    def __init__(self, world: World) -> None:
        self.box = world.begin()
        self._clock = world.clock
        self.box.max_page_size = 2
        for name in ("drafts", "junkemail", "outbox", "sentitems"):
            self.box.delete_folder(name)
        self.box.create_folder("Own")
        self._delivered = 0

    def take(self, turn: Turn) -> None:
        """Do what a verb says, unless it needs a message and there is none."""
        messages = self.box.messages()
        if turn.verb in _CHANGES and not messages:
            return
        one = messages[turn.number % len(messages)].id if messages else ""
        getattr(self, f"_{turn.verb}")(one, turn)

    def deliver(self, folder: str, number: int, days_ago: int = 0) -> None:
        """Deliver a letter; every fourth has a file."""
        self._delivered += 1
        self.box.deliver(
            subject=f"Message {self._delivered}",
            text=f"Text {self._delivered}",
            folder=self._place(folder, number),
            received_at=self._clock() - timedelta(days=days_ago, minutes=self._delivered),
            attachments=[("a.txt", "text/plain", b"a")] if self._delivered % 4 == 0 else [],
        )

    def _own(self, number: int) -> str | None:
        """Return one of the folders that people made."""
        own = [one.id for one in self.box.folders if one.well_known_name is None]
        return own[number % len(own)] if own else None

    def _place(self, folder: str, number: int) -> str:
        return (self._own(number) or "inbox") if folder == "own" else folder

    def _move(self, one: str, turn: Turn) -> None:
        self.box.move(one, self._place(turn.folder, turn.number))

    def _move_on(self, one: str, turn: Turn) -> None:
        self.box.move(self.box.move(one, self._place(turn.folder, turn.number)), self._place(turn.other, turn.number))

    def _move_and_return(self, one: str, turn: Turn) -> None:
        home = self.box.message(one).folder_id
        self.box.move(self.box.move(one, self._place(turn.folder, turn.number)), home)

    def _delete(self, one: str, _turn: Turn) -> None:
        self.box.delete(one)

    def _delete_softly(self, one: str, _turn: Turn) -> None:
        self.box.delete(one, permanently=False)

    def _mark_read(self, one: str, turn: Turn) -> None:
        self.box.mark_read(one, bool(turn.number % 2))

    def _edit(self, one: str, turn: Turn) -> None:
        self.box.update(one, subject=f"Another subject {turn.number}")

    def _copy(self, one: str, turn: Turn) -> None:
        """Put another message there that looks the same in all that stays when ids change."""
        told = next(record for record in self.box.messages() if record.id == one)
        self.box.deliver(
            subject=told.subject,
            text=told.body,
            folder=self._place(turn.folder, turn.number),
            received_at=told.received_at,
            sent_at=told.sent_at,
            internet_message_id=told.internet_message_id,
        )

    def _create_folder(self, _one: str, turn: Turn) -> None:
        name = self._free_name(turn.number)
        if name:
            self.box.create_folder(name, self._own(turn.number) if turn.folder == "own" else None)

    def _rename_folder(self, _one: str, turn: Turn) -> None:
        folder, name = self._own(turn.number), self._free_name(turn.number)
        if folder and name:
            self.box.rename_folder(folder, name)

    def _move_folder(self, _one: str, turn: Turn) -> None:
        folder = self._own(turn.number)
        if folder:
            self.box.move_folder(folder, "archive" if turn.number % 2 else None)

    def _delete_folder(self, _one: str, turn: Turn) -> None:
        folder = self._own(turn.number)
        if folder:
            self.box.delete_folder(folder)

    def _free_name(self, number: int) -> str | None:
        name = _NAMES[number % len(_NAMES)]
        return None if any(one.name == name for one in self.box.folders) else name

    def _expire_all(self, _one: str, turn: Turn) -> None:
        self.box.expire_cursors(None, *_EXPIRIES[turn.number % len(_EXPIRIES)])

    def _expire_one(self, _one: str, turn: Turn) -> None:
        self.box.expire_cursors(self._place(turn.folder, turn.number), *_EXPIRIES[turn.number % len(_EXPIRIES)])

    def _throttle(self, _one: str, turn: Turn) -> None:
        # so long that nobody waits for it
        self.box.throttle(1 + turn.number % 2, retry_after=60, status=(429, 503, 504)[turn.number % 3])

    def _fail_message(self, one: str, _turn: Turn) -> None:
        if one:
            self.box.fail_message(one)

    def _send_empty_pages(self, _one: str, turn: Turn) -> None:
        self.box.empty_pages = turn.number % 3


def histories(count: int, *, steps: int = 6) -> settings:
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
