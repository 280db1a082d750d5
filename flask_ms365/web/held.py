"""What holds all requests for tokens back: told once on a page, and not once a mailbox."""

from __future__ import annotations

from flask_ms365.errors import AppRefused, TokenError
from flask_ms365.state import State
from flask_ms365.web.snapshot import current_summary


def what_holds(state: State) -> TokenError | None:
    """Return why no mailbox gets new tokens; not a statement more while no mailbox has met that."""
    counts = current_summary().counts
    has_met = counts.get("failed") or counts.get("waiting")
    return state.circuits.what_holds(state.registration) if has_met else None


def kind_of(held: TokenError) -> str:
    """Return the tone: a refusal waits for a person, a busy service does not."""
    return "bad" if isinstance(held, AppRefused) else "warn"
