"""From a message of Graph to the columns of :class:`~flask_ms365.models.Message`."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Any

from msgspec import UNSET, UnsetType

from flask_ms365.graph.types import MessageData, Person
from flask_ms365.models.base import GRAPH_ID_LENGTH

# Graph's property -> our column, where the value needs no change
_PLAIN = {
    "change_key": "change_key",
    "internet_message_id": "internet_message_id",
    "subject": "subject",
    "received_date_time": "received_at",
    "sent_date_time": "sent_at",
    "is_read": "is_read",
    "is_draft": "is_draft",
    "importance": "importance",
    "has_attachments": "has_attachments",
    "body_preview": "preview",
    "web_link": "web_link",
}
_plain = attrgetter(*_PLAIN)

_COLUMNS = (
    *_PLAIN.values(),
    "conversation_id",
    *("from_name", "from_address", "sender_name", "sender_address", "recipients"),
    *("categories", "flag_status", "body_content_type", "body"),
)

# no control characters, no spaces: MySQL would not tell an id from the same one with a space after it
_ID = re.compile(rf"[!-~]{{1,{GRAPH_ID_LENGTH}}}")


def is_storable_id(text: str) -> bool:
    """Tell whether the databases can tell ``text`` apart from every other id."""
    return _ID.fullmatch(text) is not None


def is_complete(item: MessageData) -> bool:
    """Tell a message in full from an update in part; ``from`` and ``sender`` may be absent from a full one too."""
    return item.subject is not UNSET and item.received_date_time is not UNSET and item.body is not UNSET


def says_only_read_state(item: MessageData) -> bool:
    """Tell whether an update in part says no more than where the message is and whether it was read."""
    named = {name for name in item.__struct_fields__ if getattr(item, name) is not UNSET}
    return named <= {"id", "removed", "is_read", "parent_folder_id"}


def may_have_files(has_attachments: object, body: str | None) -> bool:
    """Tell whether a message may have attachments; ``hasAttachments`` does not count inline ones."""
    # from the end: that way Python takes a third of the time
    return bool(has_attachments) or (body or "").rfind("cid:") >= 0


def message_values(item: MessageData) -> dict[str, Any]:
    """Return the column values of a message in full."""
    plain = _plain(item)
    if UNSET in plain:
        plain = tuple(None if value is UNSET else value for value in plain)
    flag, body = item.flag, item.body
    values = (
        *plain,
        _storable(item.conversation_id),
        *(*_name_and_address(item.sent_from), *_name_and_address(item.sender), _recipients(item)),
        *(item.categories or [], flag.flag_status if flag else None),
        *((body.content_type, body.content) if body else (None, None)),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def without_body(values: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of column values where bodies are not: the kind of a body without its text."""
    return {**values, "body": None} if "body" in values else values


def _storable(id_: str | UnsetType | None) -> str | None:
    return id_ if isinstance(id_, str) and is_storable_id(id_) else None


def _name_and_address(person: Person | UnsetType | None) -> tuple[str | None, str | None]:
    return (person.email_address.name, person.email_address.address) if person else (None, None)


def _recipients(item: MessageData) -> list[dict[str, str | None]]:
    kinds = (
        ("to", item.to_recipients),
        ("cc", item.cc_recipients),
        ("bcc", item.bcc_recipients),
        ("reply_to", item.reply_to),
    )
    return [
        {"kind": kind, "name": person.email_address.name, "address": person.email_address.address}
        for kind, persons in kinds
        if persons
        for person in persons
    ]
