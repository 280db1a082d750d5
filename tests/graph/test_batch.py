"""Many reads in one request: each part stands for itself, and only what is missing is asked for again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from typing import Any

import pytest

from flask_ms365.errors import GraphError, Throttled, Unauthorized, Unavailable
from flask_ms365.graph import GraphClient
from flask_ms365.graph.batch import Reads
from flask_ms365.graph.http import GraphHttp, new_pool
from flask_ms365.graph.quota import BURST, Quota
from flask_ms365.graph.types import MessageData
from flask_ms365.simulator import Simulator

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


class Batches:
    """A client in a world without time, and what Graph is going to answer it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.waits: list[float] = []
        quota = Quota(clock=lambda: NOW, sleep=self.waits.append)
        self._http = GraphHttp(
            origin=simulator.url,
            token=lambda *_: "token",
            pool=new_pool(simulator.url),
            sleep=self.waits.append,
            quota=quota,
        )
        self._graph = GraphClient(self._http)

    def counted(self) -> Counter[tuple[str, str]]:
        return self._http.tally.take()

    def answer(self, *parts: dict[str, Any]) -> None:
        """Answer the next batch."""
        self._simulator.fail_next(r"/\$batch$", 200, {"responses": list(parts)})

    def refuse(self, status: int, *, times: int = 1) -> None:
        """Refuse the next batches as a whole."""
        self._simulator.fail_next(r"/\$batch$", status, times=times)

    def read(self, *ids: str) -> Reads[MessageData]:
        return self._graph.messages(ids)

    @property
    def parts_asked(self) -> float:
        return BURST - self._http.quota.left

    @property
    def requests(self) -> int:
        return self._simulator.count("POST", "/$batch")


@pytest.fixture
def batches(simulator: Simulator) -> Batches:
    return Batches(simulator)


def part(number: int, status: int = 200, *, retry_after: str = "", code: str = "", **body: Any) -> dict[str, Any]:
    """Write the answer to one part of a batch."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    refusal = {"error": {"code": code, "message": "No."}}
    shown = {"id": f"m{number}", "subject": f"{number}", **body} if status == 200 else refusal
    return {"id": f"{number}", "status": status, "headers": headers, "body": shown}


def subjects(reads: Reads[MessageData]) -> dict[str, object]:
    return {key: message.subject for key, message in reads.found.items()}


def test_parts_may_be_answered_in_any_order(batches: Batches) -> None:
    batches.answer(part(2), part(0), part(1))

    assert subjects(batches.read("a", "b", "c")) == {"a": "0", "b": "1", "c": "2"}


def test_no_batch_has_more_parts_than_microsoft_allows(batches: Batches) -> None:
    for _ in range(2):
        batches.answer(*map(part, range(20)))
    batches.answer(part(0))

    assert len(batches.read(*(f"id{number}" for number in range(41))).found) == 41
    assert (batches.requests, batches.parts_asked) == (3, 41)


def test_nothing_to_read_is_not_asked(batches: Batches) -> None:
    assert batches.read().found == {}
    assert batches.requests == 0


def test_only_parts_that_were_throttled_are_asked_again(batches: Batches) -> None:
    batches.answer(part(0), part(1, 429, retry_after="1"), part(2), part(3, 503))
    batches.answer(part(0, subject="once more b"), part(1, subject="once more d"))

    found = subjects(batches.read("a", "b", "c", "d"))
    assert found == {"a": "0", "b": "once more b", "c": "2", "d": "once more d"}
    assert (batches.requests, batches.parts_asked) == (2, 6)


def test_the_longest_wait_that_a_part_asks_for_counts(batches: Batches) -> None:
    batches.answer(part(0, 429, retry_after="1"), part(1, 429, retry_after="4"), part(2, 429, retry_after="2"))
    batches.answer(part(0), part(1), part(2))
    batches.read("a", "b", "c")

    assert batches.waits == [4]


def test_a_wait_that_is_too_long_for_a_worker_is_left_to_the_caller(batches: Batches) -> None:
    batches.answer(part(0), part(1, 429, retry_after="120"))
    with pytest.raises(Throttled) as error:
        batches.read("a", "b")

    assert (error.value.retry_after, batches.waits, batches.requests) == (120, [], 1)


def test_parts_that_were_throttled_are_counted(batches: Batches) -> None:
    batches.answer(part(0, 429, retry_after="1"), part(1, 429, retry_after="1"), part(2))
    batches.answer(part(0), part(1))
    batches.read("a", "b", "c")
    assert batches.counted() == {("graph_requests", "2xx"): 2, ("throttled", ""): 2}


def test_a_part_that_is_throttled_again_and_again_stops_all(batches: Batches) -> None:
    batches.answer(part(0), part(1, 429))
    for _ in range(2):
        batches.answer(part(0, 429))

    with pytest.raises(Throttled):
        batches.read("a", "b")
    assert batches.requests == 3


def test_a_part_that_was_left_unanswered_is_asked_again(batches: Batches) -> None:
    batches.answer(part(0), part(2))
    batches.answer(part(0, subject="late"))

    assert subjects(batches.read("a", "b", "c")) == {"a": "0", "b": "late", "c": "2"}
    assert batches.parts_asked == 4


def test_a_part_that_never_answers_has_failed_where_others_did_not(batches: Batches) -> None:
    batches.answer(part(0))
    for _ in range(2):
        batches.answer()

    reads = batches.read("a", "b")
    assert (set(reads.found), set(reads.failed)) == ({"a"}, {"b"})


def test_a_batch_of_which_nothing_was_answered_is_unavailable(batches: Batches) -> None:
    for _ in range(3):
        batches.answer(part(0, 500), part(1, 502))

    with pytest.raises(Unavailable):
        batches.read("a", "b")


@pytest.mark.parametrize(("status", "code"), [(400, "ErrorInvalidIdMalformed"), (500, "ErrorCorruptData")])
def test_a_part_that_fails_for_good_stops_no_other(batches: Batches, status: int, code: str) -> None:
    batches.answer(part(0), part(1, status, code=code), part(2))

    reads = batches.read("a", "b", "c")
    assert set(reads.found) == {"a", "c"}
    assert reads.failed["b"].code == code
    assert (batches.requests, batches.waits) == (1, [])  # and is not asked again


def test_what_is_not_there_is_gone_and_no_failure(batches: Batches) -> None:
    batches.answer(part(0), part(1, 404, code="ErrorItemNotFound"))

    reads = batches.read("a", "b")
    assert (set(reads.found), reads.gone, reads.failed) == ({"a"}, {"b"}, {})


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (403, GraphError)])
def test_a_permission_that_one_part_lacks_concerns_all(batches: Batches, status: int, kind: type[GraphError]) -> None:
    batches.answer(part(0), part(1, status, code="ErrorAccessDenied"))

    with pytest.raises(kind) as error:
        batches.read("a", "b")
    assert error.value.status == status


def test_a_batch_that_takes_the_gateway_too_long_is_asked_for_in_halves(batches: Batches) -> None:
    batches.refuse(504, times=3)  # a request is tried three times
    batches.answer(part(0), part(1))
    batches.answer(part(0, subject="2"), part(1, subject="3"))

    assert subjects(batches.read("a", "b", "c", "d")) == {"a": "0", "b": "1", "c": "2", "d": "3"}


def test_one_thing_that_is_too_large_by_itself_stops_no_other(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what does not fit is 256 MB
    monkeypatch.setattr("flask_ms365.graph.http.LARGEST_ANSWER", 1_000)
    large = part(0, subject="x" * 1_000)
    batches.answer(large, part(1))
    batches.answer(large)
    batches.answer(part(0, subject="small"))

    reads = batches.read("a", "b")
    assert (subjects(reads), set(reads.failed)) == ({"b": "small"}, {"a"})
