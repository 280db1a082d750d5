"""Search in mail: what people type, asked of the index of the database. The newest come first.

A word that is everywhere would have the database sort most of the mail there is, for one page. Where few mailboxes are
asked, their own part of the word's list is short. Else the newest messages are looked through first: if many have it,
they do. Where even then they do not, people are told how far back that was, and may go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select, tuple_
from sqlalchemy.orm import aliased

from flask_ms365.mailboxes.fulltext import Fulltext, fulltext_of
from flask_ms365.mailboxes.indexing import UNDATED, is_behind
from flask_ms365.mailboxes.tokens import Term, terms_of
from flask_ms365.models import Folder, Mailbox, Message, SearchText
from flask_ms365.models.base import AnySession

PAGE = 50
# so many mailboxes are named in the question; where there are more, it is asked of all, and the answer is sifted
_MOST_NAMED = 100
# messages: those that are looked through one by one, and those of which the index is asked
_NEWEST, _STRETCH = 10_000, 100_000


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of messages that match, newest first; ``is_behind``: some stored mail is not searched yet.

    The next page is ``before`` the message ``older``. There may be one although this is not full, or even empty: then
    mail was looked through only as far back as to ``looked_back_to``.
    """

    messages: Sequence[Message] = ()
    older: int | None = None
    looked_back_to: datetime | None = None
    is_behind: bool = False


def search(
    session: AnySession,
    text: str,
    *,
    readable: ColumnElement[bool],
    mailbox_id: int | None = None,
    folder_id: int | None = None,
    before: int | None = None,
    is_whole: bool = False,
) -> Found:
    """Return messages with all the words of ``text``: older than the message ``before``, or the newest.

    ``readable`` is the condition on :class:`Mailbox` that its mail may be read by whoever asks. Any text is a
    question; one without a word finds nothing. Two statements for a mailbox, up to six for all. ``is_whole`` where
    nobody could go on: all mail is looked through, however long it takes, with one statement more.
    """
    terms, mailboxes = terms_of(text), _mailboxes(readable, mailbox_id, folder_id)
    # whether that one may be read is asked with its messages
    named = [mailbox_id] if mailbox_id is not None else session.scalars(mailboxes.limit(_MOST_NAMED + 1)).all()
    if not terms or not named:
        return Found()
    start, behind = _standing(session, before)
    question = _Question(
        fulltext=fulltext_of(session),
        terms=terms,
        named=named if len(named) <= _MOST_NAMED else (),
        mailboxes=mailboxes,
        folder_id=folder_id,
        start=start,
    )
    return replace(_found(session, question, is_whole=is_whole), is_behind=behind)


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is asked: terms, of the ``named`` mailboxes or of all ``mailboxes``, of one folder, older than ``start``."""

    fulltext: Fulltext
    terms: Sequence[Term]
    named: Sequence[int]
    mailboxes: Select[Any]
    folder_id: int | None
    start: tuple[Any, int] | None

    def is_answered_by(self, row: type[SearchText]) -> list[ColumnElement[bool]]:
        """Return the conditions on words, mailbox and folder."""
        conditions = [self.fulltext.has(row, self.terms, self.named)]
        if not self.named:
            conditions.append(row.mailbox_id.in_(self.mailboxes))
        if self.folder_id is not None:
            conditions.append(row.message_id.in_(select(Message.id).where(Message.folder_id == self.folder_id)))
        return conditions

    def is_older(self, row: type[SearchText]) -> list[ColumnElement[bool]]:
        """Return the condition on time."""
        return [] if self.start is None else [tuple_(row.received_at, row.message_id) < tuple_(*self.start)]


def _mailboxes(readable: ColumnElement[bool], mailbox_id: int | None, folder_id: int | None) -> Select[Any]:
    """Return the statement for the ids of the mailboxes that are asked; a folder is of one."""
    asked = select(Mailbox.id).where(readable)
    if mailbox_id is not None:
        asked = asked.where(Mailbox.id == mailbox_id)
    if folder_id is not None:
        asked = asked.where(Mailbox.id.in_(select(Folder.mailbox_id).where(Folder.id == folder_id)))
    return asked


def _standing(session: AnySession, before: int | None) -> tuple[tuple[Any, int] | None, bool]:
    """Return the place of the message ``before``, None where there is none, and whether the index is behind."""
    place = [select(part).where(Message.id == before).scalar_subquery() for part in (Message.received_at, Message.id)]
    received_at, message_id, behind = tuple(session.execute(select(*place, is_behind())).one())
    return None if message_id is None else (received_at or UNDATED, message_id), bool(behind)


def _found(session: AnySession, question: _Question, *, is_whole: bool) -> Found:
    if question.named or not question.fulltext.finds_many(session, question.terms):
        return _page(session, question, _indexed(question))
    found = _page(session, question, _among_newest(question))
    end = None if found.older else _end_of_stretch(session, question)
    if end:
        since = tuple_(SearchText.received_at, SearchText.message_id) >= tuple_(end.received_at, end.message_id)
        found = _page(session, question, _indexed(question).where(since))
    if found.older:
        return found
    if end and not is_whole:
        return replace(found, older=end.message_id, looked_back_to=end.received_at)
    return _page(session, question, _indexed(question))


def _page(session: AnySession, question: _Question, hits: Select[Any]) -> Found:
    """Return the first page of what a statement finds."""
    # None stands for one that may not be shown
    found = session.scalars(_messages(hits, question)).all()
    messages = [message for message in found[:PAGE] if message is not None]
    return Found(messages=messages, older=messages[-1].id if messages and len(found) > PAGE else None)


def _indexed(question: _Question) -> Select[Any]:
    """Return the statement that asks the index."""
    hits = _dated(SearchText).where(*question.is_answered_by(SearchText), *question.is_older(SearchText))
    return hits.order_by(*question.fulltext.newest_first())


def _end_of_stretch(session: AnySession, question: _Question) -> Any:
    """Return the last of so many messages that the index is asked of them at once; None where there are fewer."""
    dated = _dated(SearchText).where(*question.is_older(SearchText))
    return session.execute(dated.order_by(*_newest_first(SearchText)).offset(_STRETCH - 1).limit(1)).first()


def _among_newest(question: _Question) -> Select[Any]:
    """Return the statement that looks through the newest messages alone, in the order of their index."""
    table: Any = SearchText.__table__
    newest = select(table).where(*question.is_older(SearchText)).order_by(*_newest_first(table.c)).limit(_NEWEST)
    row: Any = aliased(SearchText, newest.subquery())
    return _dated(row).where(*question.is_answered_by(row)).order_by(*_newest_first(row))


def _messages(hits: Select[Any], question: _Question) -> Select[Any]:
    """Return the statement for the messages of the first hits; for those that may not be shown it has None."""
    some = hits.limit(PAGE + 1).subquery()
    may_be_shown = Message.mailbox_id.in_(question.mailboxes) & Message.removed_at.is_(None)
    page = select(Message).select_from(some).outerjoin(Message, (Message.id == some.c.message_id) & may_be_shown)
    return page.order_by(*_newest_first(some.c))


def _dated(row: Any) -> Select[Any]:
    return select(row.message_id, row.received_at)


def _newest_first(row: Any) -> tuple[Any, Any]:
    return row.received_at.desc(), row.message_id.desc()
