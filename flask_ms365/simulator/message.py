"""The nouns of a mailbox: mail as it was written, the message it became, and the record that tests compare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape
from typing import Literal, NamedTuple

ContentType = Literal["text", "html"]
AttachmentKind = Literal["file", "item", "reference"]


class Person(NamedTuple):
    """A name and an address; either may be missing, as in real mail."""

    name: str | None
    address: str | None


class Recipient(NamedTuple):
    """Somebody a message is addressed to; `kind` is to, cc, bcc or reply_to."""

    kind: str
    name: str | None
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file, an attached item (with its own mail) or a reference to a file in the cloud."""

    name: str | None = None
    content_type: str | None = None
    content: bytes = b""
    is_inline: bool = False
    content_id: str | None = None
    kind: AttachmentKind = "file"
    item: Mail | None = None

    @property
    def size(self) -> int:
        """Exchange counts what it stores, which is a little more than the content."""
        return len(self.content) + len(self.content) // 22 + 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What somebody wrote and sent, whatever mailbox it lies in."""

    subject: str | None = None
    from_: Person | None = None
    sender: Person | None = None
    recipients: tuple[Recipient, ...] = ()
    sent_at: datetime | None = None
    received_at: datetime | None = None
    content_type: ContentType = "text"
    body: str = ""
    text: str | None = None
    preview: str = ""
    importance: str = "normal"
    internet_message_id: str | None = None
    thread: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    odata_type: str | None = None
    source: bytes | None = None

    @property
    def has_attachments(self) -> bool:
        """Whether Outlook shows the paper clip: inline images do not count."""
        return any(not attachment.is_inline for attachment in self.attachments)

    def body_as(self, content_type: ContentType | None) -> tuple[ContentType, str]:
        """The body as `Prefer: outlook.body-content-type` asks for it."""
        if content_type is None or content_type == self.content_type:
            return self.content_type, self.body
        if content_type == "text":
            return "text", self.text if self.text is not None else html_to_text(self.body)
        return "html", f"<html><head></head><body><pre>{escape(self.body)}</pre></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A mail in a folder. A change makes a new one; `id` is the immutable id, `movable_id` the other kind."""

    id: str
    movable_id: str
    folder_id: str
    conversation_id: str
    change_key: str
    created_at: datetime
    modified_at: datetime
    received_at: datetime | None
    mail: Mail
    is_read: bool = False
    is_draft: bool = False
    flag_status: str = "notFlagged"
    categories: tuple[str, ...] = ()


class AttachmentRecord(NamedTuple):
    """An attachment as Graph lists it."""

    name: str | None
    content_type: str | None
    size: int
    is_inline: bool
    content_id: str | None
    kind: AttachmentKind


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """What Graph would say about a message now, for comparing with a database."""

    id: str
    folder: str
    folder_name: str
    subject: str | None
    from_name: str | None
    from_address: str | None
    sender_name: str | None
    sender_address: str | None
    recipients: tuple[Recipient, ...]
    received_at: datetime | None
    sent_at: datetime | None
    is_read: bool
    is_draft: bool
    importance: str
    flag_status: str
    categories: tuple[str, ...]
    has_attachments: bool
    preview: str
    body_content_type: ContentType
    body: str
    attachments: tuple[AttachmentRecord, ...]
    internet_message_id: str | None
    conversation_id: str
    change_key: str


def record(message: Message, shown_id: str, folder_name: str) -> MessageRecord:
    """The record of a message."""
    mail = message.mail
    from_, sender = mail.from_ or Person(None, None), mail.sender or Person(None, None)
    return MessageRecord(
        id=shown_id,
        folder=message.folder_id,
        folder_name=folder_name,
        subject=mail.subject,
        from_name=from_.name,
        from_address=from_.address,
        sender_name=sender.name,
        sender_address=sender.address,
        recipients=mail.recipients,
        received_at=message.received_at,
        sent_at=mail.sent_at,
        is_read=message.is_read,
        is_draft=message.is_draft,
        importance=mail.importance,
        flag_status=message.flag_status,
        categories=message.categories,
        has_attachments=mail.has_attachments,
        preview=mail.preview,
        body_content_type=mail.content_type,
        body=mail.body,
        attachments=tuple(
            AttachmentRecord(a.name, a.content_type, a.size, a.is_inline, a.content_id, a.kind)
            for a in mail.attachments
        ),
        internet_message_id=mail.internet_message_id,
        conversation_id=message.conversation_id,
        change_key=message.change_key,
    )


_INVISIBLE = re.compile(r"(?is)<(script|style|head|title)\b.*?</\1\s*>|<!--.*?-->")
_LINE_END = re.compile(r"(?i)<br\s*/?>|</(?:p|div|tr|h[1-6]|li|blockquote)\s*>")
_TAG = re.compile(r"(?s)<[^>]*>")


def html_to_text(html: str) -> str:
    """The words of a page, one line a block."""
    text = _TAG.sub("", _LINE_END.sub("\r\n", _INVISIBLE.sub("", html)))
    return unescape(text).replace("\xa0", " ").strip()


def preview_of(content_type: ContentType, body: str) -> str:
    """The first 255 UTF-16 units of the text, which may split an emoji, as Exchange does."""
    text = html_to_text(body[:20_000]) if content_type == "html" else body[:2_000]
    units = text.strip().encode("utf-16-le", "surrogatepass")[:510]
    return units.decode("utf-16-le", "surrogatepass")
