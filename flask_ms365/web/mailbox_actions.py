"""The buttons of a mailbox: sync now, pause, resume, start over."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailbox_sync(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def mailbox_pause(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def mailbox_resume(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def mailbox_restart(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
