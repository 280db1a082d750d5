"""Real mail to `Mail`, as Exchange would file it. Never dies of a bad header, charset, date or structure.

The parser is Python's with the compat32 policy: policy.default raises on headers that real mail has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.header import decode_header
from email.message import EmailMessage
from email.message import Message as Part
from email.utils import collapse_rfc2231_value, format_datetime, getaddresses, parsedate_to_datetime
from typing import Any, TypeAlias, cast

from .message import Attachment, ContentType, Mail, Person, Recipient, preview_of

AnyPart: TypeAlias = "Part[Any, Any]"

_KINDS = {"to": "to", "cc": "cc", "bcc": "bcc", "reply-to": "reply_to"}
_IMPORTANCE = {"high": "high", "low": "low", "1": "high", "2": "high", "4": "low", "5": "low", "urgent": "high"}
_EVENTS = {"request": "eventMessageRequest", "reply": "eventMessageResponse"}


class UnreadableMail(ValueError):
    """The bytes are no mail: there is not one header in them."""


def parse(source: bytes) -> Mail:
    """Read a mail from its RFC 822 form."""
    part: AnyPart = message_from_bytes(source, policy=policy.compat32)
    if not len(part):
        raise UnreadableMail("no header in it")
    return replace(_mail(part), source=source)


def serialize(mail: Mail) -> bytes:
    """The MIME form; written anew for mail that did not come as MIME."""
    if mail.source is not None:
        return mail.source
    message = EmailMessage(policy=policy.SMTP)
    for name, value in _envelope(mail):
        message[name] = value
    message.set_content(mail.body, subtype="html" if mail.content_type == "html" else "plain")
    for attachment in mail.attachments:
        _attach(message, attachment)
    return message.as_bytes()


def _mail(part: AnyPart) -> Mail:
    headers = tuple((name, _unfold(value)) for name, value in part.raw_items())
    found = _Found()
    _walk(part, found, root=True)
    content_type, body = found.body()
    from_ = _person(part, "from")
    message_id = _first(part, "message-id")
    return Mail(
        subject=_text(part, "subject"),
        from_=from_,
        sender=_person(part, "sender") or from_,
        recipients=tuple(_recipients(part)),
        sent_at=_date(_first(part, "date")),
        received_at=_date((_first(part, "received") or "").rpartition(";")[2]),
        content_type=content_type,
        body=body,
        text="".join(found.texts) if content_type == "html" and found.texts else None,
        preview=preview_of(content_type, body),
        importance=_importance(part),
        internet_message_id=message_id,
        thread=_thread(part),
        headers=headers,
        attachments=tuple(found.attachments),
        odata_type=_event(found.calendar_method),
    )


@dataclass
class _Found:
    """What a walk over the parts has found."""

    htmls: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    calendar_method: str | None = None

    def body(self) -> tuple[ContentType, str]:
        if self.htmls:
            return "html", self.htmls[0]
        return "text", "".join(self.texts)


def _walk(part: AnyPart, found: _Found, *, root: bool = False, inside: str = "") -> None:
    content_type = part.get_content_type()
    payload = part.get_payload() if part.is_multipart() else None
    if content_type == "message/rfc822" and isinstance(payload, list) and payload:
        found.attachments.append(_item(cast(AnyPart, payload[0])))
    elif isinstance(payload, list) and content_type.startswith("multipart/"):
        for child in payload:
            _walk(cast(AnyPart, child), found, inside=content_type)
    elif root and content_type.startswith("multipart/"):
        # it says multipart and has no boundary: show it as it came
        found.texts.append(_decoded_text(part))
    elif content_type == "text/calendar" and (root or inside == "multipart/alternative"):
        found.calendar_method = _parameter(part, "method") or "publish"
    elif _is_body(part, found, inside):
        (found.htmls if content_type == "text/html" else found.texts).append(_decoded_text(part))
    else:
        found.attachments.append(_file(part, len(found.attachments) + 1, inside))


def _is_body(part: AnyPart, found: _Found, inside: str) -> bool:
    """Whether Exchange takes the part for the body: the first text of each kind that is no attachment."""
    if part.get_content_maintype() != "text" or part.get_content_subtype() not in {"plain", "html", "enriched"}:
        return False
    if _disposition(part) == "attachment" or _filename(part):
        return False
    if part.get_content_type() == "text/html":
        return not found.htmls
    return not found.texts and (inside == "multipart/alternative" or not found.htmls)


def _file(part: AnyPart, number: int, inside: str) -> Attachment:
    content_id = (_first(part, "content-id") or "").strip("<> ") or None
    is_inline = _disposition(part) == "inline" or (inside == "multipart/related" and _disposition(part) is None)
    content_type = part.get_content_type()
    return Attachment(
        name=_filename(part) or f"ATT{number:05}{'.txt' if content_type.startswith('text/') else '.bin'}",
        content_type=content_type,
        content=_content(part),
        is_inline=is_inline and content_id is not None,
        content_id=content_id,
    )


def _item(inner: AnyPart) -> Attachment:
    mail = replace(_mail(inner), source=_bytes(inner))
    return Attachment(name=mail.subject, content=mail.source or b"", kind="item", item=mail)


def _content(part: AnyPart) -> bytes:
    if part.is_multipart():
        return b"\r\n".join(_bytes(cast(AnyPart, child)) for child in part.get_payload())
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _bytes(part: AnyPart) -> bytes:
    try:
        return part.as_bytes()
    except (UnicodeError, LookupError, ValueError, TypeError, AttributeError):
        return str(part.get_payload()).encode("utf-8", "replace")


def _decoded_text(part: AnyPart) -> str:
    text = _decode(_content(part), _parameter(part, "charset"))
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def _decode(content: bytes, charset: str | None) -> str:
    """Decode by the charset named, else as UTF-8, else byte by byte: something readable comes out always."""
    # -i and -e say who orders right-to-left text; the letters are the same
    plain = re.sub(r"(?i)^(iso-8859-\d+)-[ie]$", r"\1", charset or "")
    for name in (plain, "utf-8"):
        try:
            if name:
                return content.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    return content.decode("cp1252" if charset else "latin-1", "replace")


def _parameter(part: AnyPart, name: str) -> str | None:
    try:
        value = part.get_param(name)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return collapse_rfc2231_value(value).strip().lower() if value else None


def _disposition(part: AnyPart) -> str | None:
    value = _first(part, "content-disposition")
    return value.partition(";")[0].strip().lower() if value else None


def _filename(part: AnyPart) -> str | None:
    try:
        name = part.get_filename()
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    return _words(name).replace("\r", "").replace("\n", "") if name else None


def _first(part: AnyPart, name: str) -> str | None:
    return next((_unfold(value) for key, value in part.raw_items() if key.lower() == name), None)


def _unfold(value: object) -> str:
    """The header in one line; bytes that are no ASCII are read as UTF-8, else as Latin-1."""
    raw = str(value).encode("utf-8", "surrogateescape")
    return re.sub(r"[ \t]*[\r\n]+[ \t]*", " ", _decode(raw, None)).strip()


def _words(value: str) -> str:
    """Decode the encoded words of RFC 2047."""
    try:
        chunks = decode_header(value)
    except (ValueError, LookupError, UnicodeError):
        return value
    return "".join(chunk if isinstance(chunk, str) else _decode(chunk, charset) for chunk, charset in chunks)


def _text(part: AnyPart, name: str) -> str | None:
    value = _first(part, name)
    return None if value is None else _words(value)


def _people(part: AnyPart, name: str) -> Iterator[Person]:
    for key, raw in part.raw_items():
        if key.lower() != name:
            continue
        value = _unfold(raw)
        for display, address in getaddresses([value]):
            if address or display:
                yield Person(_words(display) or address or None, address or None)
            elif value and not value.endswith(";"):
                # the address parser gives up on the whole header: keep what a person can read
                yield Person(_words(value), None)


def _person(part: AnyPart, name: str) -> Person | None:
    return next(_people(part, name), None)


def _recipients(part: AnyPart) -> Iterator[Recipient]:
    for header, kind in _KINDS.items():
        for name, address in _people(part, header):
            yield Recipient(kind, name, address)


def _date(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
        aware = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
        return aware.astimezone(timezone.utc).replace(microsecond=0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _importance(part: AnyPart) -> str:
    for header in ("importance", "x-priority", "priority"):
        value = (_first(part, header) or "").lower().split(" ")[0]
        if value in _IMPORTANCE:
            return _IMPORTANCE[value]
    return "normal"


def _thread(part: AnyPart) -> str:
    """The first message of the conversation, by what the mail refers to."""
    for header in ("references", "in-reply-to", "message-id"):
        found = re.search(r"<[^<>]+>", _first(part, header) or "")
        if found:
            return found[0]
    return _text(part, "subject") or ""


def _event(method: str | None) -> str | None:
    return None if method is None else f"#microsoft.graph.{_EVENTS.get(method, 'eventMessage')}"


def _envelope(mail: Mail) -> Iterator[tuple[str, str]]:
    if mail.subject is not None:
        yield "Subject", mail.subject
    if mail.from_:
        yield "From", _address(*mail.from_)
    for header, kind in _KINDS.items():
        people = [_address(name, address) for found, name, address in mail.recipients if found == kind]
        if people:
            yield header.title(), ", ".join(people)
    if mail.sent_at:
        yield "Date", format_datetime(mail.sent_at)
    if mail.internet_message_id:
        yield "Message-ID", mail.internet_message_id


def _address(name: str | None, address: str | None) -> str:
    quoted = (name or "").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address or ""}>'


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    if attachment.item:
        inner = message_from_bytes(serialize(attachment.item), policy=policy.SMTP)
        message.add_attachment(inner)
        return
    maintype, _, subtype = (attachment.content_type or "application/octet-stream").partition("/")
    message.add_attachment(
        attachment.content,
        maintype=maintype,
        subtype=subtype,
        filename=attachment.name or "",
        disposition="inline" if attachment.is_inline else "attachment",
        cid=f"<{attachment.content_id}>" if attachment.content_id else None,
    )
