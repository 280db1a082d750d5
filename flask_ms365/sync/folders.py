"""The folder tree of a mailbox: what Graph lists, as rows, and which of them are read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from flask_ms365.models import Folder, Mailbox
from flask_ms365.models.base import AnySession

if TYPE_CHECKING:
    from flask_ms365.sync.plan import FolderRef

# how often all folders are listed, and how often what each holds is compared with our rows
LISTED_EVERY = COMPARED_EVERY = timedelta(days=1)
NOT_BY_DEFAULT = frozenset({"deleteditems", "junkemail", "drafts", "outbox", "recoverableitemsdeletions"})
# columns of a folder that is to be read from the start; its ``round`` grows with it
FROM_THE_START: dict[str, Any] = {
    **dict.fromkeys(("next_link", "delta_link", "fresh_link", "check_link", "began_at", "oldest_at")),
    "read_count": 0,
    "read_seconds": 0.0,
    "bodies_apart": False,
}


class FolderTree:
    """The folders of one mailbox as the last listing left them; ``reads_new`` is what people chose for the others."""

    def __init__(self, folders: Sequence[Folder], *, reads_new: bool = True) -> None:
        self.rows = list(folders)
        self.reads_new = reads_new
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
        return self.reads_new and not self.is_aside(folder)

    def is_left(self, folder: Folder) -> bool:
        """Tell whether nobody chose, and it lies where nothing is read."""
        return folder.selected is None and self.is_aside(folder)

    def is_aside(self, folder: Folder) -> bool:
        """Tell whether it lies where nothing is read until people choose it: waste, junk, drafts, or hidden."""
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
    wanted = select(Folder, Mailbox.reads_new_folders).join(Mailbox, Mailbox.id == Folder.mailbox_id)
    found = session.execute(
        wanted.where(Folder.mailbox_id == mailbox_id), execution_options={"populate_existing": True}
    ).all()
    for row in found:
        session.expunge(row.Folder)
    return FolderTree([row.Folder for row in found], reads_new=all(row.reads_new_folders for row in found))
