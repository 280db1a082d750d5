"""From a message of Graph to the columns of :class:`~flask_ms365.models.Message`."""

from __future__ import annotations

import re
from typing import Any

from msgspec import UNSET

from flask_ms365.graph.types import MessageData, Person
from flask_ms365.models.base import GRAPH_ID_LENGTH

# Graph's property -> our column, where the value needs no change
_PLAIN = (
    ("change_key", "change_key"),
    ("internet_message_id", "internet_message_id"),
    ("conversation_id", "conversation_id"),
    ("subject", "subject"),
    ("received_date_time", "received_at"),
    ("sent_date_time", "sent_at"),
    ("is_read", "is_read"),
    ("is_draft", "is_draft"),
    ("importance", "importance"),
    ("has_attachments", "has_attachments"),
    ("body_preview", "preview"),
    ("web_link", "web_link"),
)

_RECIPIENTS = (
    ("to", "to_recipients"),
    ("cc", "cc_recipients"),
    ("bcc", "bcc_recipients"),
    ("reply_to", "reply_to"),
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


def message_values(item: MessageData) -> dict[str, Any]:
    """Return the column values of a message in full."""
    return {
        **{column: _value(getattr(item, name)) for name, column in _PLAIN},
        **_person("from", item.sent_from),
        **_person("sender", item.sender),
        "recipients": _recipients(item),
        "categories": _value(item.categories) or [],
        "flag_status": item.flag.flag_status if item.flag else None,
        "body_content_type": item.body.content_type if item.body else None,
        "body": item.body.content if item.body else None,
    }


def _value(value: Any) -> Any:
    return None if value is UNSET else value


def _person(kind: str, person: Any) -> dict[str, str | None]:
    address = person.email_address if isinstance(person, Person) else None
    return {
        f"{kind}_name": address.name if address else None,
        f"{kind}_address": address.address if address else None,
    }


def _recipients(item: MessageData) -> list[dict[str, str | None]]:
    return [
        {"kind": kind, "name": person.email_address.name, "address": person.email_address.address}
        for kind, name in _RECIPIENTS
        for person in (getattr(item, name) or ())
    ]
