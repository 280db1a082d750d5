"""What a host is told when something waits for its people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask_ms365.words import Words

SIGN_IN_NEEDED = "sign_in_needed"
FAILED = "failed"
NOT_DELETED = "delete_failed"
DOUBT = "doubt"
OVERDUE = "overdue"
# of the whole app: it was refused, or will be
APP_REFUSED = "app_refused"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that waits for people, or is over by now (``is_over``).

    ``mailbox_id`` is None where it is the whole app's, ``address`` is empty then. ``url`` is the page where it is
    mended: absolute where the public address is known. ``user_ids`` are those of the host's users whom it concerns.
    """

    cause: str
    is_over: bool
    words: Words
    next_step: str
    url: str
    mailbox_id: int | None = None
    address: str = ""
    user_ids: tuple[str, ...] = ()
    # the admins too, always: what is sent to ``address`` alone is read by nobody here
    admins: bool = True


TroubleHandler = Callable[[Trouble], object]
