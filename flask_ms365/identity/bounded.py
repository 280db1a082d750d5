"""An answer of the sign-in service, read within limits of size and time: a byte each second must end too."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flask_ms365.words import Words

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse, PoolManager

LARGEST = 1024 * 1024
LONGEST = 25.0  # seconds for a body, whatever a single read may take
AT_ALL = 30.0  # seconds for a connection once it stands: headers can be slow too
_AT_ONCE = 16 * 1024  # of what is sent: packed a thousandfold it is still no bomb

TOO_MUCH = Words("Microsoft's sign-in service answered more, or slower, than it ever should.")


class TooMuch(ValueError):
    """The answer is larger than any that the service gives, or takes longer."""


def read_bounded(response: BaseHTTPResponse) -> bytes:
    """Return the body; raise :exc:`TooMuch`."""
    until = time.monotonic() + LONGEST
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_AT_ONCE, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > LARGEST or time.monotonic() > until:
            raise TooMuch
    return b"".join(parts)


def bound(pool: PoolManager) -> None:
    """Let each connection of ``pool`` end in time; it is for one request."""
    pool.pool_classes_by_scheme = {scheme: _bounded(kind) for scheme, kind in pool.pool_classes_by_scheme.items()}


def _bounded(kind: Any) -> Any:
    """Return a class of pools like ``kind``, of connections that are cut when their time is over."""

    class Connection(kind.ConnectionCls):  # type: ignore[misc]
        _timer: threading.Timer | None = None

        def connect(self) -> None:
            super().connect()  # within a time of its own, the handshake too
            self._timer = threading.Timer(AT_ALL, self._cut)
            self._timer.daemon = True
            self._timer.start()

        def close(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().close()

        def _cut(self) -> None:
            """Wake whoever reads, to find the end."""
            with suppress(OSError, TypeError):  # closed meanwhile
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    class Pool(kind):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


def bounded_adapter() -> HTTPAdapter:
    """Return what makes every answer of a session of requests a bounded one."""
    from requests.adapters import HTTPAdapter  # late, as all that only sign-ins need

    class BoundedAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            bound(self.poolmanager)

        def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
            manager = super().proxy_manager_for(*args, **options)
            bound(manager)
            return manager

        def send(self, *args: Any, **options: Any) -> Any:
            response: Any = super().send(*args, **{**options, "stream": True})
            try:
                # what requests itself reads without limits
                response._content = read_bounded(response.raw)
                response._content_consumed = True
            finally:
                response.close()
            return response

    return BoundedAdapter()
