"""Mail folders: the tree, the well-known names, and finding one by whatever a test calls it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .errors import GraphError, item_not_found, malformed_id
from .ids import Ids

ROOT = "msgfolderroot"

# Well-known name to English display name. Graph never tells the former; it only takes it as an id.
WELL_KNOWN = {
    "archive": "Archive",
    "deleteditems": "Deleted Items",
    "drafts": "Drafts",
    "inbox": "Inbox",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
    "sentitems": "Sent Items",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A mail folder. A change makes a new one."""

    id: str
    name: str
    parent_id: str
    well_known_name: str | None = None
    is_hidden: bool = False
    is_search: bool = False


class FolderTree:
    """The folders of one mailbox."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._folders: dict[str, Folder] = {}
        self.root = self._new("Top of Information Store", ids.folder(), well_known_name=ROOT)
        for well_known_name, name in WELL_KNOWN.items():
            self._new(name, self.root.id, well_known_name=well_known_name)

    def __iter__(self) -> Iterator[Folder]:
        return (folder for folder in list(self._folders.values()) if folder.id != self.root.id)

    def get(self, folder_id: str) -> Folder:
        """The folder of an id or well-known name, as Graph finds it."""
        folder = self._folders.get(folder_id) or self._well_known(folder_id)
        if folder is None:
            raise item_not_found() if self._ids.is_ours(folder_id) else malformed_id()
        return folder

    def find(self, name: str) -> Folder:
        """The folder of an id, well-known name, display name or path ("Projects/2026"), as a person means it."""
        try:
            return self.get(name)
        except GraphError:
            return self._by_path(name)

    def add(self, name: str, parent_id: str, *, is_hidden: bool = False, is_search: bool = False) -> Folder:
        """Make a folder; its name is free among its siblings, or Graph answers ErrorFolderExists."""
        self._check_free(name, parent_id)
        return self._new(name, parent_id, is_hidden=is_hidden, is_search=is_search)

    def change(self, folder: Folder, *, name: str | None = None, parent_id: str | None = None) -> Folder:
        """Rename or move a folder; its id stays."""
        changed = replace(folder, name=name or folder.name, parent_id=parent_id or folder.parent_id)
        self._check_free(changed.name, changed.parent_id, but=folder.id)
        self._folders[folder.id] = changed
        return changed

    def remove(self, folder: Folder) -> list[Folder]:
        """Take a folder out with all below it; returns them, the deepest first."""
        gone = [below for child in self.children(folder.id) for below in self.remove(child)]
        del self._folders[folder.id]
        return [*gone, folder]

    def children(self, parent_id: str, *, hidden: bool = True) -> list[Folder]:
        """The folders directly below one."""
        return [f for f in self if f.parent_id == parent_id and (hidden or not f.is_hidden)]

    def path(self, folder: Folder) -> str:
        """The names from the top down."""
        if folder.parent_id in (self.root.id, folder.id):
            return folder.name
        return f"{self.path(self._folders[folder.parent_id])}/{folder.name}"

    def _new(
        self,
        name: str,
        parent_id: str,
        *,
        well_known_name: str | None = None,
        is_hidden: bool = False,
        is_search: bool = False,
    ) -> Folder:
        folder = Folder(
            id=self._ids.folder(),
            name=name,
            parent_id=parent_id,
            well_known_name=well_known_name,
            is_hidden=is_hidden,
            is_search=is_search,
        )
        self._folders[folder.id] = folder
        return folder

    def _well_known(self, name: str) -> Folder | None:
        return next((f for f in list(self._folders.values()) if f.well_known_name == name.lower()), None)

    def _by_path(self, name: str) -> Folder:
        for folder in self:
            if name in (folder.name, self.path(folder)):
                return folder
        raise KeyError(f"There is no folder {name!r} in this mailbox.")

    def _check_free(self, name: str, parent_id: str, but: str = "") -> None:
        if any(f.name.lower() == name.lower() and f.id != but for f in self.children(parent_id)):
            raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
