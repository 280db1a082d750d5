"""What people write without us: python-o365, or plain requests, into ORM rows, one commit a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.databases import finish, make_tables, usual_engine
from bench.fabricated import PAGE, folder_id
from bench.measured import Work
from bench.pages import token_of
from flask_ms365.models import Message

Rows = Iterable[dict[str, Any]]


def prepare_add_all(graph: str, database: str, folders: int) -> Work:
    """Plain requests; ``add_all`` of each page."""

    def store(session: Session, rows: Rows) -> None:
        session.add_all(Message(**row) for row in rows)
        session.commit()

    return _with_requests(graph, database, folders, store)


def prepare_select_each(graph: str, database: str, folders: int) -> Work:
    """Plain requests; each message is looked up, then changed or added."""

    def store(session: Session, rows: Rows) -> None:
        for row in rows:
            same = Message.mailbox_id == 1, Message.graph_id == row["graph_id"]
            message = session.scalar(select(Message).where(*same))
            if message is None:
                session.add(Message(**row))
            else:
                for name, value in row.items():
                    setattr(message, name, value)
        session.commit()

    return _with_requests(graph, database, folders, store)


def _with_requests(graph: str, database: str, folders: int, store: Callable[[Session, Rows], None]) -> Work:
    engine, http = usual_engine(database), requests.Session()
    make_tables(engine, folders)
    http.headers["Authorization"] = f"Bearer {token_of(1)}"

    def work() -> None:
        for number in range(folders):
            for page in _pages(http, f"{graph}/v1.0/me/mailFolders/{quote(folder_id(1, number))}/messages"):
                with Session(engine) as session:
                    store(session, (row_of_json(item, number + 1) for item in page))
        engine.dispose()
        finish(database)

    return work


def _pages(http: requests.Session, link: str | None) -> Iterator[list[dict[str, Any]]]:
    parameters: dict[str, str] | None = {"$top": str(PAGE)}
    while link:
        page = http.get(link, params=parameters, timeout=30).json()
        yield page["value"]
        link, parameters = page.get("@odata.nextLink"), None


def row_of_json(item: dict[str, Any], folder: int) -> dict[str, Any]:
    sent_from, sender = item["from"]["emailAddress"], item["sender"]["emailAddress"]
    kinds = {"to": "toRecipients", "cc": "ccRecipients", "bcc": "bccRecipients", "reply_to": "replyTo"}
    return {
        "mailbox_id": 1,
        "folder_id": folder,
        "graph_id": item["id"],
        "change_key": item["changeKey"],
        "internet_message_id": item["internetMessageId"],
        "conversation_id": item["conversationId"],
        "subject": item["subject"],
        "from_name": sent_from["name"],
        "from_address": sent_from["address"],
        "sender_name": sender["name"],
        "sender_address": sender["address"],
        "recipients": [
            {"kind": kind, **person["emailAddress"]} for kind, name in kinds.items() for person in item[name]
        ],
        "received_at": _moment(item["receivedDateTime"]),
        "sent_at": _moment(item["sentDateTime"]),
        "is_read": item["isRead"],
        "is_draft": item["isDraft"],
        "importance": item["importance"],
        "flag_status": item["flag"]["flagStatus"],
        "categories": item["categories"],
        "has_attachments": item["hasAttachments"],
        "preview": item["bodyPreview"],
        "web_link": item["webLink"],
        "body_content_type": item["body"]["contentType"],
        "body": item["body"]["content"],
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def prepare_o365(graph: str, database: str, folders: int) -> Work:
    """python-o365 as its README says, without the wait between requests."""
    from O365 import Account, MSGraphProtocol
    from O365.utils import BaseTokenBackend

    class Tokens(BaseTokenBackend):  # type: ignore[misc]
        def load_token(self) -> bool:
            return True

        def get_access_token(self, *, username: str | None = None) -> dict[str, str]:
            return {"secret": token_of(1), "expires_on": "9999999999"}

    class Protocol(MSGraphProtocol):  # type: ignore[misc]
        _protocol_url = f"{graph}/"

    account = Account(("client", "secret"), protocol=Protocol(), token_backend=Tokens(), requests_delay=0)
    engine = usual_engine(database)
    make_tables(engine, folders)

    def work() -> None:
        for number in range(folders):
            folder = account.mailbox().get_folder(folder_id=folder_id(1, number))
            with Session(engine) as session:
                for count, message in enumerate(folder.get_messages(limit=None, batch=PAGE), 1):
                    session.add(Message(**_o365_row(message, number + 1)))
                    if count % PAGE == 0:
                        session.commit()
                session.commit()
        engine.dispose()
        finish(database)

    return work


def _o365_row(message: Any, folder: int) -> dict[str, Any]:
    kinds = {"to": message.to, "cc": message.cc, "bcc": message.bcc, "reply_to": message.reply_to}
    return {
        "mailbox_id": 1,
        "folder_id": folder,
        "graph_id": message.object_id,
        "change_key": None,  # it keeps none
        "internet_message_id": message.internet_message_id,
        "conversation_id": message.conversation_id,
        "subject": message.subject,
        "from_name": message.sender.name,
        "from_address": message.sender.address,
        "sender_name": message.sender.name,
        "sender_address": message.sender.address,
        "recipients": [
            {"kind": kind, "name": person.name, "address": person.address}
            for kind, people in kinds.items()
            for person in people
        ],
        "received_at": message.received,
        "sent_at": message.sent,
        "is_read": message.is_read,
        "is_draft": message.is_draft,
        "importance": message.importance.value,
        "flag_status": message.flag.status.value,
        "categories": message.categories,
        "has_attachments": message.has_attachments,
        "preview": message.body_preview,
        "web_link": message.web_link,
        "body_content_type": message.body_type,
        "body": message.body,
    }
