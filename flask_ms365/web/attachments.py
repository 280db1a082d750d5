"""What lies behind a message: attachments, inline images, and the message itself as a file."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def attachment(attachment_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def message_inline(message_id: int, content_id: str) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def message_eml(message_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
