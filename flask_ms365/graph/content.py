"""What lies behind a message: the contents of its attachments, and itself as MIME. One object serves one mailbox."""

from __future__ import annotations

from urllib.parse import quote

from flask_ms365.errors import GraphError
from flask_ms365.graph.download import PERMANENT, Download
from flask_ms365.graph.http import IMMUTABLE, GraphHttp
from flask_ms365.words import Words

_HEADERS = {"Prefer": IMMUTABLE}


class GraphContent:
    """Contents below ``root``, the address of a mailbox, as streams of at most ``limit`` bytes."""

    def __init__(self, http: GraphHttp, *, root: str) -> None:
        self._http = http
        self._root = root

    def attachment(self, message_id: str, attachment_id: str, *, limit: int) -> Download:
        """Return the bytes of a file, or an item as MIME, vCard or iCalendar."""
        return self._value(f"{_message(message_id)}/attachments/{quote(attachment_id, safe='')}", limit)

    def mime(self, message_id: str, *, limit: int) -> Download:
        """Return a message as MIME. Exchange writes it anew; the original is not kept."""
        return self._value(_message(message_id), limit)

    def _value(self, path: str, limit: int) -> Download:
        try:
            return self._http.stream(f"{self._root}{path}/$value", headers=_HEADERS, limit=limit)
        except GraphError as exc:
            if exc.code not in PERMANENT:
                raise
            broken = Words("Microsoft cannot open this content: it is damaged where it is kept.")
            raise GraphError(broken, status=exc.status, code=exc.code, request_id=exc.request_id) from None


def _message(message_id: str) -> str:
    return f"/messages/{quote(message_id, safe='')}"
