"""A mailbox that is synced, and what people choose for it: folders by their names, and a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from flask_ms365.mailboxes.choices import Choice
from flask_ms365.models import Folder, Mailbox, Message
from flask_ms365.sync.folders import read_tree
from tests.conftest import Host
from tests.sync.conftest import Synced


def choose(
    synced: Synced,
    read: Iterable[str] | None = None,
    *,
    reads_new: bool | None = None,
    sync_from: datetime | None = None,
    shown: Iterable[str] | None = None,
) -> bool:
    """Choose the folders of these names, of those that were shown (all); what is left out stays, but for the day."""
    with synced.host.app.app_context():
        state = synced.host.app.extensions["ms365.state"]
        mailbox = synced.session.scalars(select(Mailbox)).first()
        listed = {
            folder.name: folder.id
            for folder in synced.session.scalars(select(Folder).where(Folder.mailbox_id == mailbox.id))
        }
        choice = Choice(
            reads_new=mailbox.reads_new_folders if reads_new is None else reads_new,
            shown=set() if read is None else {listed[name] for name in shown or listed},
            ticked={listed[name] for name in read or ()},
            sync_from=sync_from,
        )
        return bool(state.choices.save(mailbox.id, choice, actor="ana"))


def read_names(synced: Synced) -> set[str]:
    """Return the names of the folders that are read now."""
    with synced.host.app.app_context():
        return {folder.name for folder in read_tree(synced.session, mailbox_id(synced.host)).selected}


def mailbox_id(host: Host) -> int:
    with host.app.app_context():
        return int(host.app.extensions["sqlalchemy"].session.scalars(select(Mailbox.id).order_by(Mailbox.id)).first())


def row(host: Host) -> Any:
    """Return the row of the first mailbox."""
    with host.app.app_context():
        return host.app.extensions["sqlalchemy"].session.scalars(select(Mailbox).order_by(Mailbox.id)).first()


def folder_id(host: Host, name: str) -> int:
    with host.app.app_context():
        wanted = select(Folder.id).where(Folder.name == name).order_by(Folder.id)
        return int(host.app.extensions["sqlalchemy"].session.scalars(wanted).first())


def stored(synced: Synced) -> list[str]:
    """Return the subjects of all messages that are here and not removed."""
    with synced.host.app.app_context():
        live = select(Message.subject).where(Message.removed_at.is_(None)).order_by(Message.subject)
        return list(synced.session.scalars(live))
