"""Fault 45, at length: rounds of thousands of pages, beside a clock that runs: the quota of requests fills up by it."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import update

from flask_ms365 import Change
from flask_ms365.models import Folder
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, on_sqlite


class RacingClock(Clock):
    """A clock on which a moment passes whenever somebody looks."""

    def __call__(self) -> datetime:
        self.advance(seconds=0.2)
        return super().__call__()


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """Look for none: thousands of links, each sought in as many lines, would take longer than to read them all."""


@pytest.fixture
def clock() -> Clock:
    return RacingClock()


@on_sqlite
@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_any_number_of_empty_pages_is_read_to_the_end(synced: Synced, count: int) -> None:
    """Fault 45, empty pages with a next link."""
    synced.sync()
    with synced.host.app.app_context():  # each folder would have as many
        synced.session.execute(update(Folder).where(Folder.well_known_name != "inbox").values(selected=False))
        synced.session.commit()
    deliver(synced, 3)
    synced.mailbox.empty_pages = count

    assert synced.sync().changes == {Change.CREATED: 3}
    assert synced.differences() == []
