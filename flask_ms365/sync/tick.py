"""One tick: whoever is due, new mail before long readings, for a while."""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask_ms365 import signals
from flask_ms365.sync.poll import AT_ONCE, Look, Poll
from flask_ms365.sync.report import Result, RunReport, TickReport
from flask_ms365.sync.side_by_side import side_by_side

if TYPE_CHECKING:
    from flask_ms365.sync.runner import Runner

_A_WHILE = 30.0  # seconds, and what is left is the next tick's
_LOOKS = 5  # of 500 mailboxes each, before long readings have their turns
# these had no run
_REFUSED = (Result.TAKEN, Result.RESTING)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """Goes round all that is due, up to ``at_once`` mailboxes at a time, each in an app context of its own."""

    runner: Runner
    poll: Poll
    at_once: int

    def run(self) -> TickReport:
        """Go on while something is due."""
        runs, has_more, until = list[RunReport](), True, time.monotonic() + _A_WHILE
        for number in itertools.count(1):
            if not has_more or self.runner.is_stopping() or time.monotonic() >= until:
                break
            ended, has_more = self._round(number)
            runs += ended
        return TickReport(is_on=True, runs=runs, has_more=has_more)

    def _round(self, number: int) -> tuple[list[RunReport], bool]:
        """Run new mail first, then a turn each of a few long readings; return the runs, and whether more is due.

        Where much new mail waits, long readings have their turns now and then: it takes a while to find them behind it.
        """
        looks = self.poll.due()
        random.shuffle(looks)  # two workers that tick together should not meet at every mailbox
        idle = [self._idle(look) for look in looks if look.is_idle]
        is_time = len(looks) < AT_ONCE or number % _LOOKS == 0
        unlooked = self.poll.unlooked(self.at_once + 1) if is_time else []
        busy = [look for look in looks if not look.is_idle] + unlooked[: self.at_once]
        ended = side_by_side(self._run_after, busy, at_once=self.at_once, name="ms365-run")
        if busy:
            self.poll.forget_held()
        runs = idle + [report for report in ended if report and report.result not in _REFUSED]
        is_tried = any(not look.is_long for look in unlooked)  # then all others of its tenant may be due
        is_full = len(looks) == AT_ONCE or len(unlooked) > self.at_once or is_tried
        return runs, _is_on(runs) and (any(report.has_more for report in runs) or (is_full and bool(runs)))

    def _idle(self, look: Look) -> RunReport:
        report = RunReport(mailbox_id=look.mailbox_id, address=look.address)
        self.runner.tally.add("sync_runs", str(Result.DONE))
        signals.run_finished.send(self.runner.app, report=report)
        return report

    def _run_after(self, look: Look) -> RunReport | None:
        """Run a mailbox, unless another worker has it by now."""
        if self.runner.is_stopping():
            return None
        with self.runner.app.app_context():
            return self.runner.run(look.mailbox_id, only_due=True, is_turn=True, is_long=look.is_long, pages=look.pages)


def _is_on(runs: list[RunReport]) -> bool:
    return all(report.result is not Result.SWITCHED_OFF for report in runs)
