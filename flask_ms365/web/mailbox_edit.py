"""What the team calls a mailbox, who answers for it, and who may read it."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailbox_edit(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
