"""What the host's ``authorize`` callable is asked for."""

from __future__ import annotations

from enum import Enum


class Permission(str, Enum):  # StrEnum is 3.11
    """One thing a visitor may be allowed to do; compares equal to its string."""

    MANAGE_SETTINGS = "manage_settings"
    MANAGE_MAILBOXES = "manage_mailboxes"
    OWN_MAILBOX = "own_mailbox"
    READ_MAIL = "read_mail"

    def __str__(self) -> str:
        return self.value
