"""Mailboxes that the visitor may handle or read; what one may not does not exist."""

from __future__ import annotations

from flask import url_for

from flask_ms365.mailboxes.readers import Rights
from flask_ms365.models import Mailbox
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed


def theirs(mailbox_id: int) -> Mailbox | None:
    """Return a mailbox that the visitor may handle, as its owner or for the team; None where there is no such one."""
    mailbox: Mailbox | None = current_state().session.get(Mailbox, mailbox_id)
    return mailbox if mailbox is not None and _is_theirs(mailbox) else None


def visitor_rights() -> Rights:
    """Return what the visitor may read; the host is asked for their roles only where those matter."""
    state = current_state()
    user_id, reads_team = state.current_user_id(), is_allowed(Permission.READ_MAIL)
    manages_team = reads_team and is_allowed(Permission.MANAGE_MAILBOXES)
    return Rights(
        user_id=user_id,
        has_own=is_allowed(Permission.OWN_MAILBOX),
        reads_team=reads_team,
        manages_team=manages_team,
        roles=state.directory.roles_of(user_id) if reads_team and not manages_team else frozenset(),
    )


def page_of(mailbox: Mailbox) -> str:
    """Return the address of the page that shows a mailbox to those who may handle it."""
    return url_for(".mailbox", mailbox_id=mailbox.id) if mailbox.kind == "system" else url_for(".my_email")


def _is_theirs(mailbox: Mailbox) -> bool:
    if mailbox.kind == "system":
        return is_allowed(Permission.MANAGE_MAILBOXES)
    is_own = mailbox.owner_id is not None and mailbox.owner_id == current_state().current_user_id()
    return is_own and is_allowed(Permission.OWN_MAILBOX)
