"""What lies behind a message: the contents of its attachments, and itself as MIME. One object serves one mailbox."""

from __future__ import annotations

from urllib.parse import quote

from flask_ms365.errors import GraphError
from flask_ms365.graph.decode import decode
from flask_ms365.graph.download import PERMANENT, Download
from flask_ms365.graph.http import IMMUTABLE, GraphHttp
from flask_ms365.graph.types import Body, MessageData
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

    def body(self, message_id: str, *, limit: int) -> Body:
        """Return the text of a message; it is empty where the message has none."""
        url = f"{self._root}{_message(message_id)}?$select=body"
        answer = b"".join(self._http.stream(url, headers=_HEADERS, limit=limit))
        return decode(answer, MessageData).body or Body()

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
