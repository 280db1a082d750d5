"""What people choose for a mailbox: which folders are read, and from when on. Nothing that is stored is lost by it."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select

from flask_ms365.errors import MS365Error
from flask_ms365.mailboxes.pausing import locked, record
from flask_ms365.models import Folder, Mailbox, Message, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.sync.folders import FolderTree, read_tree
from flask_ms365.sync.lease import RUNNABLE, Lease, claim, hurry, release, shared_now, take_away
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.words import Words

# the names that people know come first
_FIRST = ("inbox", "sentitems", "archive", "drafts", "outbox", "junkemail", "deleteditems")
_LISTING_SECONDS = 60


class NothingRead(MS365Error):
    """A choice that leaves no folder to read."""

    message = Words("At least one folder must be read.")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What somebody wants: of the folders that they were shown, those that they ticked, and whether others are read.

    ``sync_from`` is from when on mail is read: None as the settings say, ``ALL_MAIL`` for all.
    """

    reads_new: bool
    shown: Collection[int]
    ticked: Collection[int]
    sync_from: datetime | None


@dataclass(frozen=True, kw_only=True)
class ShownFolder:
    """A folder as the page shows it, with those below it; ``stored`` of ``total`` messages are here."""

    id: int
    name: str
    is_hidden: bool
    is_read: bool
    is_being_deleted: bool
    stored: int
    total: int
    below: Sequence[ShownFolder]


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many messages there are at Microsoft's in the chosen folders since then (None: at all), and how many here."""

    since: datetime | None
    total: int
    stored: int


@dataclass(kw_only=True)
class Choices:
    """What people choose for the mailboxes of one app."""

    session: AnySession
    clients: MailboxClients
    clock: Callable[[], datetime]

    def folders(self, mailbox_id: int) -> list[ShownFolder]:
        """Return the folders at the top as they were last listed, those first that people know; two statements."""
        tree = read_tree(self.session, mailbox_id)
        stored = select(Message.folder_id, func.count()).where(_is_live(mailbox_id)).group_by(Message.folder_id)
        counts = {row[0]: row[1] for row in self.session.execute(stored)}
        listed = [folder for folder in tree.rows if folder.removed_at is None]
        ids = {folder.id for folder in listed}
        below: dict[int | None, list[Folder]] = defaultdict(list)
        for folder in listed:
            below[folder.parent_id if folder.parent_id in ids else None].append(folder)
        return _shown(None, below, tree, counts)

    def stored(self, mailbox_id: int) -> int:
        """Return how many messages of a mailbox are here."""
        return self.session.scalar(select(func.count()).where(_is_live(mailbox_id))) or 0

    def save(self, mailbox_id: int, choice: Choice, *, actor: str | None) -> bool:
        """Keep what somebody chose; return False where nothing has changed. Raise :exc:`NothingRead`.

        It holds from now on: a sync under way stores nothing more, and the next one begins at once.
        """
        with write_transaction(self.session):
            mailbox = locked(self.session, mailbox_id)
            if mailbox is None:
                return False
            changes = {
                "mailbox.folders_chosen": _choose_folders(self.session, mailbox, choice),
                "mailbox.sync_from_chosen": _choose_since(mailbox, choice.sync_from),
            }
            made = {action: detail for action, detail in changes.items() if detail}
            for action, detail in made.items():
                record(self.session, action, mailbox, at=self.clock(), actor=actor, **detail)
            if made:
                self.session.flush()
                take_away(self.session, mailbox.id)
                hurry(self.session, mailbox.id, self.clock())
        return bool(made)

    def count(self, mailbox_id: int, choice: Choice, since: datetime | None) -> Count:
        """Ask Microsoft how many messages the chosen folders hold since then; raise an :exc:`MS365Error`."""
        tree = read_tree(self.session, mailbox_id)
        for folder in tree.rows:
            folder.selected = _selected(folder, tree, choice) if folder.id in choice.shown else folder.selected
        chosen = FolderTree(tree.rows, reads_new=choice.reads_new).selected
        live = select(func.count()).where(_is_live(mailbox_id), Message.folder_id.in_([folder.id for folder in chosen]))
        stored = self.session.scalar(live.where(Message.received_at >= since) if since else live)
        graph = self.clients.of(mailbox_id, is_probe=True)
        counts = graph.counts([folder.graph_id for folder in chosen], since)
        return Count(since=since, total=sum(counts.values()), stored=stored or 0)

    def list_folders(self, mailbox_id: int) -> bool:
        """Ask Microsoft for the folders; return False where a sync is at it, or waits after a failure.

        Raise an :exc:`MS365Error`.
        """
        from flask_ms365.sync.listing import FolderListing  # late, as all that brings Graph's client

        graph = self.clients.of(mailbox_id, is_probe=True)
        with self._held(mailbox_id) as lease:
            if lease is None:
                return False
            listing = FolderListing(self.session, graph, lease, check_toggle=lambda: None, clock=self.clock)
            listing.up_to_date(timedelta(0))
        return True

    @contextmanager
    def _held(self, mailbox_id: int) -> Iterator[Lease | None]:
        """Hold the mailbox for the block, also one that is paused: people choose before anything is read."""
        now, owner = shared_now(self.session, self.clock()), secrets.token_hex(16)
        states = (*RUNNABLE, "paused")
        given: dict[str, Any] = {"owner": owner, "seconds": _LISTING_SECONDS, "now": now, "only_due": False}
        lease = claim(self.session, mailbox_id, **given, states=states)
        try:
            yield lease
        finally:
            if lease is not None:
                with write_transaction(self.session):
                    release(self.session, lease)


def _is_live(mailbox_id: int) -> ColumnElement[bool]:
    is_live: ColumnElement[bool] = (Message.mailbox_id == mailbox_id) & Message.removed_at.is_(None)
    return is_live


def _shown(
    parent_id: int | None, below: Mapping[int | None, Sequence[Folder]], tree: FolderTree, counts: Mapping[int, int]
) -> list[ShownFolder]:
    return [
        ShownFolder(
            id=folder.id,
            name=folder.name,
            is_hidden=folder.is_hidden,
            is_read=tree.is_selected(folder),
            is_being_deleted=folder.deleted_to is not None,
            stored=counts.get(folder.id, 0),
            total=folder.total_count,
            below=_shown(folder.id, below, tree, counts),
        )
        for folder in sorted(below[parent_id], key=_place)
    ]


def _place(folder: Folder) -> tuple[int, str]:
    known = folder.well_known_name in _FIRST
    return (_FIRST.index(folder.well_known_name or "") if known else len(_FIRST), folder.name.casefold())


def _choose_folders(session: AnySession, mailbox: Mailbox, choice: Choice) -> dict[str, Any]:
    """Within a transaction: keep which folders are read; return what the audit log says, nothing without a change.

    It does not name them: admins read it, and what people call their folders is their own affair.
    """
    rows = list(session.scalars(select(Folder).where(Folder.mailbox_id == mailbox.id)))
    before = FolderTree(rows, reads_new=mailbox.reads_new_folders)
    was_read, was_chosen = {row.id for row in before.selected}, {row.id: row.selected for row in rows}
    wanted = {row.id: _selected(row, before, choice) for row in rows if row.id in choice.shown}
    for row in rows:
        row.selected = wanted.get(row.id, row.selected)
    is_read = {row.id for row in FolderTree(rows, reads_new=choice.reads_new).selected}
    if rows and not is_read:
        raise NothingRead
    for row in rows:
        if row.id in is_read:  # what is still to be deleted of it stays
            row.deleted_to = None
    is_same = was_chosen == {row.id: row.selected for row in rows} and mailbox.reads_new_folders == choice.reads_new
    mailbox.reads_new_folders = choice.reads_new
    told = {"reads_new": choice.reads_new, "added": len(is_read - was_read), "dropped": len(was_read - is_read)}
    return {} if is_same else told


def _selected(folder: Folder, before: FolderTree, choice: Choice) -> bool | None:
    """Return what a folder that was shown is to say; None where it follows the mailbox, wherever Outlook moves it."""
    is_ticked = folder.id in choice.ticked
    if not choice.reads_new:
        return is_ticked
    if before.is_aside(folder):
        return True if is_ticked else None
    # *all folders*, chosen just now, are also those that were not ticked until then
    is_all_now = not before.reads_new and not before.is_selected(folder)
    return None if is_ticked or is_all_now else False


def _choose_since(mailbox: Mailbox, sync_from: datetime | None) -> dict[str, Any]:
    """Within a transaction: keep from when on mail is read; return what the audit log says, if anything."""
    before, mailbox.sync_from = mailbox.sync_from, sync_from
    return {} if before == sync_from else {"old": _as_text(before), "new": _as_text(sync_from)}


def _as_text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
