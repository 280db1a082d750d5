"""A database full of mail, written straight into the tables: many mailboxes of a team, and one of a person's own.

The first mailbox is written from here, and the others are copies of it that the database makes by itself: that takes
minutes for a million messages, instead of an hour.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import Engine, Index, Text, cast, create_engine, func, insert, literal, select, text
from sqlalchemy.orm import Session

from bench.databases import tuned
from flask_ms365.mailboxes.fulltext import fulltext_of
from flask_ms365.models import Attachment, Folder, Mailbox, Message, SearchMark, SearchText, SyncRun, make_sqlite_index
from flask_ms365.models.base import Base
from flask_ms365.models.insert import insert_rows

FOLDERS = ("Inbox", "Archive", "Projects", "Sent Items")
NOW = datetime(2026, 9, 1, 12, tzinfo=timezone.utc)
# the commonest word is in nearly every letter, the last in very few
VOCABULARY = [f"word{number}" for number in range(20_000)]
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(VOCABULARY) + 1)))
_WORDS = 60
_BETWEEN = timedelta(hours=17)
_STATES = ("connected",) * 48 + ("paused", "sign_in_needed")


class Letter(NamedTuple):
    """What a message says."""

    subject: str
    body: str
    words: list[str]


def fill(url: str, *, mailboxes: int, messages: int) -> None:
    """Make the tables and write so many mailboxes, with so many messages each; the first is Ana's own."""
    engine = tuned(create_engine(url))
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        make_sqlite_index(connection)
    with Session(engine) as session:
        later = _without_indexes(session)
        for number in range(1, mailboxes + 1):
            _write_mailbox(session, number)
            if number == 1:
                _write_mail(session, messages)
            else:
                _copy_mail(session, number, messages)
            session.commit()
        session.execute(insert(SearchMark).values(id=1, upto=mailboxes * messages, noted_at=NOW))
        if engine.dialect.name == "postgresql":
            session.execute(text("SET maintenance_work_mem = '1GB'"))
        for index in later:
            index.create(session.connection())
        session.commit()
    _gather_statistics(engine)
    engine.dispose()


def _letters(many: int) -> Iterator[Letter]:
    chance = random.Random(1)
    for _ in range(many):
        words = chance.choices(VOCABULARY, cum_weights=_WEIGHTS, k=_WORDS)
        paragraphs = "".join(f'<p class="MsoNormal">{" ".join(words[n : n + 20])}</p>' for n in range(0, _WORDS, 20))
        yield Letter(" ".join(words[:5]), f"<html><body>{paragraphs}</body></html>", words)


def _without_indexes(session: Session) -> list[Index]:
    """Drop the indexes that are quicker to make once all rows are there; return them."""
    if session.get_bind().dialect.name != "postgresql":
        return []
    indexes = [index for model in (Message, SearchText) for index in model.__table__.indexes]  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(session.connection())
    return indexes


def _write_mailbox(session: Session, number: int) -> None:
    is_own = number == 1
    state = _STATES[number % len(_STATES)] if not is_own else "connected"
    mailbox = {
        "id": number,
        "kind": "user" if is_own else "system",
        "owner_id": "ana" if is_own else None,
        "address": f"mailbox{number}@contoso.example",
        "created_at": NOW,
        "next_due_at": NOW + timedelta(days=999),
        "state": state,
        "last_success_at": NOW,
        "last_result": "done",
        "fail_count": 3 if number % 20 == 0 else 0,
    }
    session.execute(insert(Mailbox).values(mailbox))
    folders = [
        {"id": 4 * number + n, "mailbox_id": number, "graph_id": f"folder{n}", "name": name, "synced_at": NOW}
        for n, name in enumerate(FOLDERS)
    ]
    session.execute(insert(Folder), folders)
    counts = dict.fromkeys(("pages", "created", "updated", "moved", "removed"), 1)
    runs = [
        {"mailbox_id": number, "started_at": at, "finished_at": at, "result": "done", **counts}
        for at in (NOW - timedelta(minutes=10 * n) for n in range(20))
    ]
    session.execute(insert(SyncRun), runs)


def _write_mail(session: Session, messages: int) -> None:
    """Write the mail of the first mailbox."""
    fulltext, letters = fulltext_of(session), list(_letters(messages))
    rows = [_message(n, letter) for n, letter in enumerate(letters)]
    insert_rows(session, Message.__table__, rows, mailbox_id=1)
    found = [
        {
            "message_id": row["id"],
            "received_at": row["received_at"],
            "words": fulltext.stored([f"ticket1x{n}", *letter.words], 1),
        }
        for n, (row, letter) in enumerate(zip(rows, letters, strict=True))
    ]
    insert_rows(session, SearchText.__table__, found, mailbox_id=1)
    files = [_attachment(row["id"]) for row in rows if row["has_attachments"]]
    insert_rows(session, Attachment.__table__, files, mailbox_id=1)


def _copy_mail(session: Session, number: int, messages: int) -> None:
    """Have the database write the same mail for another mailbox; each message still has a word of its own."""
    ids, fulltext = (number - 1) * messages, fulltext_of(session)
    words: Any = cast(SearchText.words, Text)
    for before, after in (("ticket1x", f"ticket{number}x"), (fulltext.stored([], 1), fulltext.stored([], number))):
        words = func.replace(words, before, after)
    shifted: dict[Any, dict[str, Any]] = {
        Message: {
            "id": Message.id + ids,
            "folder_id": Message.folder_id + len(FOLDERS) * (number - 1),
            "graph_id": literal(f"m{number}") + Message.graph_id,
            "conversation_id": literal(f"m{number}") + Message.conversation_id,
        },
        SearchText: {"message_id": SearchText.message_id + ids, "words": cast(words, SearchText.words.type)},
        Attachment: {"message_id": Attachment.message_id + ids},
    }
    for model, values in shifted.items():
        names = [column.name for column in model.__table__.columns if column.name != "id" or "id" in values]
        changed = {**values, "mailbox_id": literal(number)}
        copies = select(*(changed.get(name, model.__table__.c[name]) for name in names))
        session.execute(insert(model).from_select(names, copies.where(model.mailbox_id == 1)))


def _message(n: int, letter: Letter) -> dict[str, Any]:
    sender, at = f"sender{n % 500}", NOW - n * _BETWEEN
    return {
        "id": n + 1,
        "folder_id": len(FOLDERS) + (0 if n % 2 else n // 2 % 4),
        "graph_id": f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0AuSnn4ohtHUyf6zSBCu6a7AAEkzK2pQAA{n:012}",
        "change_key": f"CQAAABYAAAC5Kefii{n:012}",
        "conversation_id": f"AAQkAGVmMDEzMTM4LTZmYWUtNDdkNC1hMDZiLTU1{n // 4:012}",
        "subject": letter.subject,
        "from_name": sender.title(),
        "from_address": f"{sender}@fabrikam.example",
        "recipients": [{"kind": "to", "name": "Team", "address": "team@contoso.example"}],
        "received_at": at,
        "sent_at": at,
        "is_read": n % 4 != 0,
        "is_draft": False,
        "categories": [],
        "has_attachments": n % 10 == 0,
        "preview": letter.body[35:240],
        "body_content_type": "html",
        "body": letter.body,
    }


def _attachment(message_id: int) -> dict[str, Any]:
    about = {
        "name": "report.pdf",
        "content_type": "application/pdf",
        "size": 48_000,
        "kind": "file",
        "is_inline": False,
    }
    return {"message_id": message_id, "graph_id": f"file{message_id}", "content_attempts": 0, **about}


def _gather_statistics(engine: Engine) -> None:
    """Let the database know what it has, as its own housekeeping would within minutes."""
    by_dialect = {"postgresql": "VACUUM ANALYZE", "sqlite": "ANALYZE"}
    if statement := by_dialect.get(engine.dialect.name):
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
