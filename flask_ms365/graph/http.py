"""One HTTP request to Graph: pinned to its host, bounded in time and size, retried only briefly."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import urllib3

from flask_ms365.errors import GraphError, Throttled, Unauthorized, Unavailable
from flask_ms365.graph.download import PERMANENT, Download, open_download
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.waiting import backoff
from flask_ms365.words import Words

_log = logging.getLogger(__name__)
_urllib3_log = logging.getLogger("urllib3.connectionpool")

LARGEST_ANSWER = 256 * 1024 * 1024
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


def new_pool() -> urllib3.PoolManager:
    """Return the connections of one app to Graph; four at a time is what Graph allows for a mailbox."""
    _urllib3_log.addFilter(_without_query)
    return urllib3.PoolManager(maxsize=16, retries=False)


class GraphHttp:
    """Requests to one Graph host with one mailbox's token; ``is_probe`` where somebody waits to hear how it is."""

    def __init__(
        self,
        *,
        origin: str,
        token: TokenSource,
        pool: urllib3.PoolManager,
        is_probe: bool = False,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.origin = origin
        self._token = token
        self._pool = pool
        self._is_probe = is_probe
        self._timeout = urllib3.Timeout(connect=5, read=10 if is_probe else 30)
        self._sleep = sleep or threading.Event().wait

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        """Return the body of a good answer; raise a :exc:`GraphError`.

        A 401 is answered with a fresh token once; 429 and 5xx are tried again when the wait is short, save by a probe.
        """
        self._check_host(url)
        rejected: str | None = None
        claims = ""
        for attempt in range(1, _ATTEMPTS + 1):
            token = self._token(rejected, claims)
            try:
                return self._once(method, url, {**(headers or {}), "Authorization": f"Bearer {token}"}, body)
            except Unauthorized as exc:
                if rejected is not None:
                    raise
                rejected, claims = token, exc.claims
            except (Throttled, Unavailable) as exc:
                wait = exc.retry_after if exc.retry_after is not None else backoff(attempt, base=0.25, cap=2)
                if self._is_probe or attempt == _ATTEMPTS or wait > _LONGEST_SLEEP:
                    raise
                self._sleep(max(wait, 0.05))
        raise Unavailable(status=0)

    def stream(self, url: str, *, headers: Mapping[str, str] | None = None, limit: int) -> Download:
        """Return the body of a good answer, to be read in chunks and closed; raise a :exc:`GraphError`.

        What goes wrong before the first byte is met as :meth:`request` meets it, save what never gets better.
        """
        self._check_host(url)
        rejected: str | None = None
        claims = ""
        for attempt in range(1, _ATTEMPTS + 1):
            token = self._token(rejected, claims)
            sent = {**(headers or {}), "Authorization": f"Bearer {token}"}
            try:
                return open_download(self._pool, url, sent, timeout=self._timeout, limit=limit)
            except Unauthorized as exc:
                if rejected is not None:
                    raise
                rejected, claims = token, exc.claims
            except (Throttled, Unavailable) as exc:
                wait = exc.retry_after if exc.retry_after is not None else backoff(attempt, base=0.25, cap=2)
                if exc.code in PERMANENT or attempt == _ATTEMPTS or wait > _LONGEST_SLEEP:
                    raise
                self._sleep(max(wait, 0.05))
        raise Unavailable(status=0)

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        try:
            response = self._pool.request(
                method,
                url,
                body=body,
                headers={"Accept-Encoding": "gzip", **headers},
                redirect=False,
                preload_content=False,
                timeout=self._timeout,
            )
            try:
                content = response.read(LARGEST_ANSWER + 1, decode_content=True)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise Unavailable(
                Words("Microsoft Graph could not be reached (%(kind)s).", kind=type(exc).__name__)
            ) from None
        _log.debug(
            "graph.request",
            extra={
                "event": "graph.request",
                "method": method,
                "status": response.status,
                "graph_request_id": response.headers.get("request-id", ""),
            },
        )
        if len(content) > LARGEST_ANSWER:
            raise GraphError(Words("Microsoft Graph sent more than fits."), status=response.status, code="tooLarge")
        if not 200 <= response.status < 300:
            raise graph_error(response.status, response.headers, content)
        return content

    def _check_host(self, url: str) -> None:
        """Refuse a link to anywhere else before the token is attached: next and delta links come from outside."""
        wanted, given = urlsplit(self.origin), urlsplit(url)
        if (given.scheme, given.netloc) != (wanted.scheme, wanted.netloc):
            raise GraphError(Words("A link pointed to another host than Microsoft Graph."), code="foreignLink")
