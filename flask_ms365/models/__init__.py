"""The tables, typed and grouped by purpose. Hosts query them with their own ``db.session``."""

from __future__ import annotations

from flask_ms365.models.audit import AuditEvent, CheckRun, Heartbeat, Told
from flask_ms365.models.base import Base, join_metadata, write_transaction
from flask_ms365.models.chores import Chore
from flask_ms365.models.connections import Circuit, Connection, OAuthFlow
from flask_ms365.models.content import AttachmentContent
from flask_ms365.models.counts import Count
from flask_ms365.models.mail import Attachment, Folder, Message, SetAside, Sighting
from flask_ms365.models.mailboxes import Mailbox, Processed, Reader, SyncRun
from flask_ms365.models.search import SearchDue, SearchMark, SearchText, make_sqlite_index
from flask_ms365.models.settings import Setting, SettingsDraft, SettingsVersion, lock_version
from flask_ms365.models.tenants import Tenant

__all__ = [
    "Attachment",
    "AttachmentContent",
    "AuditEvent",
    "Base",
    "CheckRun",
    "Chore",
    "Circuit",
    "Connection",
    "Count",
    "Folder",
    "Heartbeat",
    "Mailbox",
    "Message",
    "OAuthFlow",
    "Processed",
    "Reader",
    "SearchDue",
    "SearchMark",
    "SearchText",
    "SetAside",
    "Setting",
    "SettingsDraft",
    "SettingsVersion",
    "Sighting",
    "SyncRun",
    "Tenant",
    "Told",
    "join_metadata",
    "lock_version",
    "make_sqlite_index",
    "write_transaction",
]
