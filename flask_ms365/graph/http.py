"""One HTTP request to Graph: pinned to its host, bounded in time and size, retried only briefly."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import NamedTuple, TypeVar

import urllib3

from flask_ms365.errors import GraphError, Throttled, Unauthorized, Unavailable
from flask_ms365.graph.download import PERMANENT, TOO_LARGE, Download, note_answer, open_download, unreachable
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.graph.quota import AT_ONCE, Quota
from flask_ms365.tally import Tally
from flask_ms365.waiting import backoff
from flask_ms365.words import Words

T = TypeVar("T")

_log = logging.getLogger(__name__)
_urllib3_log = logging.getLogger("urllib3.connectionpool")

# Ids that stay the same when a message moves; wanted on every request, inside batches too.
IMMUTABLE = 'IdType="ImmutableId"'

LARGEST_ANSWER = 256 * 1024 * 1024
_LONGEST_ANSWER = 60.0  # seconds for a body, whatever a single read may take: the lease is 90
_A_READ = 256 * 1024  # of what is sent: packed a thousandfold it does not get past the limit unnoticed
_TIMEOUT, _PROBE_TIMEOUT = urllib3.Timeout(connect=5, read=30), urllib3.Timeout(connect=5, read=10)
_ATTEMPTS = 3
# longer waits release the mailbox instead of a worker sleeping on it
_LONGEST_SLEEP = 5.0

# (rejected token or None, the claims that a new one must carry) -> token
TokenSource = Callable[[str | None, str], str]


class _WithoutQuery(logging.Filter):
    """Cuts the query from the paths that urllib3 logs: next and delta links are secrets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


_without_query = _WithoutQuery()  # one object: a logger takes a filter once


def new_pool(origin: str) -> urllib3.HTTPConnectionPool:
    """Return the connections to one Graph, which lead nowhere else; four at a time is what it allows for a mailbox."""
    _urllib3_log.addFilter(_without_query)
    return urllib3.connection_from_url(origin, maxsize=16, retries=False)


class Answer(NamedTuple):
    """A good answer: what it holds, and which of our preferences Graph honoured."""

    body: bytes
    applied: str


class GraphHttp:
    """Requests to one Graph host for one mailbox, from any number of threads: four of them get through at a time.

    ``is_probe`` where somebody waits to hear how it is.
    """

    def __init__(
        self,
        *,
        origin: str,
        token: TokenSource,
        pool: urllib3.HTTPConnectionPool,
        is_probe: bool = False,
        sleep: Callable[[float], object] = time.sleep,
        quota: Quota | None = None,
        tally: Tally | None = None,
    ) -> None:
        self.origin = origin
        self.quota = quota or Quota(clock=lambda: datetime.now(timezone.utc), sleep=sleep)
        # seconds until the quickest answer began
        self.shortest_wait = math.inf
        self._source = token
        self._held = ""
        self._renewing = threading.Lock()
        self._in_flight = threading.BoundedSemaphore(AT_ONCE)
        self._pool = pool
        self._is_probe = is_probe
        self._timeout = _PROBE_TIMEOUT if is_probe else _TIMEOUT
        self._sleep = sleep
        self.tally = tally or Tally()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        counts: int = 1,
        attempts: int = _ATTEMPTS,
    ) -> Answer:
        """Return a good answer; raise a :exc:`GraphError`. ``counts`` is how many requests Microsoft sees in it.

        A 401 is answered with a fresh token once; 429 and 5xx are tried again when the wait is short, save by a probe.
        """
        self.check_host(url)

        def ask(bearer: Mapping[str, str]) -> Answer:
            self.quota.take(counts)
            with self._in_flight:
                return self._exchange(method, url, {**(headers or {}), **bearer}, body)

        return self._insist(ask, attempts=1 if self._is_probe else attempts)

    def stream(self, url: str, *, headers: Mapping[str, str] | None = None, limit: int) -> Download:
        """Return the body of a good answer, to be read in chunks and closed; raise a :exc:`GraphError`.

        What goes wrong before the first byte is met as :meth:`request` meets it.
        """
        self.check_host(url)

        def ask(bearer: Mapping[str, str]) -> Download:
            self.quota.take()
            wanted = {**(headers or {}), **bearer}
            return open_download(
                self._pool, self._path(url), wanted, timeout=self._timeout, limit=limit, tally=self.tally
            )

        return self._insist(ask, attempts=_ATTEMPTS)

    def pause(self, seconds: float) -> None:
        """Wait before parts of a batch are tried again; raise :exc:`Throttled` where it would take too long."""
        if seconds > _LONGEST_SLEEP:
            raise Throttled(status=429, retry_after=seconds)
        self._sleep(max(seconds, 0.05))

    def _insist(self, ask: Callable[[Mapping[str, str]], T], *, attempts: int) -> T:
        """Ask until there is an answer, or no hope of one soon."""
        is_renewed = False
        attempt = 1
        while True:
            token = self._token()
            try:
                return ask({"Authorization": f"Bearer {token}"})
            except Unauthorized as exc:
                if is_renewed:
                    raise
                is_renewed = True
                self._renew(token, exc.claims)
            except (Throttled, Unavailable) as exc:
                wait = exc.retry_after if exc.retry_after is not None else backoff(attempt, base=0.25, cap=2)
                if exc.code in (TOO_LARGE, *PERMANENT) or attempt >= attempts or wait > _LONGEST_SLEEP:
                    raise
                attempt += 1
                _log_retry(exc, attempt, wait)
                self._sleep(max(wait, 0.05))

    def _token(self) -> str:
        """Return the token that serves this client; asking for it at each request would read the database for each."""
        with self._renewing:
            self._held = self._held or self._source(None, "")
            return self._held

    def _renew(self, rejected: str, claims: str) -> None:
        """Replace a token that Graph refused, unless another thread has done so meanwhile."""
        with self._renewing:
            if self._held == rejected:
                self._held = self._source(rejected, claims)

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        began = time.monotonic()
        try:
            response = self._pool.request(
                method,
                self._path(url),
                body=body,
                headers={"Accept-Encoding": "gzip", **headers},
                redirect=False,
                preload_content=False,
                timeout=self._timeout,
            )
            self.shortest_wait = min(self.shortest_wait, time.monotonic() - began)
            try:
                content = _read(response)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise unreachable(exc, self.tally) from None
        note_answer(method, response, self.tally, began=began)
        if not 200 <= response.status < 300:
            raise graph_error(response.status, response.headers, content)
        return Answer(content, response.headers.get("Preference-Applied", ""))

    def check_host(self, url: str) -> None:
        """Refuse a link to anywhere else before the token is attached: next and delta links come from outside."""
        if not url.startswith(f"{self.origin}/"):
            raise GraphError(Words("A link pointed to another host than Microsoft Graph."), code="foreignLink")

    def _path(self, url: str) -> str:
        return url.removeprefix(self.origin)


def _log_retry(error: GraphError, attempt: int, wait: float) -> None:
    told = {
        "attempt": attempt,
        "wait_ms": round(1000 * wait),
        "status": error.status,
        "error_code": error.code,
        "graph_request_id": error.request_id,
    }
    _log.debug("graph.retried", extra={"event": "graph.retried", **told})


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """Return the body, inflated; raise :exc:`Unavailable` where it is larger or slower than any that fits."""
    until = time.monotonic() + _LONGEST_ANSWER
    parts, length = list[bytes](), 0
    while part := response.read1(_A_READ, decode_content=True):
        parts.append(part)
        length += len(part)
        if length > LARGEST_ANSWER or time.monotonic() > until:
            response.close()
            raise Unavailable(Words("Microsoft Graph sent more than fits."), status=response.status, code=TOO_LARGE)
    return b"".join(parts)  # takes less time, and leaves fewer holes in memory, than to let one grow
