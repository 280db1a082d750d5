"""The moments of a run at which a test may step in: before and after each request and each commit.

They are made here, around the database's driver and in a pool of connections that has none: Graph's client asks the
simulator's application by a call, in whatever thread it is, and no socket is opened.
"""

from __future__ import annotations

import io
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

import urllib3
from werkzeug.test import run_wsgi_app

from flask_ms365.simulator import Simulator

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from sqlalchemy import Engine

Kind = Literal["before request", "after request", "begin", "before commit", "after commit", "handler"]
KINDS: tuple[Kind, ...] = ("before request", "after request", "begin", "before commit", "after commit")


class Crash(BaseException):
    """The process ends here. Nothing that catches errors catches this."""


class Hooks:
    """Counts the moments that a run came by; at one that was planned it acts, once."""

    def __init__(self) -> None:
        self.reached: Counter[Kind] = Counter()
        self._lock = threading.Lock()
        self._is_dead = self._is_off = False
        self._point: tuple[Iterable[Kind], int] | None = None
        self._action: Callable[[], object] = lambda: None

    def plan(self, kinds: Iterable[Kind], number: int, action: Callable[[], object]) -> None:
        """Act at the so manyth of these moments from now, counted from 0."""
        self._point, self._action = (tuple(kinds), number), action

    def begin(self) -> None:
        """Count from 0 again, in a process that lives."""
        self.reached.clear()
        self._is_dead, self._point = False, None

    def revive(self) -> None:
        """Let another process begin."""
        self._is_dead = False

    def crash(self) -> None:
        """End the process: no thread of it comes by another moment."""
        self._is_dead = True
        raise Crash

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let what the test itself does with the database go by."""
        self._is_off = True
        try:
            yield
        finally:
            self._is_off = False

    def __call__(self, kind: Kind) -> None:
        if self._is_off:
            return
        if self._is_dead:
            raise Crash
        if self._is_due(kind):
            self._action()

    def _is_due(self, kind: Kind) -> bool:
        with self._lock:
            self.reached[kind] += 1
            if self._point is None or kind not in self._point[0]:
                return False
            kinds, left = self._point
            self._point = (kinds, left - 1) if left else None
            return self._point is None


def watch_commits(engine: Engine, hooks: Hooks) -> None:
    """Come by the hooks at each transaction of this engine that has something to commit."""
    dialect: Any = engine.dialect
    begin, commit = dialect.do_begin, dialect.do_commit

    def do_begin(connection: Any) -> None:
        hooks("begin")
        begin(connection)

    def do_commit(connection: Any) -> None:
        hooks("before commit")
        commit(connection)
        hooks("after commit")

    dialect.do_begin, dialect.do_commit = do_begin, do_commit


class Pool(urllib3.HTTPConnectionPool):
    """Graph without a network between."""

    def __init__(self, simulator: Simulator, hooks: Hooks) -> None:
        super().__init__(urlsplit(simulator.url).hostname or "")
        self._application, self._origin = simulator.application, simulator.url
        self._hooks = hooks

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        **options: Any,
    ) -> urllib3.HTTPResponse:
        self._hooks("before request")
        # answers of two messages are not worth the zipping
        environ = _environ(method, f"{self._origin}{url}", {**headers, "Accept-Encoding": "identity"}, body or b"")
        content, status, fields = run_wsgi_app(self._application, environ, buffered=True)
        self._hooks("after request")
        return urllib3.HTTPResponse(
            io.BytesIO(b"".join(content)),
            headers=dict(fields),
            status=int(status[:3]),
            preload_content=False,
            request_method=method,
        )


def _environ(method: str, url: str, headers: Mapping[str, str], body: bytes) -> WSGIEnvironment:
    parts = urlsplit(url)
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(parts.path, "latin-1"),
        "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname or "",
        "SERVER_PORT": str(parts.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": parts.netloc,
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": parts.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **named,
    }
