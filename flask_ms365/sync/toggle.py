"""The toggle, as a running sync sees it: off means that no later page commits."""

from __future__ import annotations

from flask_ms365.errors import SyncSwitchedOff
from flask_ms365.settings.service import Settings


class Toggle:
    """Checks the toggle within each page's transaction; reads the settings again only when a save went by."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: int | None = None

    def check(self) -> None:
        """Hold off saves until the page is committed; raise :exc:`SyncSwitchedOff` when the toggle is off."""
        version = self._settings.hold_version()
        if version == self._seen:
            return
        if not self._settings.read().is_sync_on:
            raise SyncSwitchedOff
        self._seen = version
