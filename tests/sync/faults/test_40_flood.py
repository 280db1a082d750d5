"""Fault 40: much new mail in one mailbox must not make the others wait."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select, update

from flask_ms365 import simulator
from flask_ms365.models import Mailbox, Message, write_transaction
from flask_ms365.signals import run_finished
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock, Host
from tests.sync.many import Many

SMALL = 50


@pytest.fixture
def many(configured: Host, simulator: simulator.Simulator, clock: Clock) -> Many:
    return Many(host=configured, simulator=simulator, clock=clock)


def flood(many: Many, pages: int, page_size: int) -> simulator.Mailbox:
    """Return the first of 51 mailboxes, which has so many pages of new mail; each of the others has one message."""
    first, *others = many.add(1 + SMALL)
    first.max_page_size = page_size
    first.deliver_many(pages * page_size, body_size=100)
    for box in others:
        box.deliver(subject="Small", text="x")
    return first


class Ends:
    """The runs in the order in which they ended; after the second turn of the big one all are due again."""

    def __init__(self, many: Many, big: simulator.Mailbox) -> None:
        self.many, self.big = many, big
        self.reports: list[RunReport] = []
        self.turns = 0

    def __call__(self, _: Any, report: RunReport) -> None:
        self.reports.append(report)
        if report.address == self.big.address:
            self.turns += 1
            if self.turns == 2:
                self._make_all_due()

    def _make_all_due(self) -> None:
        many = self.many
        with many.host.app.app_context(), write_transaction(many.session):
            many.session.execute(update(Mailbox).where(Mailbox.id > 1).values(next_due_at=many.clock()))

    def at_the_turn(self, number: int) -> Counter[str]:
        """Return how often each small mailbox was read before that turn of the big one ended."""
        turns = [index for index, report in enumerate(self.reports) if report.address == self.big.address]
        return Counter(report.address for report in self.reports[: turns[number - 1]] if report.mailbox_id != 1)


def test_each_small_mailbox_is_read_before_the_big_one_has_its_next_turn(many: Many) -> None:
    big = flood(many, pages=45, page_size=1)
    ends = Ends(many, big)
    with run_finished.connected_to(ends):
        many.tick()

    assert [report.result for report in ends.reports if report.mailbox_id == 1][-1] is Result.DONE
    assert len(ends.at_the_turn(2)) == SMALL
    # those that were due again meanwhile did not wait for its end either
    assert set(ends.at_the_turn(3).values()) == {2}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_thousand_messages_make_nobody_late(many: Many) -> None:
    big = flood(many, pages=500, page_size=200)
    ends = Ends(many, big)
    with run_finished.connected_to(ends):
        while many.tick().has_more:
            pass

    assert ends.turns >= 25
    assert set(ends.at_the_turn(3).values()) == {2}
    with many.host.app.app_context():
        counts = many.session.execute(select(func.count(), func.count(Message.graph_id.distinct()))).one()
    assert tuple(counts) == (100_000 + SMALL, 100_000 + SMALL)
