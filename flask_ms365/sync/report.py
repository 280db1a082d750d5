"""What a run and a tick came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from flask_ms365.sync.changes import Change


class Result(str, Enum):
    """How a run ended."""

    DONE = "done"
    UNDER_WAY = "under_way"  # its turn was over before the end; it goes on at the cursor when others have had theirs
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    SIGN_IN_NEEDED = "sign_in_needed"
    APP_REFUSED = "app_refused"
    LOCKED = "locked"  # a secret cannot be opened with the keys at hand
    FAILED = "failed"
    SWITCHED_OFF = "switched_off"
    STOPPED = "stopped"  # the worker is shutting down; the next one goes on at the cursor
    TAKEN = "taken"  # another worker holds the mailbox
    DISCONNECTED = "disconnected"  # by a person; what was synced is kept, or being deleted
    RESTING = "resting"  # paused, waiting after a failure, or for others of its organisation

    def __str__(self) -> str:
        return self.value


NEEDS_A_PERSON = frozenset({Result.SIGN_IN_NEEDED, Result.APP_REFUSED, Result.LOCKED, Result.FAILED})


@dataclass(kw_only=True)
class RunReport:
    """One run over one mailbox: counts of messages by change, pages stored, and how it ended."""

    mailbox_id: int
    address: str
    result: Result = Result.DONE
    pages: int = 0
    changes: Counter[Change] = field(default_factory=Counter)
    # messages that could not be read or stored
    set_aside: int = 0
    # there is more to be read or stored at once
    has_more: bool = False
    error: str = ""
    error_code: str = ""
    # by which Microsoft finds the request that was refused
    graph_request_id: str = ""
    retry_after: float | None = None
    # nothing was tried: what stopped an earlier run still holds for the whole app
    is_held: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Messages by the name of what had happened to them, with 0 where nothing had."""
        return {change.value: self.changes[change] for change in Change}

    @property
    def needs_a_person(self) -> bool:
        """Tell whether waiting will not help."""
        return self.result in NEEDS_A_PERSON


@dataclass(frozen=True, kw_only=True)
class TickReport:
    """One look at what is due. ``is_on`` is False where the toggle is off and nothing was done."""

    is_on: bool
    runs: Sequence[RunReport] = ()
    # something is due that this tick left for the next, which should not wait for its interval
    has_more: bool = False
