"""The steps that ask nobody outside: address, settings, keys, whoever ticks, the database."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.subject import Subject
from flask_ms365.errors import EncryptionError, NoEncryptionKey
from flask_ms365.jobs.hook import TICK
from flask_ms365.models import Heartbeat, Told, write_transaction
from flask_ms365.settings import CATALOG, Snapshot, spec_of
from flask_ms365.settings.cautions import cautions
from flask_ms365.settings.reminder import secret_expiry
from flask_ms365.words import Words, counted

_SILENT = timedelta(minutes=15)
_NEW_SECRET = Words("Create a new client secret in Entra and paste its Value on the settings page.")


def public_address(subject: Subject) -> Outcome:
    """Look at the address that people use, which fixes the redirect URI."""
    address = subject.address
    if address is None:
        return not_checked(Words("MS365_PUBLIC_BASE_URL is not set, and no admin has confirmed an address yet."))
    if address.is_guess:
        next_step = Words("Confirm it on the settings page.")
        return failed(Words("The redirect URI is only a guess."), next_step, endpoint="settings")
    if address.warnings:
        more = tuple((Words("Also"), text) for text in address.warnings[1:])
        return warning(address.warnings[0], details=more, endpoint="settings")
    return passed(address.redirect_uri)


def settings(subject: Subject) -> Outcome:
    """Look for what is missing, a secret that ends, and what looks wrong."""
    snapshot = subject.snapshot
    for key in snapshot.missing_credentials:
        next_step = Words("Enter it on the settings page.")
        return failed(Words("%(label)s is missing.", label=spec_of(key).label), next_step, endpoint="settings")
    ends = secret_expiry(snapshot, subject.clock().date())
    if ends is not None and ends.threshold is not None:
        outcome = failed if ends.has_ended else warning
        return outcome(ends.words, _NEW_SECRET, page="secrets", endpoint="settings")
    return _cautioned(snapshot) or passed(Words("Client ID, client secret and tenant are there."))


def keyring(subject: Subject) -> Outcome:
    """See that there are keys, and that what is stored opens."""
    if not subject.keyring:
        return failed(Words("No encryption key is set."), NoEncryptionKey().words)
    try:
        for spec in CATALOG:
            subject.snapshot.effective(spec.key)
    except EncryptionError as exc:
        return failed(exc.words, Words("Put the key back, or enter the secret again."), endpoint="settings")
    keys = len(subject.keyring)
    return passed(counted("%(count)s key; what is stored opens.", "%(count)s keys; what is stored opens.", keys))


def worker(subject: Subject) -> Outcome:
    """See when somebody ticked last."""
    if not subject.snapshot.is_sync_on:
        return not_checked(Words("Emails sync is off."))
    next_step = _how_to_start(subject.engine)
    if subject.hook_problem:
        return warning(subject.hook_problem, next_step)
    seen = subject.session.scalar(select(Heartbeat.at))
    subject.session.commit()
    if seen is None:
        return failed(Words("Nobody has looked for new mail yet."), next_step)
    silence, pace = subject.clock() - seen, _pace(subject)
    minutes = int(silence.total_seconds() // 60)
    said = counted("Last seen %(count)s minute ago.", "Last seen %(count)s minutes ago.", minutes)
    if silence > max(_SILENT, 3 * pace):
        return failed(said, next_step)
    return warning(said, next_step) if silence > 3 * pace else passed(Words("%(engine)s ticks.", engine=subject.engine))


def database(subject: Subject) -> Outcome:
    """Write something, and take it back."""
    mark = f"check:{secrets.token_hex(8)}"
    try:
        with write_transaction(subject.session):
            subject.session.add(Told(subject=mark, user_id="", at=subject.clock()))
            subject.session.flush()
            subject.session.execute(delete(Told).where(Told.subject == mark))
    except SQLAlchemyError as exc:
        kind = type(exc).__name__
        next_step = Words("Is it read-only, full, or away?")
        return failed(Words("The database cannot be written (%(kind)s).", kind=kind), next_step)
    return passed(Words("The database takes what is written."))


def _cautioned(snapshot: Snapshot) -> Outcome | None:
    for key, found in cautions(snapshot).items():
        said = Words("%(label)s: %(caution)s", label=spec_of(key).label, caution=found[0])
        return warning(said, endpoint="settings")
    return None


def _pace(subject: Subject) -> timedelta:
    """Return how often somebody should tick; cron and timers do so at the pace of the host."""
    interval = timedelta(minutes=int(str(subject.snapshot.effective("sync_interval").value)))
    return interval if subject.engine == "external" else TICK


def _how_to_start(engine: str) -> Words:
    if engine == "celery":
        return Words("Start Celery's beat and a worker.")
    if engine == "external":
        return Words('Keep "flask ms365 worker" running, or let a timer run "flask ms365 sync".')
    return Words("It starts with the first request. Is the app still running?")
