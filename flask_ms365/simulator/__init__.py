"""A Microsoft 365 on loopback, to develop and test against: sign-in, mail, and what goes wrong with them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .directory import App, User
    from .journal import RequestRecord
    from .loader import LoadReport
    from .mailbox import Mailbox
    from .message import Attachment, AttachmentRecord, MessageRecord, Recipient
    from .simulator import Simulator

__all__ = [
    "App",
    "Attachment",
    "AttachmentRecord",
    "LoadReport",
    "Mailbox",
    "MessageRecord",
    "Recipient",
    "RequestRecord",
    "Simulator",
    "User",
]

_HOMES = {
    "App": "directory",
    "Attachment": "message",
    "AttachmentRecord": "message",
    "LoadReport": "loader",
    "Mailbox": "mailbox",
    "MessageRecord": "message",
    "Recipient": "message",
    "RequestRecord": "journal",
    "Simulator": "simulator",
    "User": "directory",
}


def __getattr__(name: str) -> object:
    """Import a name when it is asked for: pytest loads the plugin in this package whether a test needs it or not."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
