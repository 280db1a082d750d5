"""The mail with one address, from it or to it: found by the index of the search, so however much mail there is.

The index comes a little after the mail. What it lacks yet is looked through, as far as that is not much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from flask_ms365.mailboxes.indexing import UNDATED
from flask_ms365.mailboxes.search import Found, search
from flask_ms365.models import Mailbox, Message, SearchMark
from flask_ms365.models.base import AnySession

# pages of the search: an address may also stand in the text of mail with others
_MOST_PAGES = 3
_LONGEST = 320  # characters of an address
_NEWEST = 300  # messages


@dataclass(frozen=True, kw_only=True)
class Correspondence:
    """Conversations with somebody, those first that have the newest message, and their messages, newest first.

    ``is_behind``: so much was stored just now that some of it cannot be found yet.
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
    if "@" not in wanted or len(wanted) > _LONGEST:
        return Correspondence(conversations=[], has_more=False, is_behind=False)
    found: dict[object, Message] = {}
    is_behind = has_more = False
    for page in _pages(session, wanted, readable):
        _note(found, page.messages, wanted)
        is_behind, has_more = page.is_behind, page.older is not None
        if len(found) > limit:
            break
    if is_behind:
        late = _not_yet_indexed(session)
        is_behind = len(late) > _NEWEST
        _note(found, _messages(session, late[:_NEWEST], readable), wanted)
    newest = sorted(found.values(), key=lambda message: (message.received_at or UNDATED, message.id), reverse=True)
    return Correspondence(
        conversations=_by_conversation(newest[:limit]),
        has_more=has_more or len(newest) > limit,
        is_behind=is_behind,
    )


def _note(found: dict[object, Message], messages: Iterable[Message], address: str) -> None:
    for message in messages:
        if _is_with(message, address):
            found.setdefault(message.internet_message_id or message.id, message)


def _not_yet_indexed(session: AnySession) -> Sequence[int]:
    """Return the ids of the newest messages that the index has not come to, and of one more than are looked through."""
    upto = select(func.coalesce(func.max(SearchMark.upto), 0)).scalar_subquery()
    return session.scalars(
        select(Message.id).where(Message.id > upto).order_by(Message.id.desc()).limit(_NEWEST + 1)
    ).all()


def _messages(session: AnySession, ids: Sequence[int], readable: ColumnElement[bool]) -> Sequence[Message]:
    theirs = select(Mailbox.id).where(readable)
    rows = select(Message).where(Message.id.in_(ids), Message.mailbox_id.in_(theirs), Message.removed_at.is_(None))
    return session.scalars(rows).all()


def _pages(session: AnySession, address: str, readable: ColumnElement[bool]) -> Iterator[Found]:
    """Yield what the search finds, newest first."""
    before: int | None = None
    for _ in range(_MOST_PAGES):
        quoted = address.replace('"', " ")
        page = search(session, f'"{quoted}"', readable=readable, before=before, is_whole=True)
        yield page
        if page.older is None:
            return
        before = page.older


def _is_with(message: Message, address: str) -> bool:
    people = [message.from_address, message.sender_address, *(person["address"] for person in message.recipients)]
    return any(person is not None and person.lower() == address for person in people)


def _by_conversation(messages: Sequence[Message]) -> list[list[Message]]:
    conversations: dict[object, list[Message]] = {}
    for message in messages:
        key = (message.mailbox_id, message.conversation_id) if message.conversation_id else message.id
        conversations.setdefault(key, []).append(message)
    return list(conversations.values())
