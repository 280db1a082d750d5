"""Look at many mailboxes at once. One with nothing new costs a request a folder, and a share of a few statements.

A look stores no mail. Whatever is new, unclear or in trouble is left to a run of its own, which goes on from the pages
that the look has read.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Row, bindparam, exists, not_, select, update

from flask_ms365.errors import MS365Error
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.models import Connection, Folder, Mailbox, SetAside, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.models.counts import add_counts
from flask_ms365.sync.folders import COMPARED_EVERY, LISTED_EVERY, FolderTree
from flask_ms365.sync.lease import IS_SHORT, Owners, claim_due, due_again, due_first, due_long, shared_now
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.sync.report import Result
from flask_ms365.sync.side_by_side import side_by_side
from flask_ms365.sync.since import has_gap, since_for
from flask_ms365.sync.tenants import Tenants

if TYPE_CHECKING:
    from flask_ms365.graph import GraphClient
    from flask_ms365.sync.reading import Following

AT_ONCE = 500  # mailboxes a look: one IN list
FOLDERS_AGE = timedelta(minutes=10)  # how old a list of folders may be before it is asked for again
_THREADS = 16  # requests in flight, of different mailboxes
_TRIED = 2  # alone, to see how soon answers come: the first may have to connect
_A_WHILE = 30.0  # seconds: the lease must hold until all is written

_MAILBOX = (
    Mailbox.id,
    Mailbox.address,
    Mailbox.upn,
    Mailbox.access,
    Mailbox.connection_id,
    Mailbox.fail_count,
    Mailbox.reads_new_folders,
    Mailbox.sync_from,
    Mailbox.folders_link,
    Mailbox.folders_asked_at,
    Mailbox.folders_listed_at,
)
_CONNECTION = (
    Connection.user_id,
    Connection.tid,
    Connection.oid,
    Connection.authority,
    Connection.access_token,
    Connection.expires_at,
    Connection.is_dead,
)
_FOLDER = (
    Folder.id,
    Folder.graph_id,
    Folder.parent_id,
    Folder.well_known_name,
    Folder.is_hidden,
    Folder.removed_at,
    Folder.selected,
    Folder.total_count,
    Folder.next_link,
    Folder.delta_link,
    Folder.since,
    Folder.page_size,
    Folder.checked_at,
    Folder.doubt,
    Folder.error_code,
)
_mailboxes: Any = Mailbox.__table__
_folders: Any = Folder.__table__


@dataclass(kw_only=True)
class Look:
    """What a look at one mailbox came to."""

    mailbox_id: int
    address: str = ""
    is_idle: bool = False
    # nobody looked: a long reading has its turn in any case
    is_long: bool = False
    # whether answers come so soon that threads are worth nothing
    is_near: bool = False
    # row id of a folder -> the page that followed its cursor
    pages: dict[int, Following] = field(default_factory=dict, repr=False)
    # row id of a folder -> the cursor to go on from, where it is another one
    moved: dict[int, str] = field(default_factory=dict, repr=False)
    # the folder tree's, where it was asked
    folders_link: str | None = field(default=None, repr=False)


@dataclass(kw_only=True)
class Poll:
    """Looks at the due mailboxes of one app, for the length of a tick."""

    session: AnySession
    clients: MailboxClients
    # as the settings were when the tick began
    registration: Callable[[], AppRegistration]
    clock: Callable[[], datetime]
    # from when on mail is wanted where people did not choose for a mailbox
    since: datetime | None
    # what this holds for needs a run in any case
    lacks_contents: ColumnElement[bool]
    interval: timedelta
    lease_seconds: int
    owners: Owners
    tenants: Tenants
    # the tenants whose mailboxes rest, and until when
    _held: Mapping[str, datetime] | None = field(default=None, init=False, repr=False)

    def due(self) -> list[Look]:
        """Look at mailboxes that are due and free, as many as a statement takes; write the idle ones as done."""
        with self.owners.name() as owner:
            return self._due(owner)

    def unlooked(self, limit: int) -> list[Look]:
        """Return what has a turn without a look: long readings, and a mailbox of each tenant that is to be tried."""
        now = shared_now(self.session, self.clock())
        held = self._read_held()
        long = due_long(self.session, now, limit=limit, where=self._apart_from(held))
        if long and (full := self.tenants.full(now)):
            long = due_long(self.session, now, limit=limit, where=self._apart_from([*held, *full]))
        tried = [
            due_first(self.session, now, where=self.tenants.have([tenant])) for tenant in held if held[tenant] <= now
        ]
        self.session.commit()
        looks = [Look(mailbox_id=mailbox_id) for mailbox_id in tried if mailbox_id is not None]
        return looks + [Look(mailbox_id=mailbox_id, is_long=True) for mailbox_id in long]

    def _due(self, owner: str) -> list[Look]:
        now = shared_now(self.session, self.clock())
        where = [IS_SHORT, *self._apart_from(self._read_held())]
        claimed = claim_due(self.session, owner=owner, seconds=self.lease_seconds, now=now, limit=AT_ONCE, where=where)
        if not claimed:
            return []
        looks: list[Look] = []
        try:
            looks = self._looks(*self._read(owner, claimed))
        finally:
            self._let_go(owner, claimed, [look for look in looks if look.is_idle], claimed_at=now)
        return looks

    def forget_held(self) -> None:
        """Read anew which tenants are held: what ran meanwhile may have changed it."""
        self._held = None

    def _read_held(self) -> Mapping[str, datetime]:
        if self._held is None:
            self._held = self.tenants.held()
        return self._held

    def _apart_from(self, tenants: Collection[str]) -> list[ColumnElement[bool]]:
        return [not_(self.tenants.have(tenants))] if tenants else []

    def _read(self, owner: str, ids: list[int]) -> tuple[Sequence[Row[Any]], Mapping[int, list[Row[Any]]]]:
        """Return the mailboxes that were claimed, and mailbox id -> the rows of its folders."""
        is_due = SetAside.next_try_at <= self.clock(), SetAside.skipped_at.is_(None)
        aside = exists().where(SetAside.mailbox_id == Mailbox.id, *is_due)
        mailboxes = (
            select(*_MAILBOX, *_CONNECTION, aside.label("has_aside"), self.lacks_contents.label("lacks_contents"))
            .outerjoin(Connection, Mailbox.connection_id == Connection.id)
            .where(Mailbox.id.in_(ids), Mailbox.lease_owner == owner)
        )
        rows: Any = self.session.execute(mailboxes).all()
        folders: Any = defaultdict(list)
        for folder in self.session.execute(select(Folder.mailbox_id, *_FOLDER).where(Folder.mailbox_id.in_(ids))):
            folders[folder.mailbox_id].append(folder)
        self.session.commit()  # no transaction is open while Graph is asked
        return rows, folders

    @cached_property
    def _registration(self) -> AppRegistration | None:
        """The app, as the settings were at the first look; None where they are not good enough to ask for anything."""
        try:
            return self.registration()
        except MS365Error:
            return None
        finally:
            self.session.commit()

    def _looks(self, rows: Sequence[Row[Any]], folders: Mapping[int, list[Row[Any]]]) -> list[Look]:
        until = time.monotonic() + _A_WHILE
        clients = self.clients.held(rows, self._registration) if self._registration else {}

        def look(row: Row[Any]) -> Look:
            result = Look(mailbox_id=row.id, address=row.address)
            selected = self._askable(row, folders.get(row.id, []))
            if selected and row.id in clients and time.monotonic() < until:
                self._ask(result, clients[row.id], row, selected)
            return result

        looks = [look(row) for row in rows[:_TRIED]]
        at_once = 1 if any(each.is_near for each in looks) else _THREADS
        return looks + side_by_side(look, rows[_TRIED:], at_once=at_once, name="ms365-look")

    def _askable(self, row: Row[Any], folders: Sequence[Any]) -> list[Any]:
        """Return the folders to ask; none where a run is due whatever they answer."""
        now = self.clock()
        is_listed = row.folders_listed_at is not None and now - row.folders_listed_at < LISTED_EVERY
        if row.has_aside or row.lacks_contents or row.fail_count or not is_listed or not row.folders_link:
            return []
        selected: list[Any] = FolderTree(folders, reads_new=row.reads_new_folders).selected
        since = since_for(row.sync_from, self.since)
        return selected if all(_is_at_rest(folder, since, now) for folder in selected) else []

    def _ask(self, look: Look, client: Callable[[], GraphClient], row: Row[Any], folders: Iterable[Any]) -> None:
        """Ask for what follows each cursor, until there is something new."""
        from flask_ms365.sync.reading import Following  # late, as all that brings Graph's client

        try:
            graph = client()
            if row.folders_asked_at is None or self.clock() - row.folders_asked_at >= FOLDERS_AGE:
                changes, look.folders_link = graph.folder_changes(row.folders_link)
                if changes:
                    return
            for folder in folders:
                page = graph.following(folder.delta_link, page_size=folder.page_size)
                look.pages[folder.id] = Following(cursor=folder.delta_link, page=page)
                if page.value or page.delta_link is None:
                    return
                if page.delta_link != folder.delta_link:
                    look.moved[folder.id] = page.delta_link
        except MS365Error:
            return  # a run meets it again, and knows what it means
        look.is_idle, look.is_near = True, graph.is_near()

    def _let_go(self, owner: str, claimed: list[int], idle: list[Look], *, claimed_at: datetime) -> None:
        """Let all go, and write that the idle ones are up to date."""
        now, shared = self.clock(), shared_now(self.session, self.clock())
        next_due_at = due_again(claimed_at + jittered(self.interval), claimed_at=claimed_at, now=shared)
        ours = update(Mailbox).where(Mailbox.lease_owner == owner)
        free: dict[str, Any] = {"lease_owner": None, "lease_expires_at": None}
        done = {"next_due_at": next_due_at, "last_success_at": now, "last_result": str(Result.DONE)}
        ids = [look.mailbox_id for look in idle]
        with write_transaction(self.session):
            self._move_cursors(owner, idle, now)
            if ids:
                kept = rows_changed(self.session, ours.where(Mailbox.id.in_(ids)).values(**free, **done))
                add_counts(self.session, {("fenced_writes", ""): len(ids) - kept}, at=now)
            if len(ids) < len(claimed):
                rows_changed(self.session, ours.where(Mailbox.id.in_(claimed)).values(free))

    def _move_cursors(self, owner: str, idle: list[Look], now: datetime) -> None:
        """Write cursors that moved although nothing was new: Microsoft forgets those that were not used for long."""
        listed = [{"mailbox": look.mailbox_id, "link": look.folders_link} for look in idle if look.folders_link]
        if listed:
            asked = update(_mailboxes).where(_mailboxes.c.id == bindparam("mailbox"), _mailboxes.c.lease_owner == owner)
            self.session.execute(asked.values(folders_link=bindparam("link"), folders_asked_at=now), listed)
        moved = [{"folder": key, "link": link} for look in idle for key, link in look.moved.items()]
        if moved:
            held = select(_mailboxes.c.id).where(_mailboxes.c.lease_owner == owner)
            ours = update(_folders).where(_folders.c.id == bindparam("folder"), _folders.c.mailbox_id.in_(held))
            self.session.execute(ours.values(delta_link=bindparam("link")), moved)


def jittered(interval: timedelta) -> timedelta:
    """Return about as much: what was due together should not stay so for ever."""
    return interval * random.uniform(0.9, 1.1)


def _is_at_rest(folder: Any, since: datetime | None, now: datetime) -> bool:
    """Tell whether nothing is to be done about a folder but to ask what is new."""
    is_read = folder.delta_link is not None and folder.next_link is None and not has_gap(folder.since, since)
    is_compared = folder.checked_at is not None and now - folder.checked_at < COMPARED_EVERY
    return is_read and is_compared and folder.doubt is None and folder.error_code is None
