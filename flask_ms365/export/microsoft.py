"""Messages as Microsoft has them, one at a time: waited for as long as it asks, and then whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

from flask_ms365.content.contents import Contents
from flask_ms365.errors import GraphError, NotFound, Throttled, Unavailable
from flask_ms365.graph.download import PERMANENT, TOO_LARGE
from flask_ms365.waiting import backoff

_IN_MEMORY = 16 * 1024 * 1024  # bytes; larger messages wait on the disk
_CHUNK = 64 * 1024
_ATTEMPTS = 6  # over about a minute, where Microsoft does not say when to come back
_LONGEST_WAIT = 3600.0  # seconds that it may ask for
# these are about one message; what else is refused is about the mailbox. Without a code it is our row that is gone.
_OF_A_MESSAGE = {"", "erroritemnotfound", "itemnotfound", "errorinvalididmalformed"}


@dataclass(kw_only=True)
class Originals:
    """The MIME of messages. ``tell`` hears what is waited for."""

    contents: Contents
    tell: Callable[[str], None]
    sleep: Callable[[float], object] = time.sleep

    def read(self, message_id: int) -> Iterator[bytes] | None:
        """Return a message in chunks, or None where Microsoft does not have it or cannot write it.

        Raise what is wrong with the mailbox or the way there: a :exc:`TokenError` or a :exc:`GraphError`.
        """
        attempt = 0
        while True:
            try:
                return _chunks(self._fetch(message_id))
            except (Throttled, Unavailable) as exc:
                attempt += 1
                if attempt == _ATTEMPTS or (exc.retry_after or 0) > _LONGEST_WAIT:
                    raise
                self._wait(exc, attempt)
            except GraphError as exc:
                if not _is_about_message(exc):
                    raise
                return None

    def _fetch(self, message_id: int) -> IO[bytes]:
        whole: IO[bytes] = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 -- closed when it was read
        try:
            for chunk in self.contents.mime(message_id):
                whole.write(chunk)
        except BaseException:
            whole.close()
            raise
        whole.seek(0)
        return whole

    def _wait(self, error: GraphError, attempt: int) -> None:
        seconds = error.retry_after if error.retry_after is not None else backoff(attempt, base=1, cap=30)
        if seconds >= 1:
            self.tell(f"{error.words} Going on in {seconds:.0f} seconds.")
        self.sleep(seconds)


def _is_about_message(error: GraphError) -> bool:
    is_gone = isinstance(error, NotFound) and error.code.lower() in _OF_A_MESSAGE
    return is_gone or error.code in (TOO_LARGE, *PERMANENT)


def _chunks(whole: IO[bytes]) -> Iterator[bytes]:
    with whole:
        while chunk := whole.read(_CHUNK):
            yield chunk
