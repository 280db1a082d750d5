"""The folder tree of a mailbox: what Graph lists, as rows, and which of them are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from flask_ms365.models import Folder
from flask_ms365.models.base import AnySession

if TYPE_CHECKING:
    from flask_ms365.sync.plan import FolderRef

# how often all folders are listed, and how often what each holds is compared with our rows
LISTED_EVERY = COMPARED_EVERY = timedelta(days=1)
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
            folder.graph_id: FolderRef(id=folder.id, is_selected=self.is_selected(folder), since=folder.since)
            for folder in self.rows
            if folder.removed_at is None
        }

    def is_selected(self, folder: Folder) -> bool:
        """Tell what people chose; until they do: visible folders, also new ones, but no waste, junk or drafts."""
        if folder.removed_at is not None:
            return False
        if folder.selected is not None:
            return folder.selected
        return not self.is_left(folder)

    def is_left(self, folder: Folder) -> bool:
        """Tell whether nobody chose, and it lies where nothing is read: waste, junk, drafts, or hidden."""
        if folder.selected is not None:
            return False
        return any(above.is_hidden or above.well_known_name in NOT_BY_DEFAULT for above in self._line(folder))

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
