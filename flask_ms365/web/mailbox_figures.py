"""The part of a mailbox's page that changes while it is read: its state, figures and folders."""

from __future__ import annotations

from typing import Any

from flask import url_for

from flask_ms365.mailboxes.access import WAYS, next_step
from flask_ms365.mailboxes.figures import folder_figures
from flask_ms365.mailboxes.overdue import is_overdue, overdue_before
from flask_ms365.mailboxes.status import MailboxStatus, state_of
from flask_ms365.models import Mailbox
from flask_ms365.state import current_state
from flask_ms365.web.language import number
from flask_ms365.web.mailbox_state import state_view
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.version import version_of
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

# a secret, and not shown
_UNSEEN = {"folders_link"}
_STEP = 1024
_SIZES = (Words("%(size)s KB"), Words("%(size)s MB"), Words("%(size)s GB"))


def figures_view(found: Mailbox, status: MailboxStatus, *, is_private: bool) -> dict[str, Any]:
    """Return what is shown; ``is_private``: of a person's mailbox others learn numbers, and no names."""
    state = current_state()
    names = state.directory.names_of([user_id for user_id in (found.paused_by, found.owner_id) if user_id])
    return {
        "mailbox": found,
        "status": status,
        "box": state_view(found, status.state, is_overdue=status.is_overdue, now=state.clock(), names=names),
        "owner": names.get(found.owner_id or "", found.owner_id),
        "problem": _problem(status, found.access),
        "way": WAYS[found.access],
        "size": None if found.stored_bytes is None else size_in_words(found.stored_bytes),
        "folders": folder_figures(status),
        "is_private": is_private,
        "live_url": url_for(".mailbox_live", mailbox_id=found.id),
        "version": mailbox_version(found),
    }


def mailbox_version(found: Mailbox) -> str:
    """Return what changes with anything that is shown: each page that is stored moves the lease."""
    settings, now = current_snapshot(), current_state().clock()
    columns = [getattr(found, column.key) for column in Mailbox.__table__.columns if column.key not in _UNSEEN]
    state = state_of(found, is_on=settings.is_sync_on, now=now)
    return version_of(columns, [state, is_overdue(found, overdue_before(settings, now))])


def size_in_words(size: int) -> Words:
    """Return a number of bytes as people read it."""
    value = size / _STEP
    for words in _SIZES[:-1]:
        if value < _STEP:
            return words.filled(size=number(round(value)))
        value /= _STEP
    return _SIZES[-1].filled(size=number(round(value, 1)))


def _problem(status: MailboxStatus, access: str) -> Notice | None:
    """Tell what stopped the last run, and what to do about it."""
    if not status.error:
        return None
    details = [(Words("Code"), status.error_code)] if status.error_code else []
    step = next_step(status.error_code, access)
    return Notice(kind=status.kind, title=status.words, text=status.error, next_step=step, details=details)
