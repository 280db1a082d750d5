"""Fault 35: the toggle is flipped in one process while another stores a page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from flask_ms365.models import Message
from flask_ms365.sync.report import Result
from tests.conftest import Clock, Host, new_host
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import between_pages, deliver, in_mid_sync, on_sqlite

pytestmark = on_sqlite


@pytest.fixture
def other(synced: Synced) -> Host:
    """Return another process, as far as the database can tell."""
    app = synced.host.app
    keys = app.config["MS365_ENCRYPTION_KEYS"]
    return new_host(Path(app.instance_path), synced.simulator, Clock(), MS365_ENCRYPTION_KEYS=keys)


def _switch(host: Host, value: str) -> int:
    """Save the toggle; return how many messages there are once that was answered."""
    with host.app.app_context():
        host.ms365.settings.save({"email_sync": value})
        count = host.app.extensions["sqlalchemy"].session.scalar(select(func.count(Message.id)))
        return int(count or 0)


def _count(host: Host) -> int:
    with host.app.app_context():
        return int(host.app.extensions["sqlalchemy"].session.scalar(select(func.count(Message.id))) or 0)


def test_off_during_a_page_is_answered_after_it_and_before_the_next(synced: Synced, other: Host) -> None:
    deliver(synced, 20)
    with ThreadPoolExecutor(1) as pool:
        answers = []
        in_mid_sync(synced, lambda: answers.append(pool.submit(_switch, other, "0")), at=3)
        between_pages(synced, lambda: answers[0].result(timeout=10), at=3)

        assert synced.run().result is Result.SWITCHED_OFF
        assert answers[0].result() == _count(other) == 4


def test_off_and_on_again_between_two_pages_goes_unnoticed(synced: Synced, other: Host) -> None:
    deliver(synced, 8)
    between_pages(synced, lambda: [_switch(other, value) for value in "0101"])

    assert synced.run().result is Result.DONE
    assert synced.differences() == []


def test_whatever_was_flipped_the_last_word_counts(synced: Synced, other: Host) -> None:
    deliver(synced, 8)
    between_pages(synced, lambda: [_switch(other, value) for value in "01010"])

    assert synced.run().result is Result.SWITCHED_OFF
    assert _count(other) == 2
    _switch(other, "1")
    synced.sync()
    assert synced.differences() == []
    assert len(synced.told) == 8
