"""The floor: one connection, one thread, one loop. Reads, decodes, and hands tuples to the database's driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import urllib3
from sqlalchemy import create_engine, make_url

from bench.databases import finish, make_tables, tuned
from bench.fabricated import folder_id
from bench.measured import Work
from bench.pages import token_of
from flask_ms365.database import PRAGMAS

PREFER = 'IdType="ImmutableId", odata.maxpagesize=200'
NAMES = (
    "mailbox_id, folder_id, graph_id, change_key, internet_message_id, conversation_id, subject, from_name, "
    "from_address, sender_name, sender_address, recipients, received_at, sent_at, is_read, is_draft, importance, "
    "flag_status, categories, has_attachments, preview, web_link, body_content_type, body"
)
COLUMNS = NAMES.split(", ")

Store = Callable[[Sequence[tuple[Any, ...]]], None]


class Graph(msgspec.Struct, rename="camel", gc=False):
    """Property names as Graph spells them."""


class Address(Graph):
    name: str | None = None
    address: str | None = None


class Person(Graph):
    email_address: Address


class Body(Graph):
    content_type: str
    content: str


class Flag(Graph):
    flag_status: str


class Item(Graph):
    id: str
    change_key: str
    internet_message_id: str
    conversation_id: str
    subject: str
    sent_from: Person = msgspec.field(name="from")
    sender: Person
    to_recipients: list[Person]
    cc_recipients: list[Person]
    bcc_recipients: list[Person]
    reply_to: list[Person]
    received_date_time: str
    sent_date_time: str
    is_read: bool
    is_draft: bool
    importance: str
    flag: Flag
    categories: list[str]
    has_attachments: bool
    body_preview: str
    web_link: str
    body: Body


class Page(msgspec.Struct):
    value: list[Item]
    next_link: str | None = msgspec.field(name="@odata.nextLink", default=None)


def prepare(graph: str, database: str, folders: int) -> Work:
    """Return the loop over all pages of all folders of mailbox 1."""
    make_tables(tuned(create_engine(database)), folders)
    store, http = _STORES[make_url(database).get_backend_name()](database), urllib3.PoolManager()
    headers = {"Prefer": PREFER, "Authorization": f"Bearer {token_of(1)}"}
    decoder = msgspec.json.Decoder(Page)

    def work() -> None:
        for number in range(folders):
            link: str | None = f"{graph}/v1.0/me/mailFolders/{quote(folder_id(1, number))}/messages/delta"
            while link:
                page = decoder.decode(http.request("GET", link, headers=headers).data)
                store([row_of(item, number + 1) for item in page.value])
                link = page.next_link
        finish(database)

    return work


def row_of(item: Item, folder: int) -> tuple[Any, ...]:
    sent_from, sender, body = item.sent_from.email_address, item.sender.email_address, item.body
    return (
        *(1, folder, item.id, item.change_key, item.internet_message_id, item.conversation_id, item.subject),
        *(sent_from.name, sent_from.address, sender.name, sender.address, _recipients(item)),
        *(_moment(item.received_date_time), _moment(item.sent_date_time)),
        *(item.is_read, item.is_draft, item.importance, item.flag.flag_status, _json(item.categories)),
        *(item.has_attachments, item.body_preview, item.web_link, body.content_type, body.content),
    )


def _recipients(item: Item) -> str:
    kinds = (
        ("to", item.to_recipients),
        ("cc", item.cc_recipients),
        ("bcc", item.bcc_recipients),
        ("reply_to", item.reply_to),
    )
    return _json(
        [
            {"kind": kind, "name": person.email_address.name, "address": person.email_address.address}
            for kind, people in kinds
            for person in people
        ]
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _moment(text: str) -> str:
    """Return a point in time as SQLAlchemy has it stored; all three databases take it."""
    return f"{text[:10]} {text[11:19]}.000000"


def upsert(mark: str, new: str) -> str:
    """Return the statement that writes a message unless it is there unchanged."""
    marks = ", ".join([mark] * len(COLUMNS))
    changes = ", ".join(f"{name} = {new.format(name)}" for name in COLUMNS)
    statement = f"INSERT INTO ms365_message ({NAMES}) VALUES ({marks})"
    if "VALUES" in new:
        return f"{statement} ON DUPLICATE KEY UPDATE {changes}"
    unchanged = f"ms365_message.change_key <> {new.format('change_key')}"
    return f"{statement} ON CONFLICT (mailbox_id, graph_id) DO UPDATE SET {changes} WHERE {unchanged}"


def _sqlite(database: str) -> Store:
    connection = sqlite3.connect(make_url(database).database or "", isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    statement = upsert("?", "excluded.{}")

    def store(rows: Sequence[tuple[Any, ...]]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, rows)
        connection.execute("COMMIT")

    return store


def _postgresql(database: str) -> Store:
    import psycopg

    url = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg.connect(url, options="-c timezone=UTC")
    connection.execute("ALTER TABLE ms365_message ALTER body SET COMPRESSION lz4")
    connection.commit()
    return _with_cursor(connection, upsert("%s", "excluded.{}"))


def _mariadb(database: str) -> Store:
    import pymysql

    url = make_url(database)
    connection = pymysql.connect(host=url.host, port=url.port or 3306, user=url.username, database=url.database)
    return _with_cursor(connection, upsert("%s", "VALUES({})"))


def _with_cursor(connection: Any, statement: str) -> Store:
    cursor = connection.cursor()

    def store(rows: Sequence[tuple[Any, ...]]) -> None:
        cursor.executemany(statement, rows)
        connection.commit()

    return store


_STORES: dict[str, Callable[[str], Store]] = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}
