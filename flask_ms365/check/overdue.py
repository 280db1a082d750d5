"""The step that looks for mailboxes without a success for long."""

from __future__ import annotations

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.subject import Subject
from flask_ms365.errors import AppRefused
from flask_ms365.identity.circuit import in_words
from flask_ms365.mailboxes.overdue import count_overdue, overdue_before
from flask_ms365.words import Words, counted


def on_time(subject: Subject) -> Outcome:
    """Count those that are overdue. A few are a warning: nobody takes an app out of service for them."""
    if not subject.snapshot.is_sync_on:
        return not_checked(Words("Emails sync is off."))
    held = subject.held()
    if isinstance(held, AppRefused):  # none of them is late yet: their tokens last for an hour
        subject.session.commit()
        return failed(in_words(held), Words("Run the connection check: it says what to do."), endpoint="check")
    limit = overdue_before(subject.snapshot, subject.clock())
    overdue, connected = count_overdue(subject.session, limit) if limit else (0, 0)
    subject.session.commit()
    if not overdue:
        return passed(Words("No mailbox has been without a success for long."))
    said = counted(
        "%(count)s mailbox has had no success for long", "%(count)s mailboxes have had no success for long", overdue
    )
    outcome = failed if 2 * overdue > connected else warning
    return outcome(said, Words('"flask ms365 status" says of each what is in the way.'), endpoint="mailboxes")
