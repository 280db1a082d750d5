"""What pages ask for again and again while somebody looks: how mailboxes are, and nothing where nothing changed."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailboxes_live() -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def mailbox_live(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
