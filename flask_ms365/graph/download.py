"""The body of a good answer in chunks: bounded in bytes and in time, and never whole in memory."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping

import urllib3

from flask_ms365.errors import GraphError, Unavailable
from flask_ms365.graph.errors_map import graph_error
from flask_ms365.tally import Tally
from flask_ms365.words import Words

_log = logging.getLogger(__name__)

CHUNK = 64 * 1024
LARGEST_REFUSAL = 64 * 1024
LONGEST = 600.0  # seconds in all, however slowly it drips

TOO_LARGE = "tooLarge"  # the code of our own for it; asked again it would be as large
# these come as a 500, and come again however often one asks
PERMANENT = frozenset({"ErrorCannotOpenFileAttachment", "ErrorCorruptData"})


class Download:
    """An answer that waits to be read. Reading to the end or closing it gives its connection back."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, limit: int) -> None:
        self._response = response
        self._limit = limit
        self._until = time.monotonic() + LONGEST
        self._read = 0
        self._first: bytes | None = None
        self.size = _size(response.headers)
        if self.size is not None and self.size > limit:
            self.close()
            raise _too_large(limit)

    def __iter__(self) -> Iterator[bytes]:
        try:
            first, self._first = self._first, None
            yield from (first,) if first else ()
            while chunk := self._chunk():
                yield chunk
        finally:
            self.close()

    @property
    def first(self) -> bytes:
        """The first chunk, which stays the first to be read."""
        if self._first is None:
            self._first = self._chunk()
        return self._first

    def close(self) -> None:
        """Give the connection back: closed where something is still on its way, open where all was read."""
        self._response.close()
        self._response.release_conn()

    def _chunk(self) -> bytes:
        try:
            chunk: bytes = self._response.read1(CHUNK, decode_content=True)
            if time.monotonic() > self._until:
                raise TimeoutError
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            self.close()
            raise unreachable(exc) from None
        self._read += len(chunk)
        if self._read > self._limit:
            self.close()
            raise _too_large(self._limit)
        return chunk


def open_download(
    pool: urllib3.HTTPConnectionPool,
    path: str,
    headers: Mapping[str, str],
    *,
    timeout: urllib3.Timeout,
    limit: int,
    tally: Tally,
) -> Download:
    """Ask once; raise the :exc:`GraphError` of a refusal."""
    began = time.monotonic()
    try:
        # not compressed: its length is told, and what is small on the way stays small
        wanted = {**headers, "Accept-Encoding": "identity"}
        response = pool.request("GET", path, headers=wanted, redirect=False, preload_content=False, timeout=timeout)
    except (urllib3.exceptions.HTTPError, OSError) as exc:
        raise unreachable(exc, tally) from None
    note_answer("GET", response, tally, began=began)
    if response.status != 200:
        raise graph_error(response.status, response.headers, _refusal(response))
    return Download(response, limit=limit)


def note_answer(method: str, response: urllib3.BaseHTTPResponse, tally: Tally, *, began: float) -> None:
    """Count an answer, and log what support asks for, and no more: paths and headers hold secrets."""
    tally.add("graph_requests", f"{response.status // 100}xx")
    if response.status == 429:
        tally.add("throttled")
    if not _log.isEnabledFor(logging.DEBUG):
        return
    told = {
        "method": method,
        "status": response.status,
        "graph_request_id": response.headers.get("request-id", ""),
        "duration_ms": round(1000 * (time.monotonic() - began)),
    }
    _log.debug("graph.request", extra={"event": "graph.request", **told})


def unreachable(exc: Exception, tally: Tally | None = None) -> Unavailable:
    """Return what a cut connection or a time-out means; its own text may name the address.

    ``tally`` counts it where a request had no answer; a cut body has one.
    """
    if tally is not None:
        tally.add("graph_requests", "none")
    return Unavailable(Words("Microsoft Graph could not be reached (%(kind)s).", kind=type(exc).__name__))


def _refusal(response: urllib3.BaseHTTPResponse) -> bytes:
    try:
        return response.read(LARGEST_REFUSAL, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):  # the status says enough
        return b""
    finally:
        response.close()
        response.release_conn()


def _size(headers: Mapping[str, str]) -> int | None:
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and "Content-Encoding" not in headers else None


def _too_large(limit: int) -> GraphError:
    message = Words("This is larger than the %(limit)s MB that are read at once.", limit=limit // (1024 * 1024))
    return GraphError(message, code=TOO_LARGE)
