"""What may be sent to a browser: a name, a type, and the bytes in chunks; and the text of a message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flask_ms365.graph.download import Download

_CHUNK = 64 * 1024


class Body(NamedTuple):
    """The text of a message; ``content_type`` is ``html`` or ``text``. It is as its sender wrote it: sanitise it."""

    content_type: str
    content: str


class Stored:
    """Bytes that lie in the database, read like a download."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)
        self.first = content[:_CHUNK]

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self.size, _CHUNK):
            yield self._content[start : start + _CHUNK]

    def close(self) -> None:
        """Do nothing: no connection is held."""


@dataclass(frozen=True, kw_only=True)
class Content:
    """The content of an attachment or a message, to be iterated over once.

    Reading it needs neither an app context nor a database session, so it may be the body of a response. It holds a
    connection until it is read to the end or closed; WSGI servers close what a response iterates over.

    ``name`` is harmless in every file system and header. It still ends as its sender wished, and ``content_type`` is
    what the sender said: send both as an attachment with ``X-Content-Type-Options: nosniff``.
    """

    name: str
    content_type: str
    # file, item or message
    kind: str
    # None where Microsoft does not tell before the end
    size: int | None
    source: Download | Stored = field(repr=False)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.source)

    def close(self) -> None:
        """Let go of the connection; what was not read by then is not sent."""
        self.source.close()
