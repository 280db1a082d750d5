"""The steps that ask nobody outside: address, settings, keys, the database."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.span import span
from flask_ms365.check.subject import Subject
from flask_ms365.config import LOOPBACK_HOSTS
from flask_ms365.errors import EncryptionError, KeyMissing, Locked, NoEncryptionKey, Tampered
from flask_ms365.identity.redirect_uri import redirect_uri_problems
from flask_ms365.keys.rotation import count_by_key
from flask_ms365.models import Connection, Told, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.settings import CATALOG, spec_of
from flask_ms365.settings.cautions import cautions
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words, counted

# kind of credential -> how it is renewed, and that all is there
_RENEW = {
    "secret": Words("Create a new client secret in Entra and paste its Value on the settings page."),
    "certificate": Words("Make a new certificate on the settings page and upload its public half in Entra."),
    "federated": Words("See why whatever writes the file (Kubernetes, a CI job) has stopped."),
}
_COMPLETE = {
    "secret": Words("Client ID, client secret and tenant are there."),
    "certificate": Words("Client ID, client certificate and tenant are there."),
    "federated": Words("Client ID, the file of the federated token and tenant are there."),
}
_PUT_BACK = Words("Put the key back, or enter the secret again and let people sign in again.")


def public_address(subject: Subject) -> Outcome:
    """Look at the address that people use, which fixes the redirect URI."""
    address = subject.address
    if address is None:
        return not_checked(Words("MS365_PUBLIC_BASE_URL is not set, and no admin has confirmed an address yet."))
    if address.is_guess:
        next_step = Words("Confirm it on the settings page.")
        return failed(Words("The redirect URI is only a guess."), next_step, endpoint="settings")
    refusals = list(redirect_uri_problems(address.redirect_uri))
    if refusals and urlsplit(address.redirect_uri).hostname not in LOOPBACK_HOSTS:
        next_step = Words("Set MS365_PUBLIC_BASE_URL to the https address that people use.")
        return failed(refusals[0], next_step, details=_also(refusals), endpoint="settings")
    if pointed_out := list(dict.fromkeys([*refusals, *address.warnings])):
        # what to do about it comes last
        advice = pointed_out.pop() if len(pointed_out) > 1 else ""
        return warning(pointed_out[0], advice, details=_also(pointed_out), endpoint="settings")
    return passed(address.redirect_uri)


def settings(subject: Subject) -> Outcome:
    """Look for what is missing, a credential that ends, and what looks wrong."""
    snapshot = subject.snapshot
    for key in snapshot.missing_credentials:
        next_step = Words("Enter it on the settings page.")
        return failed(Words("%(label)s is missing.", label=spec_of(key).label), next_step, endpoint="settings")
    ends = credential_expiry(snapshot, subject.clock())
    if ends is not None and ends.threshold is not None:
        outcome = failed if ends.has_ended else warning
        return outcome(ends.words, _RENEW[ends.kind], page="secrets", endpoint="settings")
    return _cautioned(snapshot, subject.clock()) or passed(_COMPLETE[snapshot.credential_kind])


def _lost(snapshot: Snapshot) -> Words:
    return Words('Is the key lost for good? Run "flask ms365 keys forget %(key)s".', key=snapshot.missing_keys[0])


def unopened(subject: Subject) -> Outcome | None:
    """Return what is wrong with the keys, or with the settings' own secrets; cheap with any number of mailboxes."""
    if not subject.keyring:
        return failed(Words("No encryption key is set."), NoEncryptionKey().words)
    if subject.snapshot.missing_keys:
        return failed(Locked(subject.snapshot.missing_keys).words, _lost(subject.snapshot), endpoint="settings")
    try:
        for spec in CATALOG:
            subject.snapshot.effective(spec.key)
    except EncryptionError as exc:
        return failed(exc.words, _PUT_BACK, endpoint="settings")
    return None


def keyring(subject: Subject) -> Outcome:
    """See that there are keys, and that everything that is stored was sealed with one of them."""
    keys = subject.keyring.key_ids
    in_use = set(count_by_key(subject.session))
    oldest = subject.session.scalar(select(func.min(Connection.renewed_at)).where(Connection.is_dead.is_(False)))
    subject.session.commit()
    if problem := unopened(subject):
        return problem
    for missing in sorted(in_use - keys):
        found = KeyMissing(missing) if missing else Tampered()
        return failed(found.words, _PUT_BACK, endpoint="settings")
    used = counted("%(used)s of %(count)s key in use", "%(used)s of %(count)s keys in use", len(keys), used=len(in_use))
    if oldest is None:
        return passed(used)
    age = span(subject.clock() - oldest)
    return passed(Words("%(keys)s, oldest token renewed %(age)s ago", keys=used, age=age))


def database(subject: Subject) -> Outcome:
    """Write something, and take it back."""
    mark = f"check:{secrets.token_hex(8)}"
    try:
        with write_transaction(subject.session):
            subject.session.add(Told(subject=mark, user_id="", at=subject.clock()))
            subject.session.flush()
            subject.session.execute(delete(Told).where(Told.subject == mark))
    except SQLAlchemyError as exc:
        said = Words("The database cannot be written (%(kind)s).", kind=type(exc).__name__)
        return failed(said, Words("Is it read-only, full, or away? Are the tables of Flask-MS365 there?"))
    return passed(Words("The database takes what is written."), next_step=_recommended(subject.session))


def _recommended(session: AnySession) -> str:
    """Return what a host's own SQLite would gain by: we never reconfigure it."""
    if session.get_bind().dialect.name != "sqlite":
        return ""
    mode = session.scalar(text("PRAGMA journal_mode"))
    session.commit()
    return Words("Set journal_mode=WAL, so that people can read while mail is stored.") if mode == "delete" else ""


def _also(sentences: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((Words("Also"), sentence) for sentence in sentences[1:])


def _cautioned(snapshot: Snapshot, now: datetime) -> Outcome | None:
    for key, found in cautions(snapshot, now).items():
        said = Words("%(label)s: %(caution)s", label=spec_of(key).label, caution=found[0])
        return warning(said, endpoint="settings")
    return None
