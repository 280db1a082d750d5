"""Fault 44: cursors that die anywhere, also while the folder is being read again because one had died."""

from __future__ import annotations

import pytest

from flask_ms365 import Change
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, delta_of, in_mid_sync, on_sqlite, refusal, rows

CODES = [
    pytest.param(410, "SyncStateNotFound", id="410"),
    pytest.param(410, "", id="410 without code"),
    pytest.param(400, "resyncRequired", id="400"),
    pytest.param(404, "SyncStateInvalid", id="404"),
    pytest.param(400, "invalidSyncStateData", id="lower case"),
]


@on_sqlite
@pytest.mark.parametrize(("status", "code"), CODES)
def test_a_first_page_that_is_refused_as_expired_is_asked_again(synced: Synced, status: int, code: str) -> None:
    """Fault 44, page 1."""
    deliver(synced, 3)
    synced.simulator.fail_next(delta_of(synced), status, refusal(code))

    assert synced.sync().changes == {Change.CREATED: 3}
    assert synced.differences() == []


def test_a_next_link_that_dies_starts_the_folder_again_and_tells_nobody_twice(synced: Synced) -> None:
    """Fault 44, page n."""
    deliver(synced, 12)
    in_mid_sync(synced, synced.mailbox.expire_cursors)

    assert synced.sync().changes == {Change.CREATED: 12}
    assert len(synced.told) == 12
    assert synced.differences() == []


@on_sqlite
def test_mail_that_went_while_the_first_reading_started_again_is_not_kept(synced: Synced) -> None:
    """Fault 44, page n, with a message that only the first attempt met."""
    ids = deliver(synced, 12)

    def happen() -> None:
        synced.mailbox.delete(ids[0])
        synced.mailbox.expire_cursors()

    in_mid_sync(synced, happen)
    synced.sync()

    assert synced.differences() == []


def test_a_cursor_may_die_again_while_the_folder_is_read_again(synced: Synced) -> None:
    """Fault 44, on the delta link and again during the resync."""
    ids = deliver(synced, 6)
    synced.sync()
    before = rows(synced)
    synced.mailbox.delete(ids[0])
    synced.simulator.fail_next(delta_of(synced), 410, refusal("SyncStateNotFound"), times=2)

    assert synced.sync().changes == {Change.REMOVED: 1}
    assert {subject: row.id for subject, row in rows(synced).items()} == {s: row.id for s, row in before.items()}
    assert synced.differences() == []


@on_sqlite
def test_a_resync_that_never_gets_through_removes_nothing_and_says_so(synced: Synced, clock: Clock) -> None:
    """Fault 44, for ever."""
    deliver(synced, 6)
    synced.sync()
    synced.simulator.fail_next(delta_of(synced), 410, refusal("SyncStateNotFound"), times=None)

    report = synced.run()
    assert report.result is Result.UNAVAILABLE
    assert "expired again and again" in report.error
    assert all(row.removed_at is None for row in rows(synced).values())

    synced.simulator.stop_failing()
    clock.advance(hours=2)
    assert synced.sync().changes == {}
    assert synced.differences() == []
