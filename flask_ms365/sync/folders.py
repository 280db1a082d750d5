"""The folder tree of a mailbox: what Graph lists, as rows, and which of them are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from flask_ms365.models import Folder, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import Lease, renew, shared_now

if TYPE_CHECKING:
    from flask_ms365.graph import FolderData, GraphClient
    from flask_ms365.sync.plan import FolderRef

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
NOT_BY_DEFAULT = frozenset({"deleteditems", "junkemail", "drafts", "outbox", "recoverableitemsdeletions"})


class FolderTree:
    """The folders of one mailbox as the last listing left them."""

    def __init__(self, folders: Sequence[Folder]) -> None:
        self.rows = list(folders)
        self._by_id = {folder.id: folder for folder in folders}

    @property
    def selected(self) -> list[Folder]:
        """The folders to read: the inbox first, then the biggest."""
        chosen = [folder for folder in self.rows if self.is_selected(folder)]
        return sorted(chosen, key=lambda folder: (folder.well_known_name != "inbox", -folder.total_count))

    @property
    def refs(self) -> dict[str, FolderRef]:
        """Graph id -> what planning needs to know."""
        from flask_ms365.sync.plan import FolderRef  # late: pages show the tree and plan nothing

        return {
            folder.graph_id: FolderRef(
                id=folder.id, round=folder.round, is_selected=self.is_selected(folder), since=folder.since
            )
            for folder in self.rows
        }

    def is_selected(self, folder: Folder) -> bool:
        """Tell what people chose; until they do: visible folders, also new ones, but no waste, junk or drafts."""
        if folder.removed_at is not None:
            return False
        if folder.selected is not None:
            return folder.selected
        return not any(above.is_hidden or above.well_known_name in NOT_BY_DEFAULT for above in self._line(folder))

    def _line(self, folder: Folder) -> Iterable[Folder]:
        seen: set[int] = set()
        here: Folder | None = folder
        while here is not None and here.id not in seen:
            seen.add(here.id)
            yield here
            here = self._by_id.get(here.parent_id) if here.parent_id is not None else None


def read_tree(session: AnySession, mailbox_id: int) -> FolderTree:
    """Return the tree as stored, detached from the session."""
    rows = session.scalars(
        select(Folder).where(Folder.mailbox_id == mailbox_id), execution_options={"populate_existing": True}
    ).all()
    for row in rows:
        session.expunge(row)
    return FolderTree(rows)


def list_folders(
    session: AnySession, graph: GraphClient, lease: Lease, now: datetime
) -> tuple[FolderTree, list[Folder]]:
    """Bring the tree up to date; return it with the folders that are no longer listed."""
    listed = {folder.id: folder for folder in graph.folders() if not folder.odata_type.endswith("mailSearchFolder")}
    before = read_tree(session, lease.mailbox_id)
    session.commit()
    names = {} if _has_well_known(before) else graph.well_known_folders(WELL_KNOWN)
    with write_transaction(session):
        renew(session, lease, shared_now(session, now))
        rows = _write_folders(session, lease.mailbox_id, listed, names)
        vanished = [row.graph_id for row in rows.values() if row.graph_id not in listed and row.removed_at is None]
    tree = read_tree(session, lease.mailbox_id)
    session.commit()
    return tree, [folder for folder in tree.rows if folder.graph_id in vanished]


def _has_well_known(tree: FolderTree) -> bool:
    return any(folder.well_known_name for folder in tree.rows)


def _write_folders(
    session: AnySession, mailbox_id: int, listed: Mapping[str, FolderData], names: Mapping[str, str]
) -> dict[str, Folder]:
    found = session.scalars(select(Folder).where(Folder.mailbox_id == mailbox_id))
    rows = {row.graph_id: row for row in found}
    for graph_id, data in listed.items():
        row = rows.get(graph_id)
        if row is None:
            row = rows[graph_id] = Folder(mailbox_id=mailbox_id, graph_id=graph_id, round=1)
            session.add(row)
        row.name = data.display_name or ""
        row.is_hidden = bool(data.is_hidden)
        row.total_count = data.total_item_count or 0
        row.removed_at = None
        row.well_known_name = names.get(graph_id, row.well_known_name)
    session.flush()
    for graph_id, data in listed.items():
        parent = rows.get(data.parent_folder_id or "")
        rows[graph_id].parent_id = parent.id if parent else None
    return rows
