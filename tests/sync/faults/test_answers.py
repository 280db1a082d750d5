"""Fault 50: answers that are no answers, and ids that nobody expects."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any

import pytest

from flask_ms365 import Change
from flask_ms365.sync.report import Result
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, delta_of, on_sqlite, page, refusal, rows, set_aside

HTML = {"Content-Type": "text/html"}
BAD: list[Any] = [
    pytest.param(b'{"value":[{"id":"AAk', {}, id="cut JSON"),
    pytest.param(b'{"value":[]', {"Content-Length": "5000", "Connection": "close"}, id="cut connection"),
    pytest.param(b"<html><p>Accept the terms of this network</html>", HTML, id="another content type"),
    pytest.param(b"", {}, id="nothing"),
    pytest.param(b"null", {}, id="null"),
    pytest.param(b"[]", {}, id="a list"),
    pytest.param(b'"value"', {}, id="a string"),
    pytest.param(refusal("TooManyRequests"), {}, id="200 with an error"),
    pytest.param({"value": {"id": "x"}}, {}, id="value is an object"),
    pytest.param({"value": None}, {}, id="value is null"),
    pytest.param({"value": ["x", 1, None]}, {}, id="value is of strings"),
    pytest.param({"value": [], "@odata.nextLink": 5}, {}, id="a link is a number"),
    pytest.param(b"not zipped at all", {"Content-Encoding": "gzip"}, id="broken gzip"),
    pytest.param(gzip.compress(b'{"value":[]}')[:-12], {"Content-Encoding": "gzip"}, id="cut gzip"),
    pytest.param(b"[" * 100_000, {}, id="nested without end"),
    pytest.param(b'\xff\xfe{\x00"\x00', {}, id="UTF-16"),
]


@on_sqlite
@pytest.mark.parametrize(("body", "headers"), BAD)
def test_answers_that_stay_bad_end_in_a_clear_error_and_cost_no_mail(
    synced: Synced, clock: Clock, body: object, headers: Mapping[str, str]
) -> None:
    """Fault 50, pages of messages, until they are good again."""
    deliver(synced, 3)
    synced.sync()
    synced.mailbox.deliver(subject="New", text="x")
    synced.simulator.fail_next(delta_of(synced), 200, body, headers, times=None)
    _fails_and_goes_on(synced, clock)


@on_sqlite
@pytest.mark.parametrize(("body", "headers"), [BAD[0], BAD[2], BAD[7], BAD[8], pytest.param(page(), {}, id="no link")])
def test_a_tree_that_cannot_be_read_costs_no_folder(
    synced: Synced, clock: Clock, body: object, headers: Mapping[str, str]
) -> None:
    """Fault 50, pages of folders, until they are good again."""
    deliver(synced, 3)
    synced.sync()
    clock.advance(days=1, hours=1)  # the folders are listed again
    synced.mailbox.deliver(subject="New", text="x")
    synced.simulator.fail_next(r"/mailFolders(/delta)?$", 200, body, headers, times=None)
    _fails_and_goes_on(synced, clock)


def _fails_and_goes_on(synced: Synced, clock: Clock) -> None:
    report = synced.run()
    assert report.result is Result.UNAVAILABLE
    assert report.error
    assert [row for row in rows(synced).values() if row.removed_at] == []

    synced.simulator.stop_failing()
    clock.advance(hours=2)
    synced.sync()
    assert synced.differences() == []
    assert len(synced.told) == 4


@on_sqlite
def test_a_bomb_does_not_go_off(synced: Synced, clock: Clock) -> None:
    """Fault 50, 300 MB of nothing in 300 KB: refused, and read as usual once it is gone."""
    deliver(synced, 3)
    bomb = gzip.compress(b'{"value":[') + gzip.compress(b" " * 10_000_000) * 30
    synced.simulator.fail_next(delta_of(synced), 200, bomb, {"Content-Encoding": "gzip"})
    synced.run()
    clock.advance(hours=2)
    synced.sync()

    assert synced.differences() == []


def test_a_long_id_is_an_id(synced: Synced) -> None:
    """Fault 50, ids of 2,000 characters: stored, followed, and told apart by their last letter's case."""
    ids = ["A" * (length - 1) + last for length in (500, 2_000, 2_048) for last in "xX"]
    for number, graph_id in enumerate(ids):
        synced.mailbox.deliver(subject=f"{number}", text="x", message_id=graph_id)
    synced.sync()
    for small, capital in zip(ids[::2], ids[1::2], strict=True):
        synced.mailbox.mark_read(small)
        synced.mailbox.move(capital, "archive")
    synced.sync()
    assert synced.differences() == []

    synced.mailbox.delete(ids[-1])
    assert synced.sync().changes == {Change.REMOVED: 1}
    assert set_aside(synced) == {}


def test_ids_that_fit_no_key_are_set_aside_and_in_nobodys_way(synced: Synced) -> None:
    """Fault 50, ids beyond 2,048 characters or not of ASCII."""
    odd = ["A" * 2_049, "A" * 100_000, "AAk\u00c4", "AAk\u0415", "AAk\U0001f6b2"]
    deliver(synced, 2)
    for number, graph_id in enumerate(odd):
        synced.mailbox.deliver(subject=f"Odd {number}", text="x", message_id=graph_id)
    deliver(synced, 2, "archive")
    synced.sync()
    synced.sync()

    assert set(synced.subjects()) == {"inbox 0", "inbox 1", "archive 0", "archive 1"}
    assert len(set_aside(synced)) == len(odd)


@on_sqlite
def test_an_id_with_a_slash_is_quoted(synced: Synced) -> None:
    """Fault 50, ids as they once were."""
    synced.mailbox.deliver(subject="Old", text="x", message_id="AAk/+=/x", attachments=[("a.txt", "text/plain", b"x")])
    synced.sync()
    synced.mailbox.update("AAk/+=/x", subject="Old, corrected")
    synced.sync()

    assert synced.differences() == []
