"""A host's code against the public names. mypy checks this file; nobody runs it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from flask import Flask
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase

from flask_ms365 import (
    MS365,
    Change,
    Directory,
    DirectoryEntry,
    Effective,
    EmailSyncJob,
    HookStatus,
    Identity,
    JobHook,
    Permission,
    RunReport,
    TickReport,
    Trouble,
)
from flask_ms365.models import Mailbox, Message
from flask_ms365.simulator import Simulator


class Base(DeclarativeBase):
    pass


class OwnHook:
    """A hook needs no base class: the four methods are enough."""

    def register(self, job: EmailSyncJob) -> None:
        job.tick()

    def unregister(self, job: EmailSyncJob) -> None: ...

    def wake(self, mailbox_id: int | None = None) -> None: ...

    def status(self) -> HookStatus:
        return HookStatus(engine="own", is_registered=True)


class OwnDirectory:
    """Nor does a directory."""

    def names_of(self, user_ids: Collection[str]) -> dict[str, str]:
        return dict.fromkeys(user_ids, "Ana")

    def search(self, text: str) -> list[DirectoryEntry]:
        return [DirectoryEntry("ana", text)]

    def roles(self) -> tuple[DirectoryEntry, ...]:
        return (DirectoryEntry(id="desk", name="Service desk"),)

    def roles_of(self, user_id: str) -> set[str]:
        return {"desk"}


def may(permission: Permission) -> bool:
    return permission is Permission.OWN_MAILBOX


db = SQLAlchemy(model_class=Base)
hook: JobHook = OwnHook()
directory: Directory = OwnDirectory()
ms365 = MS365()
app = Flask(__name__)
ms365.init_app(app, db=db, authorize=may, current_user_id=lambda: "ana", directory=directory, job_hook=hook)


@ms365.process("Count")
def count(message: Message, options: dict[str, Any]) -> str:
    return f"{message.subject}: {options}"


@ms365.on_message
def note(message: Message, change: Change) -> None:
    subject: str | None = message.subject
    received: datetime | None = message.received_at
    if change is Change.CREATED:
        print(subject, received)


@ms365.on_trouble
def tell(trouble: Trouble) -> None:
    whom: tuple[str, ...] = trouble.user_ids
    print(whom, trouble.words, trouble.next_step, trouble.url, trouble.mailbox_id or trouble.address)


@ms365.sign_in
def take_in(identity: Identity) -> ResponseReturnValue | None:
    known: tuple[str, str] = (identity.tid, identity.oid)
    shown: str | None = identity.name or identity.upn
    return None if known else f"Hello {shown}"


@ms365.sign_in
def welcome(identity: Identity) -> str:
    return f"Hello {identity.oid}"


note(Message(), Change.MOVED)  # the decorator gives the function back as it was

with app.app_context():
    ticked: TickReport = ms365.tick()
    ran: RunReport = ms365.sync_mailbox(1)
    tenant: Effective = ms365.settings.effective("tenant_id")
    source: str = tenant.source
    links: list[tuple[str, str, bool, int | None]] = [
        (item.label, item.url, item.is_current, item.badge) for item in ms365.nav()
    ]
    sources: dict[str, list[str]] = ms365.csp_sources()
    mailbox: Mailbox | None = db.session.get(Mailbox, ran.mailbox_id)
    if mailbox is not None:
        newest: Message | None = db.session.scalars(mailbox.messages.select().limit(1)).first()

with Simulator() as simulator:
    url: str = simulator.url
