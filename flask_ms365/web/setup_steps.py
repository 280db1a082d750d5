"""The seven steps of the setup: which are proved, and which one is to be done now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from flask_ms365.identity.credentials import FederatedToken
from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.mailboxes.proofs import LastCheck, Proofs
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words

Progress = Literal["done", "now", "unproved", "todo"]

# kind of credential -> the title of its step
_CREDENTIAL_TITLES = {
    "secret": Words("Create a client secret"),
    "certificate": Words("Upload a certificate"),
    "federated": Words("Add a federated credential"),
}

TITLES: dict[str, str] = {
    "register": Words("Register an app in Entra"),
    "redirect_uri": Words("Add the redirect URI"),
    "permissions": Words("Add permissions"),
    "consent": Words("Grant admin consent"),
    "credential": _CREDENTIAL_TITLES["secret"],
    "check": Words("Check the connection"),
    "mailbox": Words("Connect the first mailbox"),
}

# what a check proved holds only while these are as they were
_CHECKED = ("client_id", "credential", "client_secret", "client_certificate", "tenant_id", "cloud")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step as the guide shows it. ``unproved`` is what looks done, until a sign-in or a check shows that it is."""

    number: int
    title: str
    progress: Progress


def setup_steps(snapshot: Snapshot, proofs: Proofs, *, now: datetime) -> dict[str, Step]:
    """Return the steps in order, of which one is to be done now unless all are done."""
    proved, entered = _proved(snapshot, proofs, now), _entered(snapshot)
    open_steps = [key for key in TITLES if not proved[key]]
    # proofs of the first steps come with the last: what was entered does not hold anybody up
    next_one = next((key for key in open_steps if key not in entered), next(iter(open_steps), None))
    titles = {**TITLES, "credential": _CREDENTIAL_TITLES[snapshot.credential_kind]}
    return {
        key: Step(number=number, title=title, progress=_progress(key, proved[key], key in entered, next_one))
        for number, (key, title) in enumerate(titles.items(), 1)
    }


def _proved(snapshot: Snapshot, proofs: Proofs, now: datetime) -> dict[str, bool]:
    check = present_check(snapshot, proofs.last_check)
    has_signed_in = proofs.granted is not None
    return {
        "register": has_signed_in or (check is not None and check.states.get("credentials") == "passed"),
        "redirect_uri": proofs.uri_worked,
        "permissions": has_signed_in and not missing_scopes(proofs.granted or (), proofs.asked),
        "consent": has_signed_in,
        "credential": snapshot.has_credential and _lasts(snapshot, now),
        "check": check is not None and check.has_passed,
        "mailbox": proofs.has_mailbox,
    }


def _entered(snapshot: Snapshot) -> set[str]:
    """Return the steps whose part here is done. Who has a credential has been through the pages of Entra before it."""
    entered = {"register"} if snapshot.is_set("client_id") and snapshot.is_set("tenant_id") else set()
    return entered | ({"redirect_uri", "permissions", "consent"} if snapshot.has_credential else set())


def _progress(key: str, is_proved: bool, is_entered: bool, now: str | None) -> Progress:
    if is_proved:
        return "done"
    if key == now:
        return "now"
    return "unproved" if is_entered else "todo"


def present_check(snapshot: Snapshot, check: LastCheck | None) -> LastCheck | None:
    """Return the last check, unless what it checked was changed since."""
    rows = [row for key in _CHECKED if (row := snapshot.stored(key)) is not None]
    return None if check is None or any(row.changed_at > check.started_at for row in rows) else check


def _lasts(snapshot: Snapshot, now: datetime) -> bool:
    """Tell whether the credential is known to be good for a while; the day that a secret ends must be typed."""
    if snapshot.credential_kind == "federated":
        valid_until = FederatedToken(snapshot.deployment.token_file).valid_until
        return valid_until is not None and valid_until > now
    ends = credential_expiry(snapshot, now)
    return ends is not None and not ends.has_ended
