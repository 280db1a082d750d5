"""How each database keeps words, and how it is asked for them.

Words have letters and digits only, so nothing that people type is ever syntax. A message's mailbox is among its words
where that helps: what one mailbox has of a word that is everywhere is found in its own list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Interval, and_, cast, column, literal, select, table, text
from sqlalchemy.dialects import mysql, postgresql

from flask_ms365.mailboxes.tokens import Term
from flask_ms365.models.base import AnySession
from flask_ms365.models.search import FTS, SearchText, has_sqlite_index

_MANY = 20_000  # messages

_FTS = table(FTS, column("rowid"), column(FTS))


class Fulltext(Protocol):
    """The full text search of a database."""

    def stored(self, words: Sequence[str], mailbox_id: int) -> str:
        """Return the words of a message as the column ``words`` takes them."""
        ...

    def has(self, row: type[SearchText], terms: Sequence[Term], mailbox_ids: Collection[int]) -> ColumnElement[bool]:
        """Return the condition that a message has all the terms, and is in one of the mailboxes if any are named."""
        ...

    def newest_first(self) -> Sequence[ColumnElement[Any]]:
        """Return the order of what the index finds."""
        ...

    def finds_many(self, session: AnySession, terms: Sequence[Term]) -> bool:
        """Tell whether so much has all the terms that it is quicker to look through the newest messages first."""
        ...


class PostgreSQL:
    """A ``tsvector`` that is written out: the server's parser would make an address one word, and more."""

    def stored(self, words: Sequence[str], mailbox_id: int) -> str:
        """Return words with their places, and the mailbox as a word that nobody can type."""
        places: defaultdict[str, list[str]] = defaultdict(list)
        for place, word in enumerate(words, 1):
            places[word].append(str(place))
        # the server keeps 255 places of a word, and none beyond 16,383
        return " ".join([f"'@{mailbox_id}'", *(f"'{word}':{','.join(at[:255])}" for word, at in places.items())])

    def has(self, row: type[SearchText], terms: Sequence[Term], mailbox_ids: Collection[int]) -> ColumnElement[bool]:
        """Return ``words @@ ...``."""
        parts = [f"({'|'.join(_quoted(f'@{key}') for key in mailbox_ids)})"] if mailbox_ids else []
        asked = cast(literal("&".join([*parts, _asked(terms)])), postgresql.TSQUERY)
        return row.words.op("@@", is_comparison=True)(asked)

    def finds_many(self, session: AnySession, terms: Sequence[Term]) -> bool:
        """Ask the planner, who knows how common words are; each message that has them is read."""
        plan = text(
            f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {SearchText.__tablename__} WHERE words @@ CAST(:asked AS tsquery)"
        )
        (told,) = session.execute(plan, {"asked": _asked(terms)}).scalars()
        return bool(told[0]["Plan"]["Plan Rows"] > _MANY)

    def newest_first(self) -> Sequence[ColumnElement[Any]]:
        """Return an order that no index has: walking along that of dates, it might come by all the mail there is."""
        return (SearchText.received_at + literal(timedelta(), Interval)).desc(), SearchText.message_id.desc()


class _ByDate:
    """Rows as their dates have them."""

    def finds_many(self, _session: AnySession, _terms: Sequence[Term]) -> bool:
        """Nothing is quicker than the index."""
        return False

    def newest_first(self) -> Sequence[ColumnElement[Any]]:
        """Return the plain order."""
        return SearchText.received_at.desc(), SearchText.message_id.desc()


class MySQL(_ByDate):
    """A ``FULLTEXT`` index of InnoDB, MariaDB's too. It leaves out short words and those of a list of its own: with
    two letters before them, none is.
    """

    def stored(self, words: Sequence[str], mailbox_id: int) -> str:
        """Return words and the mailbox, each marked as what it is."""
        return " ".join([f"zm{mailbox_id}", *(f"zz{word}" for word in words)])

    def has(self, row: type[SearchText], terms: Sequence[Term], mailbox_ids: Collection[int]) -> ColumnElement[bool]:
        """Return ``MATCH ... AGAINST``; of several words the last may be unfinished only if it need not follow."""
        parts = [f"+({' '.join(f'zm{key}' for key in mailbox_ids)})"] if mailbox_ids else []
        for term in terms:
            words = [f"zz{word}" for word in term.words]
            if term.is_prefix:
                parts.append(f"+{words.pop()}*")
            if words:
                parts.append(f'+"{" ".join(words)}"')
        return mysql.match(row.words.expression, against=" ".join(parts)).in_boolean_mode()


class SQLite(_ByDate):
    """An FTS5 table over ours."""

    def stored(self, words: Sequence[str], mailbox_id: int) -> str:  # a column of its own there
        """Return words between spaces."""
        return f" {' '.join(words)} "

    def has(self, row: type[SearchText], terms: Sequence[Term], mailbox_ids: Collection[int]) -> ColumnElement[bool]:
        """Return ``message_id IN (... MATCH ...)``."""
        parts = [f"mailbox_id : ({' OR '.join(map(_double_quoted, map(str, mailbox_ids)))})"] if mailbox_ids else []
        for term in terms:
            parts.append(f"words : {_double_quoted(' '.join(term.words))}{' *' if term.is_prefix else ''}")
        asked = _FTS.c[FTS].op("MATCH", is_comparison=True)(" AND ".join(parts))
        return row.message_id.in_(select(_FTS.c.rowid).where(asked))


class Unindexed(SQLite):
    """An SQLite without our FTS5 table: every message is looked through."""

    def has(self, row: type[SearchText], terms: Sequence[Term], mailbox_ids: Collection[int]) -> ColumnElement[bool]:
        """Return ``words LIKE ...`` for each term."""
        parts = [f"% {' '.join(term.words)}{'' if term.is_prefix else ' '}%" for term in terms]
        is_there = [row.mailbox_id.in_(mailbox_ids)] if mailbox_ids else []
        return and_(*is_there, *(row.words.like(part) for part in parts))


def fulltext_of(session: AnySession) -> Fulltext:
    """Return the search of this session's database."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        return PostgreSQL()
    if connection.dialect.name != "sqlite":
        return MySQL()
    return SQLite() if has_sqlite_index(connection) else Unindexed()


def _asked(terms: Sequence[Term]) -> str:
    """Return terms as a ``tsquery``."""
    parts = ["<->".join(map(_quoted, term.words)) + (":*" if term.is_prefix else "") for term in terms]
    return "&".join(f"({part})" for part in parts)


def _quoted(word: str) -> str:
    return f"'{word}'"


def _double_quoted(words: str) -> str:
    return f'"{words}"'
