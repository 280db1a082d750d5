"""A connected mailbox on each database."""

from __future__ import annotations

from tests.sync.conftest import synced

__all__ = ["synced"]
