"""Mailboxes on each database, as the tests of the sync have them."""

from __future__ import annotations

from tests.sync.conftest import synced

__all__ = ["synced"]
