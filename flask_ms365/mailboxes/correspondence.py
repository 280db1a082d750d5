"""The mail with one address, from it or to it: found by the index of the search, so however much mail there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement

from flask_ms365.mailboxes.search import Found, search
from flask_ms365.models import Message
from flask_ms365.models.base import AnySession

# pages of the search: an address may also stand in the text of mail with others
_MOST_PAGES = 3
_LONGEST = 320  # characters of an address


@dataclass(frozen=True, kw_only=True)
class Correspondence:
    """Conversations with somebody, those first that have the newest message, and their messages, newest first.

    ``is_behind``: some stored mail cannot be found yet.
    """

    conversations: Sequence[Sequence[Message]]
    has_more: bool
    is_behind: bool


def correspondence(session: AnySession, address: str, *, readable: ColumnElement[bool], limit: int) -> Correspondence:
    """Return the newest ``limit`` messages with ``address`` that may be read; six statements for most.

    ``readable`` is the condition on :class:`~flask_ms365.models.Mailbox` that its mail may be read by whoever asks.
    What lies in several mailboxes is one message.
    """
    wanted = address.strip().lower()
    found: dict[object, Message] = {}
    is_behind = has_more = False
    for page in _pages(session, wanted, readable):
        for message in page.messages:
            if _is_with(message, wanted):
                found.setdefault(message.internet_message_id or message.id, message)
        is_behind, has_more = page.is_behind, page.has_older or len(found) > limit
        if len(found) > limit:
            break
    return Correspondence(
        conversations=_by_conversation(list(found.values())[:limit]), has_more=has_more, is_behind=is_behind
    )


def _pages(session: AnySession, address: str, readable: ColumnElement[bool]) -> Iterator[Found]:
    """Yield what the search finds, newest first; nothing for what cannot be an address."""
    before: int | None = None
    for _ in range(_MOST_PAGES if "@" in address and len(address) <= _LONGEST else 0):
        quoted = address.replace('"', " ")
        page = search(session, f'"{quoted}"', readable=readable, before=before)
        yield page
        if not page.has_older:
            return
        before = page.messages[-1].id


def _is_with(message: Message, address: str) -> bool:
    people = [message.from_address, message.sender_address, *(person["address"] for person in message.recipients)]
    return any(person is not None and person.lower() == address for person in people)


def _by_conversation(messages: Sequence[Message]) -> list[list[Message]]:
    conversations: dict[object, list[Message]] = {}
    for message in messages:
        key = (message.mailbox_id, message.conversation_id) if message.conversation_id else message.id
        conversations.setdefault(key, []).append(message)
    return list(conversations.values())
