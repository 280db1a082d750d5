"""mbox, with the quoting called mboxrd: every line that begins with ``From`` after any number of ``>`` has one more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from flask_ms365.export.mail import Mail

_QUOTED = re.compile(rb"(?<=\n)(?=>*From )")
_FIRST_QUOTED = re.compile(rb">*From ")
_MAY_BECOME_ONE = re.compile(rb">*(?:F(?:r(?:o(?:m)?)?)?)?")
_NO_ADDRESS = re.compile(r"[^!-~]+")
_LONG_AGO = datetime(1970, 1, 1, tzinfo=timezone.utc)


def mbox_entry(mail: Mail, content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message as mbox has it: its ``From`` line, its ``content`` quoted, and an empty line."""
    yield _from_line(mail)
    last = b""
    for chunk in quoted(content):
        yield chunk
        last = chunk[-1:] or last
    yield b"\n" if last == b"\n" else b"\n\n"


def quoted(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same with its lines quoted, however it was cut into chunks."""
    held, is_line_start = b"", True
    for chunk in chunks:
        data = held + chunk
        begun = data.rfind(b"\n") + 1
        is_open = (begun or is_line_start) and _MAY_BECOME_ONE.fullmatch(data, begun)
        held, data = (data[begun:], data[:begun]) if is_open else (b"", data)
        yield _quote(data, is_line_start=is_line_start)
        is_line_start = data.endswith(b"\n") if data else is_line_start
    yield held


def _quote(data: bytes, *, is_line_start: bool) -> bytes:
    first = b">" if is_line_start and _FIRST_QUOTED.match(data) else b""
    return first + _QUOTED.sub(b">", data)


def _from_line(mail: Mail) -> bytes:
    """Return who sent it and when it was received, in UTC, as asctime writes it in no language."""
    message = mail.message
    sender = _NO_ADDRESS.sub("_", message.sender_address or message.from_address or "") or "MAILER-DAEMON"
    moment = message.received_at or message.sent_at or _LONG_AGO
    return f"From {sender} {moment.ctime()}\n".encode()
