"""Microsoft 365 mail for Flask apps: an admin page, sign-in, and mail in the host's own database exactly once."""

from __future__ import annotations

from flask_ms365.directory import Directory, DirectoryEntry
from flask_ms365.errors import MS365Error
from flask_ms365.extension import MS365
from flask_ms365.identity.id_token import Identity
from flask_ms365.jobs.hook import EmailSyncJob, HookStatus, JobHook
from flask_ms365.mailboxes.trouble import Trouble
from flask_ms365.permissions import Permission
from flask_ms365.settings.values import Effective
from flask_ms365.sync.changes import Change
from flask_ms365.sync.report import RunReport, TickReport

__version__ = "0.1.0"

__all__ = [
    "MS365",
    "Change",
    "Directory",
    "DirectoryEntry",
    "Effective",
    "EmailSyncJob",
    "HookStatus",
    "Identity",
    "JobHook",
    "MS365Error",
    "Permission",
    "RunReport",
    "TickReport",
    "Trouble",
]
