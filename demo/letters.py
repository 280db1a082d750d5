"""A message as the mailbox has it and as the database has it, and where the two differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from demo.database import db
from flask_ms365.models import Attachment, Folder, Message
from flask_ms365.simulator import Mailbox, MessageRecord

# the folders that are not synced until somebody chooses them
NOT_SYNCED = frozenset({"deleteditems", "drafts", "junkemail", "outbox"})
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """Everything that is compared."""

    folder: str
    subject: str | None
    from_: tuple[str | None, str | None]
    sender: tuple[str | None, str | None]
    recipients: list[Any]
    received_at: datetime | None
    sent_at: datetime | None
    is_read: bool | None
    body_content_type: str | None
    body: str | None
    attachments: list[Any]


Letters = dict[str, Letter]


def letters_in_mailbox(mailbox: Mailbox) -> Letters:
    """Return what is in the mailbox, with the repairs that every text gets before it is stored."""
    paths = {folder.id: mailbox.folders.path(folder) for folder in mailbox.folders}
    skipped = {folder.id for folder in mailbox.folders if folder.well_known_name in NOT_SYNCED}
    records = (record for record in mailbox.messages() if record.folder not in skipped)
    return {record.id: _from_record(record, paths[record.folder]) for record in records}


def letters_in_database(mailbox_id: int) -> Letters:
    """Return what is in the database, removed messages left out."""
    query = select(Message).where(Message.mailbox_id == mailbox_id, Message.removed_at.is_(None))
    messages = db.session.scalars(query.options(undefer(Message.body)))
    paths, attachments = _stored_paths(mailbox_id), _stored_attachments(mailbox_id)
    return {m.graph_id: _from_row(m, paths[m.folder_id], attachments.get(m.id, [])) for m in messages}


def differences(expected: Letters, actual: Letters) -> Iterator[str]:
    """Yield each difference in a line that a person can act on."""
    for key in expected.keys() - actual.keys():
        yield f"{_title(expected[key])}: in the mailbox only"
    for key in actual.keys() - expected.keys():
        yield f"{_title(actual[key])}: in the database only"
    for key in expected.keys() & actual.keys():
        yield from _field_differences(expected[key], actual[key])


def _field_differences(expected: Letter, actual: Letter) -> Iterator[str]:
    ours, theirs = asdict(actual), asdict(expected)
    for name, value in theirs.items():
        if value != ours[name]:
            here, there = _where_they_part(repr(ours[name]), repr(value))
            yield f"{_title(expected)}: {name} is {here}, in the mailbox {there}"


def _where_they_part(here: str, there: str) -> Iterator[str]:
    """Yield both texts, a long one only from where it differs."""
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False)))
    start = max(same - 20, 0)
    for text in (here, there):
        yield text if len(text) <= 80 else f"{'…' if start else ''}{text[start : start + 60]}…"


def _from_record(record: MessageRecord, folder: str) -> Letter:
    return Letter(
        folder=_clean(folder),
        subject=_clean(record.subject),
        from_=_clean((record.from_name, record.from_address)),
        sender=_clean((record.sender_name, record.sender_address)),
        recipients=sorted((_clean(tuple(one)) for one in record.recipients), key=lambda one: str(one[0])),
        received_at=record.received_at,
        sent_at=record.sent_at,
        is_read=record.is_read,
        body_content_type=record.body_content_type,
        body=_clean(record.body),
        attachments=sorted((_clean(tuple(one)) for one in record.attachments), key=repr),
    )


def _from_row(message: Message, folder: str, attachments: list[Any]) -> Letter:
    recipients = [(one["kind"], one["name"], one["address"]) for one in message.recipients]
    return Letter(
        folder=folder,
        subject=message.subject,
        from_=(message.from_name, message.from_address),
        sender=(message.sender_name, message.sender_address),
        recipients=sorted(recipients, key=lambda one: str(one[0])),
        received_at=message.received_at,
        sent_at=message.sent_at,
        is_read=message.is_read,
        body_content_type=message.body_content_type,
        body=message.body,
        attachments=sorted(attachments, key=repr),
    )


def _stored_paths(mailbox_id: int) -> dict[int, str]:
    folders = {folder.id: folder for folder in db.session.scalars(select(Folder).filter_by(mailbox_id=mailbox_id))}

    def path(folder: Folder) -> str:
        above = folders.get(folder.parent_id or 0)
        return f"{path(above)}/{folder.name}" if above else folder.name

    return {key: path(folder) for key, folder in folders.items()}


def _stored_attachments(mailbox_id: int) -> dict[int, list[Any]]:
    columns = (
        Attachment.name,
        Attachment.content_type,
        Attachment.size,
        Attachment.is_inline,
        Attachment.content_id,
        Attachment.kind,
    )
    query = select(Attachment.message_id, *columns).join(Message).where(Message.mailbox_id == mailbox_id)
    found: dict[int, list[Any]] = {}
    for message_id, *values in db.session.execute(query):
        found.setdefault(message_id, []).append(tuple(values))
    return found


def _clean(value: Any) -> Any:
    """Do what the database's side promises: no NUL, and U+FFFD for a lone surrogate."""
    if isinstance(value, tuple):
        return tuple(_clean(part) for part in value)
    return _SURROGATE.sub("\ufffd", value.replace("\0", "")) if isinstance(value, str) else value


def _title(letter: Letter) -> str:
    return f"{letter.folder} / {letter.subject or '(no subject)'}"
