"""What the host does with the mail of a mailbox: choose a process, fill in its options, try it."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailbox_process(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
