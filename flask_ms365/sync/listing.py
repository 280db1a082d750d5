"""The folder tree of a mailbox, brought up to date: by what changed, and once a day by all that there is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import UNSET
from sqlalchemy import select

from flask_ms365.errors import DeltaExpired, Unavailable
from flask_ms365.graph import FolderData, GraphClient
from flask_ms365.models import Folder, Mailbox, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.sync.folders import LISTED_EVERY, FolderTree, read_tree
from flask_ms365.sync.lease import Lease, renew
from flask_ms365.words import Words

# the names that Graph gives in every language; resolved once a mailbox
WELL_KNOWN = (
    "inbox",
    "sentitems",
    "drafts",
    "deleteditems",
    "junkemail",
    "outbox",
    "archive",
    "conversationhistory",
    "recoverableitemsdeletions",
    "syncissues",
)


class FolderListing:
    """Keeps the rows of one mailbox's folders up to date, under its lease."""

    def __init__(
        self,
        session: AnySession,
        graph: GraphClient,
        lease: Lease,
        *,
        check_toggle: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._graph = graph
        self._lease = lease
        self._check_toggle = check_toggle
        self._clock = clock

    def up_to_date(self, max_age: timedelta) -> FolderTree:
        """Return the tree, asked anew where it was last asked longer ago."""
        link, asked_at, listed_at = self._session.execute(
            select(Mailbox.folders_link, Mailbox.folders_asked_at, Mailbox.folders_listed_at).where(
                Mailbox.id == self._lease.mailbox_id
            )
        ).one()
        self._session.commit()
        now = self._clock()
        if listed_at is None or now - listed_at >= LISTED_EVERY or not link:
            return self._list_all()
        if asked_at is None or now - asked_at >= max_age:
            return self._follow(link)
        return self._tree()

    def _list_all(self) -> FolderTree:
        """List every folder: a delta does not tell of one that was made anew under the name of a deleted one."""
        try:
            changes, link = self._graph.folder_changes(None)
        except DeltaExpired as exc:  # between two of its pages: the next run lists anew, and nobody need be told
            raise Unavailable(status=exc.status, code=exc.code) from None
        told = [folder for folder in changes if folder.removed is None]
        listed = {folder.id: folder for folder in [*told, *self._graph.all_folders()] if not folder.is_search}
        before = self._tree()
        if before.rows and not listed:
            raise Unavailable(Words("Microsoft Graph listed no folder at all of this mailbox."), code="noFolders")
        has_names = any(folder.well_known_name for folder in before.rows)
        names = {} if has_names else self._graph.well_known_folders(WELL_KNOWN)
        return self._write(listed, names, link, is_whole=True)

    def _follow(self, link: str) -> FolderTree:
        """Write what changed; list all where that leaves anything open."""
        try:
            changes, next_time = self._graph.folder_changes(link)
        except DeltaExpired:
            return self._list_all()
        known = {folder.graph_id for folder in self._tree().rows}
        changed = {folder.id: folder for folder in changes if not folder.is_search}
        if any(folder.removed is not None or _is_unclear(folder, known) for folder in changed.values()):
            return self._list_all()
        return self._write(changed, {}, next_time, is_whole=False)

    def _write(
        self, listed: Mapping[str, FolderData], names: Mapping[str, str], link: str, *, is_whole: bool
    ) -> FolderTree:
        now = self._clock()
        asked = {"folders_link": link or None, "folders_asked_at": now} | (
            {"folders_listed_at": now} if is_whole else {}
        )
        with write_transaction(self._session):
            renew(self._session, self._lease, now, **asked)
            self._check_toggle()
            rows = _write_folders(self._session, self._lease.mailbox_id, listed, names)
            if is_whole:
                _let_go([row for key, row in rows.items() if key not in listed and row.removed_at is None], now)
        return self._tree()

    def _tree(self) -> FolderTree:
        tree = read_tree(self._session, self._lease.mailbox_id)
        self._session.commit()
        return tree


def _let_go(rows: Iterable[Folder], now: datetime) -> None:
    """Mark folders that are no longer listed. Should one come back, it is read anew and what it lost is confirmed."""
    for row in rows:
        row.removed_at = now
        row.next_link = row.delta_link = row.fresh_link = row.check_link = None
        row.round += 1


def _is_unclear(folder: FolderData, known: Collection[str]) -> bool:
    """Tell whether a folder is new, but not said in full."""
    return folder.id not in known and (folder.display_name is UNSET or folder.parent_folder_id is UNSET)


def _write_folders(
    session: AnySession, mailbox_id: int, listed: Mapping[str, FolderData], names: Mapping[str, str]
) -> dict[str, Folder]:
    found = session.scalars(select(Folder).where(Folder.mailbox_id == mailbox_id))
    rows = {row.graph_id: row for row in found}
    for graph_id, folder in listed.items():
        row = rows.get(graph_id)
        if row is None:
            row = rows[graph_id] = Folder(mailbox_id=mailbox_id, graph_id=graph_id, name="", round=1)
            session.add(row)
        _write_folder(row, folder)
        row.well_known_name = names.get(graph_id, row.well_known_name)
    session.flush()
    for graph_id, folder in listed.items():
        if folder.parent_folder_id is not UNSET:
            parent = rows.get(folder.parent_folder_id or "")
            rows[graph_id].parent_id = parent.id if parent else None
    return rows


def _write_folder(row: Folder, folder: FolderData) -> None:
    """Write what is said of a folder; what is left out stays as it was."""
    if folder.display_name is not UNSET:
        row.name = folder.display_name or ""
    if folder.is_hidden is not UNSET:
        row.is_hidden = bool(folder.is_hidden)
    if folder.total_item_count is not UNSET:
        row.total_count = folder.total_item_count or 0
    row.removed_at = None
