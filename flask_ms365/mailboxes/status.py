"""How a mailbox is, in one word for programs and in plain words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select

from flask_ms365.mailboxes.doubts import Doubt
from flask_ms365.mailboxes.overdue import is_overdue, overdue_before
from flask_ms365.mailboxes.progress import Progress, chosen_readings, folder_rows, measured
from flask_ms365.mailboxes.set_aside import ABSENT, UNKNOWN
from flask_ms365.models import Folder, Mailbox, Message, SetAside
from flask_ms365.models.base import AnySession
from flask_ms365.models.mail import ASKED
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.report import NEEDS_A_PERSON, Result
from flask_ms365.words import Words, counted

Kind = Literal["ok", "warn", "bad", "info"]


def _count_in_folder(column: Any, *conditions: Any) -> Any:
    return select(func.count()).where(column == Folder.id, *conditions).correlate(Folder).scalar_subquery()


# how many messages of a folder are stored, how many are set aside and tried again, and how many a person gave up
_COUNTS = (
    _count_in_folder(Message.folder_id, Message.removed_at.is_(None)).label("stored"),
    _count_in_folder(SetAside.folder_id, SetAside.skipped_at.is_(None)).label("set_aside"),
    _count_in_folder(SetAside.folder_id, SetAside.skipped_at.is_not(None)).label("skipped"),
)

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

_DENIED = Words("Microsoft does not let this app read it.")
_UNREADABLE = {
    "ErrorAccessDenied": _DENIED,
    "accessDenied": _DENIED,
    "ErrorItemNotFound": ABSENT,
    "ErrorFolderNotFound": ABSENT,
    "itemNotFound": ABSENT,
}


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A folder that Microsoft did not let us read the last time, and why."""

    name: str
    code: str

    @property
    def words(self) -> Words:
        """What the code means."""
        return _UNREADABLE.get(self.code, UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class MailboxStatus:
    """A mailbox as its page and the command line show it; what it says of Microsoft's side is what was last heard."""

    id: int
    address: str
    state: str
    words: str
    kind: Kind
    message_count: int
    progress: Progress
    doubts: Sequence[Doubt]
    unreadable: Sequence[Unreadable]
    set_aside_count: int
    # given up by a person, and not among those
    skipped_count: int = 0
    # of the messages, those of folders that are not read any more
    kept_count: int = 0
    connected_at: datetime
    last_success_at: datetime | None
    next_due_at: datetime
    error: str | None
    error_code: str | None
    is_overdue: bool
    # what its messages and stored attachments take; None until it was measured
    stored_bytes: int | None = None
    # all folders, as rows of progress.py, and how many messages of each are stored
    folders: Sequence[Any] = ()
    stored: Mapping[int, int] = field(default_factory=dict)

    @property
    def needs_a_person(self) -> bool:
        """Whether it does not go on, or has not for long, or not with all of its folders."""
        return self.kind == "bad" or self.is_overdue or bool(self.doubts)

    @property
    def set_aside_words(self) -> Words:
        """How many messages are set aside, and that this stops nothing."""
        return counted(
            "%(count)s message could not be read or stored. It is tried again, and holds up no other.",
            "%(count)s messages could not be read or stored. They are tried again, and hold up no others.",
            self.set_aside_count,
        )

    @property
    def skipped_words(self) -> Words:
        """How many messages a person has given up."""
        return counted(
            "%(count)s message was skipped. It is not tried again, unless it changes in the mailbox.",
            "%(count)s messages were skipped. They are not tried again, unless they change in the mailbox.",
            self.skipped_count,
        )

    def as_json(self) -> dict[str, Any]:
        """Return what ``flask ms365 status --json`` prints."""
        return {
            "address": self.address,
            "state": self.state,
            "messages": self.message_count,
            "stored_bytes": self.stored_bytes,
            **self.progress.as_json(),
            "doubts": [{"folder": doubt.name, "messages": doubt.stored} for doubt in self.doubts],
            "unreadable": [{"folder": folder.name, "error_code": folder.code} for folder in self.unreadable],
            "set_aside": self.set_aside_count,
            "last_success_at": _as_text(self.last_success_at),
            "next_due_at": _as_text(self.next_due_at),
            "error": self.error,
            "error_code": self.error_code,
            "overdue": self.is_overdue,
        }


def status_of(session: AnySession, mailbox: Mailbox, *, settings: Snapshot, now: datetime) -> MailboxStatus:
    """Return how ``mailbox`` is; one statement."""
    return statuses_of(session, [mailbox], settings=settings, now=now)[0]


def statuses_of(
    session: AnySession, mailboxes: Sequence[Mailbox], *, settings: Snapshot, now: datetime
) -> list[MailboxStatus]:
    """Return how each of ``mailboxes`` is; one statement for any number of them."""
    ids = [mailbox.id for mailbox in mailboxes]
    if not ids:
        return []
    is_on, limit = settings.is_sync_on, overdue_before(settings, now)
    folders = folder_rows(session, ids, *_COUNTS)
    return [
        _status(
            mailbox,
            state=state_of(mailbox, is_on=is_on, now=now),
            is_overdue=is_overdue(mailbox, limit),
            folders=folders[mailbox.id],
        )
        for mailbox in mailboxes
    ]


def _status(
    mailbox: Mailbox,
    *,
    state: str,
    is_overdue: bool,
    folders: list[Any],
) -> MailboxStatus:
    words, kind = WORDS[state]
    read = chosen_readings(folders)
    chosen = [reading.folder for reading in read]
    stored = {folder.id: folder.stored for folder in folders}
    return MailboxStatus(
        id=mailbox.id,
        address=mailbox.address,
        state=state,
        words=words,
        kind=kind,
        message_count=sum(stored.values()),
        progress=measured(read),
        doubts=[
            Doubt(folder_id=folder.id, name=folder.name, stored=stored.get(folder.id, 0))
            for folder in chosen
            if folder.doubt == ASKED
        ],
        unreadable=[Unreadable(name=folder.name, code=folder.error_code) for folder in chosen if folder.error_code],
        set_aside_count=sum(folder.set_aside for folder in folders),
        skipped_count=sum(folder.skipped for folder in folders),
        kept_count=sum(stored.values()) - sum(folder.stored for folder in chosen),
        connected_at=mailbox.created_at,
        last_success_at=mailbox.last_success_at,
        next_due_at=mailbox.next_due_at,
        error=mailbox.last_error,
        error_code=mailbox.last_error_code,
        is_overdue=is_overdue,
        stored_bytes=mailbox.stored_bytes,
        folders=folders,
        stored=stored,
    )


def all_statuses(session: AnySession, *, settings: Snapshot, now: datetime) -> list[MailboxStatus]:
    """Return how every mailbox is, by address."""
    mailboxes = session.scalars(select(Mailbox).order_by(Mailbox.address)).all()
    return statuses_of(session, mailboxes, settings=settings, now=now)


def kept_mail(session: AnySession, user_id: str, *, settings: Snapshot, now: datetime) -> list[MailboxStatus]:
    """Return a person's own mailboxes that were disconnected: those whose mail is kept, and what is left of others."""
    mine = select(Mailbox).where(Mailbox.kind == "user", Mailbox.owner_id == user_id)
    mailboxes = session.scalars(mine.where(Mailbox.state.in_(DISCONNECTED)).order_by(Mailbox.address)).all()
    return statuses_of(session, mailboxes, settings=settings, now=now)


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
    if mailbox.last_result == Result.UNDER_WAY:  # it waits for its next turn
        return "syncing"
    return "up_to_date" if mailbox.last_success_at else "never_synced"


def _as_text(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
