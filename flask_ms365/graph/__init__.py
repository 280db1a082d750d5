"""The wire protocol of Graph mail: requests, paging, delta and batches, as typed values. Knows no Flask and no tables.

The words are Microsoft's: a *mail folder* holds *messages*; a *delta* round over one folder is a chain of pages, each
with a ``next_link``, the last with a ``delta_link`` that begins the next round.
"""

from __future__ import annotations

from flask_ms365.graph.batch import Reads
from flask_ms365.graph.client import DeltaQuery, GraphClient, Select
from flask_ms365.graph.outlines import OutlinedPage
from flask_ms365.graph.types import AttachmentData, DeltaPage, FolderData, MessageData, Outline, Person

__all__ = [
    "AttachmentData",
    "DeltaPage",
    "DeltaQuery",
    "FolderData",
    "GraphClient",
    "MessageData",
    "Outline",
    "OutlinedPage",
    "Person",
    "Reads",
    "Select",
]
