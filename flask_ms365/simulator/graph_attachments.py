"""Attachments over Graph: files, items and references."""

from __future__ import annotations

from collections.abc import Iterator

from werkzeug import Response

from .call import Call
from .errors import GraphError, item_not_found
from .message import Attachment, Message
from .odata import selected
from .representation import Json, attachment_id, attachment_json, check_selected

_COMMON = ("id", "lastModifiedDateTime", "name", "contentType", "size", "isInline")
_PIECE = 65536
_FILE = tuple(f"microsoft.graph.fileAttachment/{name}" for name in ("contentId", "contentLocation", "contentBytes"))


def list_attachments(call: Call, message: str) -> Json:
    """All attachments of a message."""
    found = call.box.readable(message)
    names = _names(call)
    return {
        "@odata.context": call.context(f"users('{call.user.oid}')/messages('{message}')/attachments"),
        "value": [_shown(call, found, a, i, names) for i, a in enumerate(found.mail.attachments)],
    }


def get_attachment(call: Call, message: str, attachment: str) -> Json:
    """One attachment; `$expand=microsoft.graph.itemAttachment/item` shows the message inside."""
    found = call.box.readable(message)
    index, one = _opened(call, found, attachment)
    context = call.context(f"users('{call.user.oid}')/messages('{message}')/attachments/$entity")
    return {"@odata.context": context, **_shown(call, found, one, index, _names(call))}


def get_content(call: Call, message: str, attachment: str) -> Response:
    """The bytes of a file, or the MIME of an item."""
    _, one = _opened(call, call.box.readable(message), attachment)
    if one.kind == "reference":
        raise GraphError(405, "ErrorInvalidRequest", "A reference attachment has no content.")
    content_type = "message/rfc822" if one.kind == "item" else one.content_type
    # streamed: nobody knows the length before the end
    return Response(_pieces(one.content), content_type=content_type or "application/octet-stream")


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


def _opened(call: Call, message: Message, wanted: str) -> tuple[int, Attachment]:
    index, attachment = _find(call, message, wanted)
    call.box.check_readable(f"{message.id}/{attachment.name}")
    return index, attachment


def _find(call: Call, message: Message, wanted: str) -> tuple[int, Attachment]:
    for index, attachment in enumerate(message.mail.attachments):
        if attachment_id(message, call.shape, index)[-32:] == wanted[-32:]:
            return index, attachment
    raise item_not_found()


def _names(call: Call) -> set[str] | None:
    names = selected(call.args)
    if names is None:
        return None
    check_selected(names, "attachment", (*_COMMON, *_FILE))
    return {name.rpartition("/")[2] for name in names}


def _shown(call: Call, message: Message, attachment: Attachment, index: int, names: set[str] | None) -> Json:
    item = "itemattachment/item" in call.args.get("$expand", "").lower()
    whole = attachment_json(attachment, message, call.shape, index, item=item)
    if names is None:
        return whole
    kept = names | {"id", "item"}
    return {name: value for name, value in whole.items() if name.startswith("@") or name in kept}
