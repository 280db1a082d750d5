"""What the tests of the pages share: a visitor, the settings page as people fill it in, and mail to read."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from flask_ms365 import simulator
from flask_ms365.models import Folder, Mailbox, Message, Setting
from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.door import Door, door_of

SETTINGS = "/ms365/settings"
SECRET = "canary8Q~never.shown_anywhere-at.all"
# what an admin types who has just registered an app in Entra
FILLED_IN = {
    "client_id-value": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c",
    "client_secret-value": SECRET,
    "tenant_id-value": "contoso.com",
}

AddMessage = Callable[..., int]
Deliver = Callable[..., int]


@pytest.fixture
def visitor(host: Host) -> Visitor:
    """Return the browser of someone who may do everything."""
    return host.visitor()


@pytest.fixture
def add_message(host: Host) -> AddMessage:
    """Return a function that puts a message into somebody's mailbox, Ana's unless told, and returns its id."""

    def add(*, owner_id: str | None = "ana", kind: str = "user", folder: str = "Inbox", **fields: Any) -> int:
        with host.app.app_context():
            session, now = host.app.extensions["sqlalchemy"].session, datetime.now(timezone.utc)
            address = f"{owner_id or 'team'}@contoso.com"
            mailbox = session.scalar(select(Mailbox).where(Mailbox.address == address))
            if mailbox is None:
                mailbox = Mailbox(kind=kind, owner_id=owner_id, address=address, created_at=now, next_due_at=now)
                session.add(mailbox)
                session.flush()
            known = select(Folder.id).where(Folder.mailbox_id == mailbox.id, Folder.name == folder)
            if (folder_id := session.scalar(known)) is None:
                session.add(Folder(mailbox_id=mailbox.id, graph_id=folder.lower(), name=folder))
                session.flush()
                folder_id = session.scalar(known)
            given = {"graph_id": uuid4().hex, "recipients": [], "categories": [], **fields}
            message = Message(mailbox_id=mailbox.id, folder_id=folder_id, **given)
            session.add(message)
            session.commit()
            return int(message.id)

    return add


@pytest.fixture
def deliver(connected: Host, mailbox: simulator.Mailbox) -> Deliver:
    """Return a function that lets a message come to Ana, and a sync read it; it returns the message's id."""

    def deliver(**mail: Any) -> int:
        graph_id = mailbox.deliver(**mail)
        with connected.app.app_context():
            session = connected.app.extensions["sqlalchemy"].session
            connected.ms365.sync_mailbox(session.scalar(select(Mailbox.id)))
            return int(session.scalars(select(Message.id).where(Message.graph_id == graph_id)).one())

    return deliver


@pytest.fixture
def door(configured: Host) -> Door:
    """Return a host that lets the people of its own tenant in."""
    door = door_of(configured)
    door.save(sign_in="1")
    return door


def stored(host: Host) -> dict[str, str | None]:
    """Return the overrides as they are in the database, secrets sealed."""
    with host.app.app_context():
        rows = host.app.extensions["sqlalchemy"].session.scalars(select(Setting))
        return {row.key: row.sealed or row.value for row in rows}


def words(page: str, pattern: str) -> str:
    """Return the text inside the first match of ``pattern``, without tags and line breaks; empty without a match."""
    match = re.search(pattern, page, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", match[1])).split()) if match else ""


def main(page: str) -> str:
    """Return what a page says below its heading, and in it."""
    return words(page, r"<h1(.*)")


def error_beside(page: str, key: str) -> str:
    """Return what a page says is wrong with one setting."""
    return words(page, rf'id="{key}-value-error">(.*?)</div>')


def redirect_uri_on(page: str) -> str:
    """Return the redirect URI that a page shows."""
    return words(page, r'<code [^>]*id="ms365-redirect-uri"[^>]*>(.*?)</code>')
