"""What may happen to a mailbox and to those who sync it, in whatever order.

Hypothesis invents histories: people deliver, move, edit and delete, folders come and go, Graph forgets its cursors,
repeats itself, sends empty pages and refuses; processes die at any moment, sleep through their lease, and find their
place taken. In the end all is quiet, and then the database must equal the mailbox.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.engine import ConjectureRunner
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from flask_ms365.graph import client
from flask_ms365.sync.report import Result
from tests.sync.hooks import KINDS, Crash, Kind
from tests.sync.mail import CHANGES, FAULTS, FOLDER_CHANGES, Mail, Turn
from tests.sync.world import World

HISTORIES = int(os.environ.get("MS365_TEST_HISTORIES", "300"))

_NEAR = client.NEAR

GOOD = (Result.DONE, Result.THROTTLED, Result.UNAVAILABLE)

# nothing that is drawn depends on how a sync went: what makes no sense at some moment is left out when it is its turn
_folders = st.sampled_from(("inbox", "archive", "own", "deleteditems"))
_numbers = st.integers(0, 30)


def turns(*verbs: str) -> st.SearchStrategy[Turn]:
    """Return a strategy for what these verbs may do."""
    return st.builds(Turn, st.sampled_from(verbs), _numbers, _folders, _folders)


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
        is_near=st.booleans(),
    )
    def begin(
        self, is_immutable: bool, loses: bool, repeats: bool, letters: int, is_synced: bool, is_near: bool
    ) -> None:
        client.NEAR = _NEAR if is_near else 0.0  # else pages are fetched by threads, as they are from afar
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

    @rule(changes=st.lists(turns(*CHANGES), min_size=1, max_size=3))
    def change(self, changes: list[Turn]) -> None:
        for turn in changes:
            self.mail.take(turn)

    @rule(turn=turns(*FOLDER_CHANGES))
    def change_folders(self, turn: Turn) -> None:
        self.mail.take(turn)

    @rule(turn=turns(*FAULTS))
    def disturb(self, turn: Turn) -> None:
        self.mail.take(turn)

    @rule(changes=st.lists(turns(*CHANGES), min_size=1, max_size=3), turn=turns("expire_all", "expire_one"))
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

    @rule(moment=st.integers(0, 30), changes=st.lists(turns(*CHANGES, *FAULTS), max_size=2))
    def sync_and_sleep_through_the_lease(self, moment: int, changes: list[Turn]) -> None:
        self.stored: object = None
        results = (*GOOD, Result.TAKEN, Result.RESTING)
        kinds: tuple[Kind, ...] = ("before request", "begin")
        result = self.run(results, lambda: self.take_over(changes), at=moment, kinds=kinds)
        if self.stored is not None:
            assert result is Result.TAKEN, f"{result}, although another process had taken the place"
            assert self.world.dump() == self.stored, "a process wrote after another had taken its place"

    @rule(moment=st.integers(0, 40), turn=turns(*CHANGES, *FOLDER_CHANGES, *FAULTS))
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
        client.NEAR = _NEAR
        differences = self.world.differences()
        assert differences == [], "\n".join(differences)


def try_histories(machine: type[Histories], count: int, *, is_random: bool = True) -> None:
    """Try so many histories, the same in every run or others; one that fails is shown as it was found.

    Hypothesis would spend three of four on variations of the others: each new one finds more.
    """
    each = settings(
        max_examples=count,
        stateful_step_count=6,
        deadline=None,
        database=None,
        derandomize=not is_random,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=(Phase.explicit, Phase.generate),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConjectureRunner, "generate_mutations_from", lambda *_: None, raising=False)
        run_state_machine_as_test(machine, settings=each)
