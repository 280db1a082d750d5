"""One button for several mailboxes of the list."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailboxes_selected() -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
