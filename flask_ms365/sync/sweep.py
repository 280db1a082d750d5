"""Confirm, one by one, what a full reading did not meet: gone, moved, or there after all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from flask_ms365.models import Folder
from flask_ms365.models.mail import ASKED, BELIEVED
from flask_ms365.sync.page import Page
from flask_ms365.sync.resolve import Resolver
from flask_ms365.sync.store import Store

_log = logging.getLogger(__name__)

_AT_ONCE = 200  # messages that are confirmed and written together
_MANY = 10  # messages that do not all vanish without somebody being asked


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Sweeps folders of one run over one mailbox."""

    store: Store
    resolver: Resolver
    write: Callable[[Page], None]

    def unseen(self, folder: Folder) -> str | None:
        """Confirm what was not met; return the folder's doubt: empty after full is a question, and not an order."""
        is_doubtful = self.store.is_emptied(folder.id, _MANY)
        # asked for now: somebody may have answered since the run began
        if is_doubtful and self.store.doubt_of(folder.id) != BELIEVED:
            _log.warning("folder.emptied", extra={"event": "folder.emptied", "folder_id": folder.id})
            return ASKED
        self.follow(folder)
        return None

    def follow(self, folder: Folder, *, unlisted: str = "") -> None:
        """Confirm what was not met of a folder, or all that is stored of one that is no longer read.

        Where it is not even listed, those that are still in it stay as they are: lists can have gaps.
        """
        after = 0
        while rows := self.store.unseen(folder.id, after=after, limit=_AT_ONCE):
            after = rows[-1][0]
            ids = [graph_id for _, graph_id in rows]
            self.write(self.resolver.whereabouts(ids, folder.id, unlisted=unlisted))
