"""An answer of the sign-in service, read within limits of size and time: a byte each second must end too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter
    from urllib3 import BaseHTTPResponse

LARGEST = 1024 * 1024
LONGEST = 25.0  # seconds for all of it, whatever a single read may take
_AT_ONCE = 16 * 1024  # of what is sent: packed a thousandfold it is still no bomb


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


def bounded_adapter() -> HTTPAdapter:
    """Return what makes every answer of a session of requests a bounded one."""
    from requests.adapters import HTTPAdapter  # late, as all that only sign-ins need

    class BoundedAdapter(HTTPAdapter):
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
