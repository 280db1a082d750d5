"""JSON Lines: an object a message, with the columns of ``Message`` by their names, ``folder`` and ``attachments``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from flask_ms365.export.mail import Mail
from flask_ms365.models import Message

_COLUMNS = tuple(column.key for column in Message.__table__.columns)
_FACTS = ("id", "name", "content_type", "size", "kind", "is_inline", "content_id")


def json_line(mail: Mail) -> bytes:
    """Return a message as a line in UTF-8; moments are in UTC and say so."""
    columns = {name: _plain(getattr(mail.message, name)) for name in _COLUMNS}
    attachments = [{name: getattr(row, name) for name in _FACTS} for row in mail.attachments]
    return msgspec.json.encode({**columns, "folder": mail.folder, "attachments": attachments}) + b"\n"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
