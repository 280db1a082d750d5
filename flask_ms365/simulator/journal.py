"""What the simulator was asked, and what it is told to answer wrongly."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from werkzeug import Request, Response

from .errors import DropConnection
from .responses import encode

_KEPT_HEADERS = (
    "accept-encoding",
    "client-request-id",
    "content-type",
    "prefer",
    "return-client-request-id",
    "user-agent",
)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request that was answered. Credentials are not kept: of `authorization` only its scheme is."""

    method: str
    path: str
    query: str
    status: int
    headers: Mapping[str, str]


class Journal:
    """The requests so far, the oldest first; the last 100,000 are kept."""

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=100_000)

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(list(self._records))

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> RequestRecord:
        return list(self._records)[index]

    def clear(self) -> None:
        """Forget them."""
        self._records.clear()

    def note(self, request: Request, status: int) -> None:
        """Keep a request."""
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        if "authorization" in request.headers:
            headers["authorization"] = request.headers["authorization"].partition(" ")[0]
        query = request.query_string.decode("latin-1")
        self._records.append(RequestRecord(request.method, request.path, query, status, headers))


@dataclass(frozen=True)
class _Script:
    pattern: re.Pattern[str]
    method: str | None
    times: int | None
    status: int | None
    body: object
    headers: Mapping[str, str]

    def concerns(self, request: Request) -> bool:
        return self.method in (None, request.method) and self.pattern.search(request.path) is not None

    def response(self) -> Response:
        if self.status is None:
            raise DropConnection
        if isinstance(self.body, str | bytes):
            return Response(self.body, self.status, headers=dict(self.headers))
        body = b"" if self.body is None else encode(self.body)
        return Response(body, self.status, headers=dict(self.headers), content_type="application/json")


class Scripts:
    """Scripted answers, by path. The first that concerns a request is used up by it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: list[_Script] = []

    def add(
        self,
        pattern: str,
        *,
        method: str | None,
        times: int | None,
        status: int | None,
        body: object,
        headers: Mapping[str, str],
    ) -> None:
        """Answer the next requests whose path matches with this; `status` None hangs up."""
        with self._lock:
            self._scripts.append(_Script(re.compile(pattern), method, times, status, body, headers))

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._scripts.clear()

    def answer(self, request: Request) -> Response | None:
        """The scripted answer to a request, if there is one."""
        with self._lock:
            script = next((s for s in self._scripts if s.concerns(request)), None)
            if script is None:
                return None
            self._use_up(script)
        return script.response()

    def _use_up(self, script: _Script) -> None:
        index = self._scripts.index(script)
        if script.times is None:
            return
        if script.times > 1:
            self._scripts[index] = replace(script, times=script.times - 1)
        else:
            del self._scripts[index]
