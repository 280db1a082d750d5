"""Messages over Graph: lists, deltas, one message, and what a client may change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from werkzeug import Response

from .call import Call
from .delta import Cursor
from .errors import GraphError, invalid_query
from .folder import Folder
from .graph_folders import delta_link
from .message import Message
from .mime import serialize
from .odata import delta_query, moment, number
from .representation import Json, delta_json, message_json
from .responses import json_response

_CLAUSE = re.compile(
    r"(receivedDateTime|isRead|internetMessageId|conversationId|hasAttachments)\s+(eq|ne|ge|gt|le|lt)\s+('(?:[^']|'')*'|\S+)",
    re.IGNORECASE,
)
_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "ge": lambda left, right: left >= right,  # type: ignore[operator]  # dates, by the check in _matches
    "gt": lambda left, right: left > right,  # type: ignore[operator]
    "le": lambda left, right: left <= right,  # type: ignore[operator]
    "lt": lambda left, right: left < right,  # type: ignore[operator]
}


def list_messages(call: Call, folder: str | None = None) -> Json:
    """A page of the messages of a folder, or of the mailbox, the newest first."""
    folder_id = _readable_folder(call, folder).id if folder else None
    found = [m for m in call.box.listed(folder_id) if _matches(m, call.args.get("$filter"))]
    if _is_oldest_first(call):
        found.reverse()
    top, skip = number(call.args, "$top", 10), number(call.args, "$skip", 0, least=0, most=10**9)
    shown = found[skip : skip + top]
    names, expand = call.names(), "attachments" in call.args.get("$expand", "")
    path = f"/mailFolders/{folder}/messages" if folder else "/messages"
    answer: Json = {"@odata.context": call.context(f"users('{call.user.oid}'){path}")}
    if call.args.get("$count", "").lower() == "true":
        answer["@odata.count"] = len(found)
    _check_page(call, shown, names)
    answer["value"] = [message_json(m, call.shape, names, expand=expand) for m in shown]
    if skip + top < len(found):
        answer["@odata.nextLink"] = call.link(path, call.args.to_dict() | {"$skip": str(skip + top)})
    return answer


def messages_delta(call: Call, folder: str) -> Json:
    """What changed in a folder."""
    found = _readable_folder(call, folder)
    path = f"/mailFolders('{found.id}')/messages/delta"
    token = call.args.get("$skiptoken") or call.args.get("$deltatoken")
    immutable = call.prefer.immutable
    if token:
        cursor = _resumed(call, token, found.id, path)
    else:
        call.names()
        cursor = call.box.start_round(found.id, delta_query(call.args), immutable=immutable)
    entries, following, next_token = call.box.page(cursor, call.prefer.max_page_size or 10, token)
    names, expand = call.names(cursor.query.select), cursor.query.expand
    messages = [call.box.current(entry, found.id) for entry in entries]
    _check_page(call, messages, names)
    return {
        "@odata.context": call.context("Collection(message)"),
        **delta_link(call, path, next_token, is_delta=following.is_delta),
        "value": [
            delta_json(entry, message, call.shape, names, expand=expand)
            for entry, message in zip(entries, messages, strict=True)
        ],
    }


def get_message(call: Call, message: str) -> Json:
    """One message."""
    found = call.box.readable(message)
    expand = "attachments" in call.args.get("$expand", "")
    return _entity(call, found) | message_json(found, call.shape, call.names(), expand=expand)


def get_mime(call: Call, message: str) -> Response:
    """The message as MIME."""
    return Response(serialize(call.box.readable(message).mail), content_type="text/plain")


def patch_message(call: Call, message: str) -> Json:
    """Change what a client may change: isRead, categories, flag, importance, the subject of a draft."""
    found, body = call.box.message(message), call.json()
    if "isRead" in body:
        call.box.mark_read(found.id, bool(body["isRead"]))
    flag, categories = body.get("flag"), body.get("categories")
    changes = {
        "subject": body.get("subject"),
        "importance": body.get("importance"),
        "flag": flag.get("flagStatus") if isinstance(flag, dict) else None,
    }
    texts = {name: str(value) for name, value in changes.items() if value is not None}
    if texts or isinstance(categories, list):
        call.box.update(found.id, categories=map(str, categories) if isinstance(categories, list) else None, **texts)
    changed = call.box.message(found.id)
    return _entity(call, changed) | message_json(changed, call.shape, None)


def move_message(call: Call, message: str) -> Response:
    """Move a message: 201 with the message as it is there."""
    target = call.box.folders.get(str(call.json().get("destinationId", "")))
    moved_id = call.box.message(message).id
    call.box.move(moved_id, target.id)
    moved = call.box.message(moved_id)
    return json_response(_entity(call, moved) | message_json(moved, call.shape, None), 201)


def delete_message(call: Call, message: str) -> Response:
    """Delete a message: to Deleted Items first, from there for good."""
    found = call.box.message(message)
    in_deleted_items = found.folder_id == call.box.folders.get("deleteditems").id
    call.box.delete(found.id, permanently=in_deleted_items)
    return Response(status=204)


def translate_ids(call: Call) -> Json:
    """Translate ids between the default format and the immutable one."""
    body = call.json()
    wanted = body.get("inputIds")
    ids = [str(one) for one in wanted] if isinstance(wanted, list) else []
    immutable = str(body.get("targetIdType", "")).lower() == "restimmutableentryid"
    return {
        "@odata.context": call.context("Collection(microsoft.graph.convertIdResult)"),
        "value": [_translated(call, one, immutable) for one in ids],
    }


def _readable_folder(call: Call, folder: str) -> Folder:
    found = call.box.folders.get(folder)
    call.box.check_readable(found.id)
    return found


def _is_oldest_first(call: Call) -> bool:
    order, text = call.args.get("$orderby", "").lower(), call.args.get("$filter", "receivedDateTime").lower()
    if order.startswith("receiveddatetime") and not text.startswith("receiveddatetime"):
        raise GraphError(400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
    return order in ("receiveddatetime", "receiveddatetime asc")


def _check_page(call: Call, messages: Iterable[Message | None], names: list[str] | None) -> None:
    if names is None or "body" in names:
        call.box.check_page(messages)


def _resumed(call: Call, token: str, feed: str, path: str) -> Cursor:
    try:
        return call.box.resume(token, feed, immutable=call.prefer.immutable)
    except GraphError as error:
        if error.status == 410:
            error.headers["Location"] = call.link(path, {"$deltatoken": ""})
        raise


def _entity(call: Call, message: Message) -> Json:
    return {"@odata.context": call.context(f"users('{call.user.oid}')/messages/$entity")}


def _translated(call: Call, source: str, immutable: bool) -> Json:
    try:
        message = call.box.message(source)
    except GraphError as error:
        return {"sourceId": source, "errorDetails": {"code": error.code, "message": error.message}}
    return {"sourceId": source, "targetId": message.id if immutable else message.movable_id}


def _matches(message: Message, text: str | None) -> bool:
    if text is None:
        return True
    return all(_meets(message, clause) for clause in re.split(r"\s+and\s+", text, flags=re.IGNORECASE))


def _meets(message: Message, clause: str) -> bool:
    found = _CLAUSE.fullmatch(clause.strip().strip("()"))
    if not found:
        raise invalid_query(f"Invalid filter clause: '{clause}'.")
    name, operator, literal = found[1].lower(), found[2].lower(), found[3]
    if name == "receiveddatetime":
        # what has no date is never on either side of one
        return message.received_at is not None and _COMPARE[operator](message.received_at, moment(literal))
    value: object = {
        "isread": message.is_read,
        "hasattachments": message.mail.has_attachments,
        "internetmessageid": message.mail.internet_message_id,
        "conversationid": message.conversation_id,
    }[name]
    wanted: object = literal.lower() == "true" if isinstance(value, bool) else literal.strip("'").replace("''", "'")
    return (value == wanted) == (operator == "eq")
