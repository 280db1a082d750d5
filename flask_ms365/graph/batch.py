"""Many reads in one request: ``$batch``, where each part succeeds, fails or is throttled by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from flask_ms365.errors import GraphError, Throttled, Unauthorized, Unavailable
from flask_ms365.graph.decode import decode
from flask_ms365.graph.download import PERMANENT, TOO_LARGE
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.graph.http import GraphHttp
from flask_ms365.graph.types import Batch, BatchAnswer
from flask_ms365.words import Words

T = TypeVar("T")

_MOST = 20  # Microsoft's limit
_ATTEMPTS = 3
_PAUSE = 0.5  # seconds, where Microsoft names none


@dataclass(kw_only=True)
class Reads(Generic[T]):
    """What came of reading many things, by the key of each."""

    found: dict[str, T] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    # these cannot be read, although others can
    failed: dict[str, GraphError] = field(default_factory=dict)

    def add(self, other: Reads[T]) -> None:
        """Take in what came of reading others."""
        self.found |= other.found
        self.gone |= other.gone
        self.failed |= other.failed


@dataclass(frozen=True, kw_only=True)
class BatchReader:
    """Reads below one mailbox (``me`` or ``users/{address}``), with the same headers for each part."""

    http: GraphHttp
    owner: str
    prefer: str

    def read(self, paths: Mapping[str, str], kind: type[T], *, absent: Sequence[int] = (404,)) -> Reads[T]:
        """Return the values at ``paths`` (key -> path below the mailbox); one of the statuses ``absent`` means gone.

        Raise a :exc:`GraphError` that concerns all of them: no permission, throttled for long, out of order.
        """
        reads: Reads[T] = Reads()
        waiting = list(paths)
        while waiting:
            now, waiting = waiting[:_MOST], waiting[_MOST:]
            reads.add(self._read_what_fits({key: paths[key] for key in now}, kind, absent))
        return reads

    def _read_what_fits(self, paths: dict[str, str], kind: type[T], absent: Sequence[int]) -> Reads[T]:
        """Read a batch; in halves where it is too large, down to the one thing that is."""
        try:
            return self._read_some(paths, kind, absent)
        except Unavailable as error:
            if error.code != TOO_LARGE and error.status != 504:
                raise
            if len(paths) == 1:
                return Reads(failed=dict.fromkeys(paths, error))
        keys = list(paths)
        reads: Reads[T] = Reads()
        for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
            reads.add(self._read_what_fits({key: paths[key] for key in half}, kind, absent))
        return reads

    def _read_some(self, paths: dict[str, str], kind: type[T], absent: Sequence[int]) -> Reads[T]:
        reads: Reads[T] = Reads()
        troubles: dict[str, GraphError] = {}
        for attempt in range(_ATTEMPTS):
            if attempt:
                self.http.pause(max(error.retry_after or _PAUSE for error in troubles.values()))
            troubles = {}
            for key, answer in self._answers(paths):
                try:
                    value = _value(answer, kind, absent)
                except (Throttled, Unavailable) as error:
                    if error.code in PERMANENT:  # though it says 500: one that is corrupt must not stop the mailbox
                        reads.failed[key] = error
                    else:
                        troubles[key] = error
                        if isinstance(error, Throttled):
                            self.http.tally.add("throttled")
                except GraphError as error:
                    reads.failed[key] = _of_one(error)
                else:
                    self._take(reads, key, value)
            paths = {key: paths[key] for key in troubles}
            if not paths:
                return reads
        return _with_troubles(reads, troubles)

    @staticmethod
    def _take(reads: Reads[T], key: str, value: T | None) -> None:
        if value is None:
            reads.gone.add(key)
        else:
            reads.found[key] = value

    def _answers(self, paths: Mapping[str, str]) -> Iterator[tuple[str, BatchAnswer | None]]:
        requests = [
            {"id": str(number), "method": "GET", "url": f"/{self.owner}{path}", "headers": {"Prefer": self.prefer}}
            for number, path in enumerate(paths.values())
        ]
        answer = self.http.request(
            "POST",
            f"{self.http.origin}/v1.0/$batch",
            headers={"Content-Type": "application/json", "Prefer": self.prefer},
            body=json.dumps({"requests": requests}).encode(),
            counts=len(requests),
        )
        answers = {answer.id: answer for answer in decode(answer.body, Batch).responses}
        for number, key in enumerate(paths):
            yield key, answers.get(str(number))


def _value(answer: BatchAnswer | None, kind: type[T], absent: Sequence[int]) -> T | None:
    if answer is None:
        raise Unavailable(Words("Microsoft Graph left a part of a batch unanswered."), code="batchIncomplete")
    if answer.status in absent:
        return None
    body = bytes(answer.body)
    if answer.status != 200:
        raise graph_error(answer.status, answer.headers, body)
    return decode(body, kind)


def _of_one(error: GraphError) -> GraphError:
    """Return an error that concerns one thing; raise one that concerns all: the token, or a permission."""
    if isinstance(error, Unauthorized) or error.status == 403:
        raise error
    return error


def _with_troubles(reads: Reads[T], troubles: Mapping[str, GraphError]) -> Reads[T]:
    """Let what never answered count as failed, where the rest shows that Graph itself is well."""
    throttled = [error for error in troubles.values() if isinstance(error, Throttled)]
    # the batch itself was answered: what fails alone is not well itself, and must not be in the way for ever
    is_lone = len(troubles) == 1 and all(error.status == 500 for error in troubles.values())
    is_well = reads.found or reads.gone or reads.failed or is_lone
    if throttled or not is_well:
        raise next(iter(throttled or troubles.values()))
    reads.failed |= troubles
    return reads
