"""What is wrong with mailboxes, one cause each and the worst first, and how people are told of it.

What will pass by itself is no trouble: a mailbox that Microsoft asked to wait goes on when its time has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, exists, false, func, null, select

from flask_ms365.mailboxes.access import next_step
from flask_ms365.mailboxes.overdue import are_overdue
from flask_ms365.mailboxes.trouble import APP_REFUSED, DOUBT, FAILED, NOT_DELETED, OVERDUE, SIGN_IN_NEEDED, Trouble
from flask_ms365.models import Folder, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.models.mail import ASKED
from flask_ms365.sync.lease import RUNNABLE
from flask_ms365.sync.report import Result
from flask_ms365.words import Words, counted

# how a run ends that says something about one mailbox; a refused app says nothing about any
_OWN_FAILURES = [str(Result.FAILED), str(Result.LOCKED)]
_LISTED = 3

_WORDS = {
    SIGN_IN_NEEDED: Words("%(address)s is not read any more: Microsoft wants somebody to sign in for it again."),
    FAILED: Words("%(address)s could not be read: %(why)s"),
    NOT_DELETED: Words(
        "The database refuses to delete the mail of %(address)s: records of this app still refer to it."
    ),
    DOUBT: Words(
        "Microsoft says that a folder of %(address)s is empty, though its mail is stored here. Nothing was removed."
    ),
    OVERDUE: Words("%(address)s has had no success for long."),
}
CHECK = Words("Run the connection check: it says what to do.")
_STEPS = {
    SIGN_IN_NEEDED: Words("Sign in again on the page of the mailbox."),
    NOT_DELETED: Words("Remove the references to this mail from those records. It is tried again by itself."),
    DOUBT: Words("Say on the page of the mailbox whether its mail is gone."),
}
_OVER = Words("It is over: %(address)s needs nobody any more.")
_APP_OVER = {
    APP_REFUSED: Words("It is over: Microsoft no longer refuses this app."),
    FAILED: Words("It is over: most mailboxes are read again."),
    OVERDUE: Words("It is over: most mailboxes are read again."),
}


@dataclass(frozen=True, kw_only=True)
class Mine:
    """A mailbox of somebody's that waits for a person: their own, or one of the team that they own."""

    mailbox_id: int
    address: str
    kind: str
    cause: str


def cause_of(is_overdue: ColumnElement[bool], *, failing_before: datetime) -> ColumnElement[Any]:
    """Return the worst cause of a mailbox for the database; null where nothing waits for a person.

    Runs that fail are a cause once they have failed since ``failing_before``.
    """
    is_asked = exists().where(Folder.mailbox_id == Mailbox.id, Folder.doubt == ASKED)
    return case(
        (Mailbox.state == "sign_in_needed", SIGN_IN_NEEDED),
        (and_(Mailbox.state == "deleting", Mailbox.fail_count > 0), NOT_DELETED),
        (_have_failed(failing_before), FAILED),
        (and_(Mailbox.state.in_(RUNNABLE), is_asked), DOUBT),
        (is_overdue, OVERDUE),
        else_=null(),
    )


def _have_failed(failing_before: datetime) -> ColumnElement[bool]:
    return and_(
        Mailbox.state.in_(RUNNABLE),
        Mailbox.fail_count > 0,
        Mailbox.last_result.in_(_OWN_FAILURES),
        Mailbox.failing_since <= failing_before,
    )


def count_causes(
    session: AnySession, is_overdue: ColumnElement[bool], *, failing_before: datetime
) -> tuple[dict[str, int], int]:
    """Return how many mailboxes could not be read or are overdue, and how many are to be read; one statement."""
    have_failed = _have_failed(failing_before)
    failed = func.sum(case((have_failed, 1), else_=0))
    overdue = func.sum(case((have_failed, 0), (is_overdue, 1), else_=0))
    of_all = select(func.count(), failed, overdue).where(Mailbox.state.in_(RUNNABLE))
    total, *counts = session.execute(of_all).one()
    return {cause: int(count or 0) for cause, count in zip((FAILED, OVERDUE), counts, strict=True)}, total


def troubles_of(session: AnySession, user_id: str, *, limit: datetime | None, now: datetime) -> list[Mine]:
    """Return those of somebody's mailboxes that wait for a person, a few at most; one statement.

    ``limit`` is that of :func:`~flask_ms365.mailboxes.overdue.overdue_before`.
    """
    cause = cause_of(are_overdue(limit) if limit else false(), failing_before=now).label("cause")
    mine = select(Mailbox.id, Mailbox.address, Mailbox.kind, cause).where(Mailbox.owner_id == user_id)
    rows = session.execute(mine.where(cause.is_not(None)).order_by(Mailbox.id).limit(_LISTED))
    return [Mine(mailbox_id=row.id, address=row.address, kind=row.kind, cause=row.cause) for row in rows]


def of_mailbox(row: Row[Any], url: str) -> Trouble:
    """Return what people are told of a mailbox, ``row`` with the columns that ``notices.py`` asks for."""
    cause, is_over = row.cause or row.told_cause, row.cause is None
    words = _OVER if is_over else _WORDS[cause]
    step = _STEPS.get(cause) or next_step(row.last_error_code, row.access) or CHECK
    return Trouble(
        cause=cause,
        is_over=is_over,
        words=words.filled(address=row.address, **_why(cause, row, is_over=is_over)),
        next_step="" if is_over else step,
        url=url,
        mailbox_id=row.id,
        address=row.address,
        user_ids=(row.owner_id,) if row.owner_id else (),
    )


def of_app(cause: str, words: Words | None, url: str) -> Trouble:
    """Return what people are told of the whole app; without words it is over."""
    is_over = words is None
    told = _APP_OVER[cause] if words is None else words
    return Trouble(cause=cause, is_over=is_over, words=told, next_step="" if is_over else CHECK, url=url)


def many_in_words(cause: str, count: int) -> Words:
    """Say that many mailboxes have the same cause."""
    if cause == OVERDUE:
        return counted(
            "%(count)s mailbox has had no success for long",
            "%(count)s mailboxes have had no success for long",
            count,
        )
    return counted("%(count)s mailbox could not be read", "%(count)s mailboxes could not be read", count)


def _why(cause: str, row: Row[Any], *, is_over: bool) -> dict[str, str]:
    return {"why": row.last_error or ""} if cause == FAILED and not is_over else {}
