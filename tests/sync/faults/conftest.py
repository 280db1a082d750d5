"""What the tests of faults share: something that happens while mail is being stored, and a look at the rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from flask_ms365 import Change
from flask_ms365.models import Folder, Message, SetAside
from flask_ms365.signals import message_synced
from tests.sync.conftest import Synced

# for what does not depend on the database
on_sqlite = pytest.mark.parametrize("synced", ["sqlite"], indirect=True)
# for what only a server does
on_servers = pytest.mark.parametrize(
    "synced",
    [pytest.param(name, marks=pytest.mark.service) for name in ("postgresql", "mariadb")],
    indirect=True,
)

TREE = r"/mailFolders/delta$"


class Row(NamedTuple):
    """What a message is known by, and whether it is still there."""

    id: int
    graph_id: str
    removed_at: datetime | None


def rows(synced: Synced) -> dict[str | None, Row]:
    """Return subject -> row, removed ones too; no two may have one subject."""
    with synced.host.app.app_context():
        found = synced.session.execute(select(Message.subject, Message.id, Message.graph_id, Message.removed_at)).all()
    result = {subject: Row(*rest) for subject, *rest in found}
    assert len(result) == len(found)
    return result


def set_aside(synced: Synced) -> dict[str, str]:
    """Return Graph id -> code of what could not be stored."""
    with synced.host.app.app_context():
        return dict(synced.session.execute(select(SetAside.graph_id, SetAside.code)).all())


def folder_of(synced: Synced, name: str) -> Folder:
    """Return a folder's row."""
    with synced.host.app.app_context():
        folder: Folder = synced.session.scalars(select(Folder).where(Folder.name == name)).one()
        return folder


def in_mid_sync(synced: Synced, act: Callable[[], object], *, at: int = 1) -> None:
    """Let something happen once, while message number ``at`` is being stored."""
    told: list[str | None] = []

    @synced.host.ms365.on_message
    def happen(message: Message, change: Change) -> None:
        told.append(message.subject)
        if len(told) == at:
            act()


def between_pages(synced: Synced, act: Callable[[], object], *, at: int = 1) -> None:
    """Let something happen once, right after message number ``at`` was committed; no transaction is open then."""
    told: list[int] = []

    def happen(_app: object, message_id: int, change: Change) -> None:
        told.append(message_id)
        if len(told) == at:
            act()

    message_synced.connect(happen, synced.host.app, weak=False)


def deliver(synced: Synced, count: int, folder: str = "inbox", *, first: int = 0) -> list[str]:
    """Deliver so many plain messages, numbered from ``first``, to be read in pages of two."""
    synced.mailbox.max_page_size = 2
    numbers = range(first, first + count)
    return [synced.mailbox.deliver(subject=f"{folder} {n}", text="x", folder=folder) for n in numbers]


def page(*items: dict[str, Any], next_link: str = "", delta_link: str = "") -> dict[str, Any]:
    """Write a page of a delta."""
    links = {"@odata.nextLink": next_link, "@odata.deltaLink": delta_link}
    return {"value": list(items), **{name: link for name, link in links.items() if link}}


def removal(graph_id: str) -> dict[str, Any]:
    """Write what a delta says of a message that is gone."""
    return {"id": graph_id, "@removed": {"reason": "deleted"}}


def refusal(code: str) -> dict[str, Any]:
    """Write Graph's error body."""
    return {"error": {"code": code, "message": "No."}}


def delta_of(synced: Synced, folder: str = "inbox") -> str:
    """Return the pattern of every path of a folder's message delta."""
    return re.escape(synced.mailbox.folders.find(folder).id) + r".*/messages/delta$"


def first_page(synced: Synced, folder: str = "inbox") -> str:
    """Return the address that a folder's delta begins at."""
    folder_id = synced.mailbox.folders.find(folder).id
    return f"{synced.simulator.url}/v1.0/me/mailFolders('{folder_id}')/messages/delta"
