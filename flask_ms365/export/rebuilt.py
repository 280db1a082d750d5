"""A message as MIME, put together from what is stored: headers, text, and the attachments there are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from email.header import Header
from email.message import Message as Part
from email.utils import format_datetime, formataddr
from typing import Any

from flask_ms365.content.names import item_type, safe_name, safe_type, suffix_of
from flask_ms365.export.mail import Mail

_LONGEST_LINE = 998  # bytes, says RFC 5322
_SHORT = 60  # characters, which fit on a line with the name of their header
_BASE64_AT_ONCE = 57 * 1024  # bytes; as many whole lines of 76 characters
_CONTROLS = dict.fromkeys((*range(32), 127), " ")
_PEOPLE = (("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "reply_to"))

# id of an attachment -> what is stored of it
Contents = Callable[[int], bytes | None]


def rebuilt(mail: Mail, contents: Contents) -> Iterator[bytes]:
    """Yield a message in chunks; one attachment is in memory at a time."""
    yield from (_header(name, value) for name, value in _headers(mail))
    yield b"MIME-Version: 1.0\n"
    if not mail.attachments:
        yield _text(mail.message)
        return
    # not to be found in the text by chance, and the same each time
    boundary = hashlib.sha256(mail.message.graph_id.encode()).hexdigest()
    yield f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n--{boundary}\n'.encode()
    yield _text(mail.message)
    for row in mail.attachments:
        yield f"\n--{boundary}\n".encode()
        yield from _attachment(row, contents(row.id) if row.content_stored_at else None)
    yield f"\n--{boundary}--\n".encode()


def _headers(mail: Mail) -> Iterator[tuple[str, str]]:
    message, date = mail.message, mail.message.sent_at or mail.message.received_at
    sender = {"name": message.sender_name, "address": message.sender_address}
    author = {"name": message.from_name, "address": message.from_address}
    people = {"From": [author], "Sender": [sender] if sender != author else []}
    people |= {name: [one for one in message.recipients if one["kind"] == kind] for name, kind in _PEOPLE}
    yield from ((name, _addresses(some)) for name, some in people.items() if _addresses(some))
    plain = {
        "Subject": message.subject,
        "Date": format_datetime(date) if date else None,
        "Message-ID": message.internet_message_id,
        "Importance": message.importance,
        "Keywords": ", ".join(str(each) for each in message.categories or ()),
        "Status": "RO" if message.is_read else "O",
        "X-MS365-Folder": mail.folder,
        "X-MS365-Body": None if message.body is not None else "not stored; this is its preview",
    }
    yield from ((name, _encoded(value, name)) for name, value in plain.items() if value)


def _header(name: str, value: str) -> bytes:
    return f"{name}: {value}\n".encode("ascii", "replace")


def _addresses(people: Sequence[Any]) -> str:
    found = (_address(_clean(one["name"] or ""), _clean(one["address"] or "")) for one in people)
    return ",\n ".join(filter(None, found))


def _address(name: str, address: str) -> str:
    if not name and not address:
        return ""
    # people may write anything into an address, and nobody can answer to that
    return formataddr((name, address)) if address.isascii() else _encoded(f"{name} <{address}>", "")


def _clean(text: str) -> str:
    return " ".join(text.splitlines()).translate(_CONTROLS).strip()


def _encoded(text: str, name: str) -> str:
    """Return a header's text in ASCII and in lines of a decent length."""
    text = _clean(text)
    is_plain = text.isascii() and "=?" not in text
    if is_plain and len(text) <= _SHORT:  # most are, and the rest takes ten times as long
        return text
    is_plain = is_plain and max(map(len, text.split())) <= _SHORT
    return Header(text, "us-ascii" if is_plain else "utf-8", header_name=name).encode()


def _text(message: Any) -> bytes:
    """Return the part that is the text, or the preview of one that is not stored."""
    is_html = message.body is not None and (message.body_content_type or "").lower() == "html"
    text = message.preview or "" if message.body is None else message.body
    data = text.replace("\r\n", "\n").encode("utf-8", "replace")
    is_long = max(map(len, data.split(b"\n"))) > _LONGEST_LINE
    encoding = "base64" if is_long else "7bit" if data.isascii() else "8bit"
    subtype = "html" if is_html else "plain"
    head = f'Content-Type: text/{subtype}; charset="utf-8"\nContent-Transfer-Encoding: {encoding}\n\n'
    return head.encode() + (base64.encodebytes(data) if is_long else data + b"\n")


def _attachment(row: Any, content: bytes | None) -> Iterator[bytes]:
    """Yield a part: whole where it is stored, else only what is known of it."""
    is_item = row.kind == "item"
    content_type = item_type(content or b"") if is_item else safe_type(row.content_type)
    name = safe_name(row.name, suffix=suffix_of(content_type) if is_item else "")
    part = Part()
    # a message within a message could not be base64
    part["Content-Type"] = (
        "application/octet-stream" if content_type.startswith(("message/", "multi")) else content_type
    )
    part.add_header("Content-Disposition", "inline" if row.is_inline else "attachment", filename=("utf-8", "", name))
    part["Content-Transfer-Encoding"] = "base64"
    if row.content_id:
        part["Content-ID"] = f"<{_clean(row.content_id).encode('ascii', 'replace').decode().strip('<>')}>"
    if content is None:
        part["X-MS365-Content"] = f"not stored; {row.size or 0} bytes"
    yield part.as_bytes()
    for start in range(0, len(content or b""), _BASE64_AT_ONCE):
        yield base64.encodebytes((content or b"")[start : start + _BASE64_AT_ONCE])
