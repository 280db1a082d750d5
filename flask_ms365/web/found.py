"""Mailboxes that the visitor may handle; what one may not does not exist."""

from __future__ import annotations

from flask import url_for

from flask_ms365.models import Mailbox
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed


def theirs(mailbox_id: int) -> Mailbox | None:
    """Return a mailbox that the visitor may handle, as its owner or for the team; None where there is no such one."""
    mailbox: Mailbox | None = current_state().session.get(Mailbox, mailbox_id)
    return mailbox if mailbox is not None and _is_theirs(mailbox) else None


def page_of(mailbox: Mailbox) -> str:
    """Return the address of the page that shows a mailbox to those who may handle it."""
    return url_for(".mailbox", mailbox_id=mailbox.id) if mailbox.kind == "system" else url_for(".my_email")


def _is_theirs(mailbox: Mailbox) -> bool:
    if mailbox.kind == "system":
        return is_allowed(Permission.MANAGE_MAILBOXES)
    is_own = mailbox.owner_id is not None and mailbox.owner_id == current_state().current_user_id()
    return is_own and is_allowed(Permission.OWN_MAILBOX)
