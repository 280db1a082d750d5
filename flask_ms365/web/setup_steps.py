"""The seven steps of the setup: which are proved, and which one is to be done now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.mailboxes.proofs import LastCheck, Proofs
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.words import Words

Progress = Literal["done", "now", "unproved", "todo"]

TITLES: dict[str, str] = {
    "register": Words("Register an app in Entra"),
    "redirect_uri": Words("Add the redirect URI"),
    "permissions": Words("Add permissions"),
    "consent": Words("Grant admin consent"),
    "secret": Words("Create a client secret"),
    "check": Words("Check the connection"),
    "mailbox": Words("Connect the first mailbox"),
}

# what a check proved holds only while these are as they were
_CHECKED = ("client_id", "client_secret", "tenant_id", "cloud")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step as the guide shows it. ``unproved`` is what looks done, until a sign-in or a check shows that it is."""

    number: int
    title: str
    progress: Progress


def setup_steps(snapshot: Snapshot, proofs: Proofs, *, today: date) -> dict[str, Step]:
    """Return the steps in order, of which one is to be done now unless all are done."""
    proved, entered = _proved(snapshot, proofs, today), _entered(snapshot)
    open_steps = [key for key in TITLES if not proved[key]]
    # proofs of the first steps come with the last: what was entered does not hold anybody up
    now = next((key for key in open_steps if key not in entered), next(iter(open_steps), None))
    return {
        key: Step(number=number, title=title, progress=_progress(key, proved[key], key in entered, now))
        for number, (key, title) in enumerate(TITLES.items(), 1)
    }


def _proved(snapshot: Snapshot, proofs: Proofs, today: date) -> dict[str, bool]:
    check = present_check(snapshot, proofs.last_check)
    has_signed_in = proofs.granted is not None
    return {
        "register": has_signed_in or (check is not None and check.states.get("credentials") == "passed"),
        "redirect_uri": proofs.uri_worked,
        "permissions": has_signed_in and not missing_scopes(proofs.granted or (), proofs.asked),
        "consent": has_signed_in,
        "secret": snapshot.is_set("client_secret") and _is_to_come(snapshot, today),
        "check": check is not None and check.has_passed,
        "mailbox": proofs.has_mailbox,
    }


def _entered(snapshot: Snapshot) -> set[str]:
    """Return the steps whose part here is done. Who has a secret has been through the pages of Entra before it."""
    entered = {"register"} if snapshot.is_set("client_id") and snapshot.is_set("tenant_id") else set()
    return entered | ({"redirect_uri", "permissions", "consent"} if snapshot.is_set("client_secret") else set())


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


def _is_to_come(snapshot: Snapshot, today: date) -> bool:
    expires_on = snapshot.effective("client_secret_expires_on").value
    return isinstance(expires_on, date) and expires_on >= today
