"""How a mailbox is, in one word for programs and in plain words for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from flask_ms365.models import Folder, Mailbox, Message
from flask_ms365.models.base import AnySession
from flask_ms365.sync.folders import read_tree
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.report import NEEDS_A_PERSON
from flask_ms365.words import Words

Kind = Literal["ok", "warn", "bad", "info"]

# state -> (words, kind)
WORDS: dict[str, tuple[str, Kind]] = {
    "sign_in_needed": (Words("Sign-in needed"), "bad"),
    "failed": (Words("Failed"), "bad"),
    "delete_failed": (Words("Could not be deleted"), "bad"),
    "waiting": (Words("Waiting"), "warn"),
    "syncing": (Words("Syncing"), "info"),
    "paused": (Words("Paused"), "warn"),
    "off": (Words("Emails sync is off"), "warn"),
    "never_synced": (Words("Never synced"), "info"),
    "up_to_date": (Words("Up to date"), "ok"),
    "deleting": (Words("Being deleted"), "info"),
    "disconnected": (Words("Not connected"), "info"),
}


@dataclass(frozen=True, kw_only=True)
class MailboxStatus:
    """A mailbox as its page and the command line show it; ``total_count`` is Microsoft's own figure."""

    id: int
    address: str
    state: str
    words: str
    kind: Kind
    message_count: int
    total_count: int
    connected_at: datetime
    last_success_at: datetime | None
    next_due_at: datetime
    error: str | None
    error_code: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what ``flask ms365 status --json`` prints."""
        return {
            "address": self.address,
            "state": self.state,
            "messages": self.message_count,
            "total": self.total_count,
            "last_success_at": self.last_success_at.isoformat() if self.last_success_at else None,
            "next_due_at": self.next_due_at.isoformat(),
            "error": self.error,
            "error_code": self.error_code,
        }


def status_of(session: AnySession, mailbox: Mailbox, *, is_on: bool, now: datetime) -> MailboxStatus:
    """Return how ``mailbox`` is; three statements."""
    selected = read_tree(session, mailbox.id).selected
    counted = select(func.count()).where(Message.mailbox_id == mailbox.id, Message.removed_at.is_(None))
    state = state_of(mailbox, is_on=is_on, now=now)
    words, kind = WORDS[state]
    return MailboxStatus(
        id=mailbox.id,
        address=mailbox.address,
        state=state,
        words=words,
        kind=kind,
        message_count=session.scalar(counted) or 0,
        total_count=sum(folder.total_count for folder in selected),
        connected_at=mailbox.created_at,
        last_success_at=mailbox.last_success_at,
        next_due_at=mailbox.next_due_at,
        error=mailbox.last_error,
        error_code=mailbox.last_error_code,
    )


def all_statuses(session: AnySession, *, is_on: bool, now: datetime) -> list[MailboxStatus]:
    """Return how every mailbox is, by address."""
    mailboxes = session.scalars(select(Mailbox).order_by(Mailbox.address)).all()
    return [status_of(session, mailbox, is_on=is_on, now=now) for mailbox in mailboxes]


def kept_mail(session: AnySession, user_id: str, *, is_on: bool, now: datetime) -> list[MailboxStatus]:
    """Return a person's own mailboxes that were disconnected: those whose mail is kept, and what is left of others."""
    mine = select(Mailbox).where(Mailbox.kind == "user", Mailbox.owner_id == user_id)
    mailboxes = session.scalars(mine.where(Mailbox.state.in_(DISCONNECTED)).order_by(Mailbox.address)).all()
    return [status_of(session, mailbox, is_on=is_on, now=now) for mailbox in mailboxes]


def folder_counts(session: AnySession, mailbox_ids: list[int]) -> list[tuple[Folder, int]]:
    """Return the folders that hold mail, with the number of messages in each."""
    counted = (
        select(Folder, func.count(Message.id))
        .join(Message, Message.folder_id == Folder.id)
        .where(Folder.mailbox_id.in_(mailbox_ids), Message.removed_at.is_(None))
        .group_by(Folder.id)
        .order_by(Folder.name)
    )
    return [(row[0], row[1]) for row in session.execute(counted)]


def state_of(mailbox: Mailbox, *, is_on: bool, now: datetime) -> str:
    """Return the worst that holds: people must see what needs them first."""
    if mailbox.state == "deleting" and mailbox.fail_count:
        return "delete_failed"
    if mailbox.state in ("sign_in_needed", "paused", *DISCONNECTED):
        return mailbox.state
    if not is_on:
        return "off"
    if mailbox.lease_expires_at is not None and mailbox.lease_expires_at > now:
        return "syncing"
    if mailbox.fail_count:
        return "failed" if mailbox.last_result in NEEDS_A_PERSON else "waiting"
    return "up_to_date" if mailbox.last_success_at else "never_synced"
