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
    return mailbox if mailbox is not None and is_theirs(mailbox) else None


def seen(mailbox_id: int) -> Mailbox | None:
    """Return a mailbox whose state the visitor may see: one of theirs, and for whoever manages mailboxes anybody's.

    Those may pause and resume it, too. Of what is in it they learn numbers: no mail, and no names.
    """
    mailbox: Mailbox | None = current_state().session.get(Mailbox, mailbox_id)
    return mailbox if mailbox is not None and is_seen(mailbox) else None


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
    """Return the address of the page that shows a mailbox to the visitor: one's own is on *My email*."""
    is_own = mailbox.kind != "system" and is_theirs(mailbox)
    return url_for(".my_email") if is_own else url_for(".mailbox", mailbox_id=mailbox.id)


def is_seen(mailbox: Mailbox) -> bool:
    """Tell whether the visitor may see how a mailbox is."""
    return is_theirs(mailbox) or is_allowed(Permission.MANAGE_MAILBOXES)


def is_theirs(mailbox: Mailbox) -> bool:
    """Tell whether the visitor may handle a mailbox."""
    if mailbox.kind == "system":
        return is_allowed(Permission.MANAGE_MAILBOXES)
    is_own = mailbox.owner_id is not None and mailbox.owner_id == current_state().current_user_id()
    return is_own and is_allowed(Permission.OWN_MAILBOX)
