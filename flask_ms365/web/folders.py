"""Which folders of a mailbox are read, and from when on; deleting what is stored of one that is not read any more."""

from __future__ import annotations

from flask.typing import ResponseReturnValue


def mailbox_folders(mailbox_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError


def folder_delete(mailbox_id: int, folder_id: int) -> ResponseReturnValue:
    """Not yet."""
    raise NotImplementedError
