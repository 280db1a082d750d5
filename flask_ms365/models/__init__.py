"""The tables, typed and grouped by purpose. Hosts query them with their own ``db.session``."""

from __future__ import annotations

from flask_ms365.models.base import Base, join_metadata, write_transaction
from flask_ms365.models.connections import Connection, OAuthFlow
from flask_ms365.models.mail import Attachment, Folder, Message
from flask_ms365.models.mailboxes import Mailbox, SyncRun
from flask_ms365.models.settings import AuditEvent, Setting, SettingsVersion

__all__ = [
    "Attachment",
    "AuditEvent",
    "Base",
    "Connection",
    "Folder",
    "Mailbox",
    "Message",
    "OAuthFlow",
    "Setting",
    "SettingsVersion",
    "SyncRun",
    "join_metadata",
    "write_transaction",
]
