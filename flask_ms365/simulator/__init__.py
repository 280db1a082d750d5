"""A Microsoft 365 on loopback, to develop and test against: sign-in, mail, and what goes wrong with them."""

from __future__ import annotations

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
