"""``python -m bench.reading [--database postgresql --mailboxes 1000 --messages 1000]``: what pages take amid much mail.

Each page is asked over a test client, by turns with the others, and each is followed by a bare query of its kind, sent
by SQLAlchemy's Core without any page around it. The bars: 95 of 100 answers within 100 ms, a search within 300 ms, and
8 statements.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any, NamedTuple

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.orm import Session

from bench.databases import fresh, tuned
from bench.mailrooms import VOCABULARY, fill
from bench.measured import table
from bench.settings_page import STORED
from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.mailboxes.fulltext import fulltext_of
from flask_ms365.mailboxes.search import search
from flask_ms365.mailboxes.tokens import terms_of
from flask_ms365.models import Mailbox, SearchText

_LIMIT, _SEARCH_LIMIT, _STATEMENTS = 100, 300, 8
_WARM_UP = 3

_LIST = "SELECT id, address, state FROM ms365_mailbox WHERE kind = 'system' ORDER BY id LIMIT 50"
_STATES = "SELECT state, count(*) FROM ms365_mailbox GROUP BY state"
_MAILBOX = "SELECT * FROM ms365_mailbox WHERE id = {mailbox}"
_RUNS = "SELECT * FROM ms365_sync_run WHERE mailbox_id = {mailbox} ORDER BY id DESC LIMIT 20"
_NEWEST = (
    "SELECT id, subject, from_name, received_at, preview FROM ms365_message "
    "WHERE folder_id = {folder} AND removed_at IS NULL ORDER BY received_at DESC LIMIT 51"
)
_MESSAGE = "SELECT id, subject, from_name, recipients, received_at FROM ms365_message WHERE id = {message}"
_BODY = "SELECT body FROM ms365_message WHERE id = {message}"
_CONVERSATION = (
    "SELECT id, subject, from_name, received_at FROM ms365_message WHERE conversation_id = "
    "(SELECT conversation_id FROM ms365_message WHERE id = {message}) ORDER BY received_at"
)


class Page(NamedTuple):
    """A page by its address, and a bare query of its kind: SQL, or what is searched for.

    Without an address it is ``search()`` itself, over every mailbox.
    """

    name: str
    path: str
    bare: str

    @property
    def is_search(self) -> bool:
        return not self.path or "q=" in self.path


_COMMON, _USUAL, _SELDOM = VOCABULARY[0], VOCABULARY[60], VOCABULARY[15_000]
_UNWRITTEN = f'"{VOCABULARY[5]} {VOCABULARY[24]}"'  # one letter in ten has both
_OWN_WORD = "ticket{mailbox}x{number}"

PAGES = (
    Page("overview", "/", _STATES),
    Page("mailboxes", "/mailboxes", _LIST),
    Page("mailboxes, live", "/mailboxes/live", _LIST),
    Page("a mailbox", "/mailboxes/{mailbox}", _RUNS),
    Page("its folders", "/mailboxes/{mailbox}/folders", _MAILBOX),
    Page("my email", "/my-email", _MAILBOX),
    Page("messages, my own", "/messages", _NEWEST),
    Page("messages of a mailbox", "/messages?mailbox={mailbox}", _NEWEST),
    Page("messages of a folder", "/messages?mailbox={mailbox}&folder={folder}", _NEWEST),
    Page("a message", "/messages/{message}", _MESSAGE),
    Page("its text", "/messages/{message}/body", _BODY),
    Page("a conversation", "/messages?conversation={message}", _CONVERSATION),
    Page("search, one mailbox, every letter has it", f"/messages?mailbox={{mailbox}}&q={_COMMON}", _COMMON),
    Page(
        "search, one mailbox, two words", f"/messages?mailbox={{mailbox}}&q={_USUAL}+{_COMMON}", f"{_USUAL} {_COMMON}"
    ),
    Page("search() of all, one message has it", "", _OWN_WORD),
    Page("search() of all, few letters have it", "", _SELDOM),
    Page("search() of all, one in ten has it", "", _USUAL),
    Page("search() of all, every letter has it", "", _COMMON),
    Page("search() of all, a phrase", "", f'"{_COMMON} {_USUAL}"'),
    Page("search() of all, a phrase that nobody wrote", "", _UNWRITTEN),
    Page("audit", "/audit", "SELECT * FROM ms365_audit_event ORDER BY id DESC LIMIT 50"),
    Page("settings", "/settings", "SELECT * FROM ms365_setting"),
)


class Taken(NamedTuple):
    """What a request took: milliseconds, those of the processor, and statements; and milliseconds of the bare query."""

    page: float
    cpu: float
    statements: int
    bare: float


@contextmanager
def serving(url: str) -> Any:
    """Yield a host app over a database that was filled, in its context."""
    db, ms365 = SQLAlchemy(), MS365()
    with tempfile.TemporaryDirectory() as folder:
        app = Flask("bench", instance_path=folder)
        app.config.update(
            SECRET_KEY="not secret",
            SQLALCHEMY_DATABASE_URI=url,
            MS365_ENCRYPTION_KEYS=generate_key(),
            MS365_PUBLIC_BASE_URL="http://localhost",
            MS365_JOB_HOOK="external",
        )
        db.init_app(app)
        ms365.init_app(app, db=db, authorize=lambda permission: True, current_user_id=lambda: "ana")
        with app.app_context():
            ms365.settings.save({key: value for key, value in STORED.items() if key != "sync_since"}, actor="ana")
            engine = db.engine
        yield app, engine
        engine.dispose()


def measure(app: Flask, engine: Engine, bare: Engine, places: Callable[[], dict[str, int]], rounds: int) -> Any:
    """Ask for every page by turns; return name -> what each request took."""
    counted: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *given: counted.append(given[2]))
    taken = {page.name: list[Taken]() for page in PAGES}
    gc.collect()
    gc.freeze()  # to come by all that was imported takes as long as some pages, and is no page's doing
    for number in range(rounds + _WARM_UP):
        for page in PAGES:
            place = places()
            counted.clear()
            started, cpu = time.perf_counter(), time.process_time()
            visit(app, page, place)
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            one = Taken(1000 * seconds, 1000 * cpu, len(counted), _ask(bare, page, place))
            if number >= _WARM_UP:
                taken[page.name].append(one)
    return taken


def visit(app: Flask, page: Page, place: dict[str, int]) -> None:
    """Ask for a page, or search."""
    if page.path:
        answer = app.test_client().get(f"/ms365{page.path.format(**place)}")
        assert answer.status_code == 200, f"{page.name}: {answer.status}"
        return
    with app.app_context():
        session = app.extensions["sqlalchemy"].session
        search(session, page.bare.format(**place), readable=Mailbox.state != "deleting")


def _ask(engine: Engine, page: Page, place: dict[str, int]) -> float:
    """Return the milliseconds of the bare query."""
    asked = page.bare.format(**place)
    with engine.connect() as connection:
        statement = _search(connection, asked) if page.is_search else text(asked)
        started = time.perf_counter()
        connection.execute(statement).all()
        return 1000 * (time.perf_counter() - started)


def _search(connection: Any, asked: str) -> Any:
    """Return the statement that a host would write by itself."""
    has_words = fulltext_of(Session(connection)).has(SearchText, terms_of(asked), ())
    return select(SearchText.message_id).where(has_words).order_by(SearchText.received_at.desc()).limit(51)


def report(taken: dict[str, list[Taken]]) -> str:
    """Return the figures as a table, with a mark at what is beyond its bar."""
    rows = []
    for page in PAGES:
        times = [one.page for one in taken[page.name]]
        p95, statements = quantiles(times, n=20)[-1], max(one.statements for one in taken[page.name])
        ratio = median(times) / median(one.bare for one in taken[page.name])
        is_over = p95 > (_SEARCH_LIMIT if page.is_search else _LIMIT) or statements > _STATEMENTS
        cpu = median(one.cpu for one in taken[page.name])
        figures = f"{median(times):.1f}", f"{p95:.1f}", f"{cpu:.1f}", str(statements), f"{ratio:.1f}"
        rows.append([page.name, *figures, "over" if is_over else ""])
    return table(["page", "p50 ms", "p95 ms", "CPU ms", "statements", "ratio to bare", ""], rows)


def main() -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(prog="bench.reading")
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql", "mariadb"))
    parser.add_argument("--mailboxes", type=int, default=20)
    parser.add_argument("--messages", type=int, default=50, help="in each")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    with fresh(given.database) as url:
        started = time.perf_counter()
        fill(url, mailboxes=given.mailboxes, messages=given.messages)
        print(
            f"{given.mailboxes * given.messages:,} messages in {given.mailboxes:,} mailboxes, {given.database}; ",
            end="",
        )
        print(f"written in {time.perf_counter() - started:.0f} s")
        chance, bare = random.Random(7), tuned(create_engine(url))
        with serving(url) as (app, engine):
            taken = measure(app, engine, bare, lambda: _place(chance, given.mailboxes, given.messages), given.rounds)
        bare.dispose()
    print(report(taken))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; {given.rounds} requests of each page")


def _place(chance: random.Random, mailboxes: int, messages: int) -> dict[str, int]:
    """Return a mailbox of the team, one of its folders and one of its messages."""
    mailbox = chance.randrange(2, mailboxes + 1)
    number = chance.randrange(messages)
    message = (mailbox - 1) * messages + 1 + number
    return {"mailbox": mailbox, "folder": 4 * mailbox, "message": message, "number": number}


if __name__ == "__main__":
    main()
