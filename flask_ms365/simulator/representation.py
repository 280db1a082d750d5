"""Folders, messages and attachments as Graph writes them in JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from .delta import Entry
from .errors import GraphError
from .folder import Folder
from .ids import attachment_suffix
from .mailbox import Mailbox
from .message import Attachment, ContentType, Mail, Message, Person

Json = dict[str, object]


@dataclass(frozen=True)
class Shape:
    """How a caller wants to see things: which ids, which bodies."""

    box: Mailbox
    immutable: bool
    body: ContentType | None

    def id_of(self, message: Message) -> str:
        """The id this caller sees."""
        return self.box.shown_id(message, immutable=self.immutable)


def stamp(moment: datetime | None) -> str | None:
    """A point in time in UTC, without fractions."""
    return f"{moment.replace(microsecond=0, tzinfo=None).isoformat()}Z" if moment else None


def _person(person: Person | None) -> Json | None:
    return person and {"emailAddress": _address(*person)}


def _address(name: str | None, address: str | None) -> Json:
    known = {"name": name, "address": address}
    return {key: value for key, value in known.items() if value is not None}


def _recipients(kind: str) -> Property:
    def recipients(message: Message, shape: Shape) -> object:
        people = [person for person in message.mail.recipients if person.kind == kind]
        return [{"emailAddress": _address(name, address)} for _, name, address in people]

    return recipients


def _body(message: Message, shape: Shape) -> object:
    content_type, content = message.mail.body_as(shape.body)
    return {"contentType": content_type, "content": content}


def _web_link(message: Message, shape: Shape) -> object:
    item = quote(shape.id_of(message), safe="")
    return f"https://outlook.office365.com/owa/?ItemID={item}&exvsurl=1&viewmodel=ReadMessageItem"


Property = Callable[[Message, Shape], object]

DEFAULT_PROPERTIES: dict[str, Property] = {
    "id": lambda message, shape: shape.id_of(message),
    "createdDateTime": lambda message, shape: stamp(message.created_at),
    "lastModifiedDateTime": lambda message, shape: stamp(message.modified_at),
    "changeKey": lambda message, shape: message.change_key,
    "categories": lambda message, shape: message.categories,
    "receivedDateTime": lambda message, shape: stamp(message.received_at),
    "sentDateTime": lambda message, shape: stamp(message.mail.sent_at),
    "hasAttachments": lambda message, shape: message.mail.has_attachments,
    "internetMessageId": lambda message, shape: message.mail.internet_message_id,
    "subject": lambda message, shape: message.mail.subject,
    "bodyPreview": lambda message, shape: message.mail.preview,
    "importance": lambda message, shape: message.mail.importance,
    "parentFolderId": lambda message, shape: message.folder_id,
    "conversationId": lambda message, shape: message.conversation_id,
    "conversationIndex": lambda message, shape: b64encode(message.conversation_id[-24:].encode()).decode(),
    "isDeliveryReceiptRequested": lambda message, shape: False,
    "isReadReceiptRequested": lambda message, shape: False,
    "isRead": lambda message, shape: message.is_read,
    "isDraft": lambda message, shape: message.is_draft,
    "webLink": _web_link,
    "inferenceClassification": lambda message, shape: "focused",
    "body": _body,
    "sender": lambda message, shape: _person(message.mail.sender),
    "from": lambda message, shape: _person(message.mail.from_),
    "toRecipients": _recipients("to"),
    "ccRecipients": _recipients("cc"),
    "bccRecipients": _recipients("bcc"),
    "replyTo": _recipients("reply_to"),
    "flag": lambda message, shape: {"flagStatus": message.flag_status},
}

PROPERTIES: dict[str, Property] = DEFAULT_PROPERTIES | {
    "internetMessageHeaders": lambda message, shape: [
        {"name": name, "value": value} for name, value in message.mail.headers
    ],
    "uniqueBody": _body,
}

_LEFT_OUT_WHEN_NONE = ("sender", "from")


def check_selected(names: Iterable[str], kind: str = "message", known: Iterable[str] = PROPERTIES) -> None:
    """Refuse a property that the type does not have."""
    for name in names:
        if name not in known:
            raise GraphError(
                400,
                "BadRequest",
                "Parsing OData Select and Expand failed: Could not find a property named "
                f"'{name}' on type 'microsoft.graph.{kind}'.",
            )


def message_json(message: Message, shape: Shape, names: Iterable[str] | None, *, expand: bool = False) -> Json:
    """A message with the selected properties (None: the default ones)."""
    shown: Json = {"@odata.etag": f'W/"{message.change_key}"'}
    if message.mail.odata_type:
        shown = {"@odata.type": message.mail.odata_type, **shown}
    for name in DEFAULT_PROPERTIES if names is None else dict.fromkeys(["id", *names]):
        value = PROPERTIES[name](message, shape)
        if value is not None or name not in _LEFT_OUT_WHEN_NONE:
            shown[name] = value
    if expand:
        shown["attachments"] = [attachment_json(a, message, shape, i) for i, a in enumerate(message.mail.attachments)]
    return shown


def delta_json(entry: Entry, message: Message | None, shape: Shape, names: list[str] | None, *, expand: bool) -> Json:
    """A message in a delta page: whole, in part, or removed."""
    type_ = {"@odata.type": "#microsoft.graph.message"}
    if message is None:
        return {**type_, "id": entry.shown_id, "@removed": {"reason": shape.box.removed_reason}}
    return type_ | message_json(message, shape, names if entry.fields is None else sorted(entry.fields), expand=expand)


def folder_json(folder: Folder, box: Mailbox) -> Json:
    """A mail folder."""
    total, unread = box.counts(folder)
    shown: Json = {"@odata.type": "#microsoft.graph.mailSearchFolder"} if folder.is_search else {}
    return shown | {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent_id,
        "childFolderCount": len(box.folders.children(folder.id)),
        "unreadItemCount": unread,
        "totalItemCount": total,
        "sizeInBytes": total * 8192,
        "isHidden": folder.is_hidden,
    }


def attachment_id(message: Message, shape: Shape, index: int) -> str:
    """An attachment's id follows that of its message."""
    return f"{shape.id_of(message).rstrip('=')}{attachment_suffix(index)}="


def attachment_json(attachment: Attachment, message: Message, shape: Shape, index: int, *, item: bool = False) -> Json:
    """One of the three kinds of attachment; `item` adds the message inside an attached one."""
    shown: Json = {
        "@odata.type": f"#microsoft.graph.{attachment.kind}Attachment",
        "id": attachment_id(message, shape, index),
        "lastModifiedDateTime": stamp(message.modified_at),
        "name": attachment.name,
        "contentType": None if attachment.kind == "item" else attachment.content_type,
        "size": attachment.size,
        "isInline": attachment.is_inline,
    }
    if attachment.kind == "file":
        shown["@odata.mediaContentType"] = attachment.content_type
        shown["contentId"] = attachment.content_id
        shown["contentLocation"] = None
        shown["contentBytes"] = b64encode(attachment.content).decode()
    if item and attachment.item:
        shown["item"] = _item_json(attachment.item, message, shape)
    return shown


def _item_json(mail: Mail, message: Message, shape: Shape) -> Json:
    inner = Message(
        id="",
        movable_id="",
        folder_id="",
        conversation_id="",
        change_key="",
        created_at=message.created_at,
        modified_at=message.modified_at,
        received_at=mail.received_at or message.received_at,
        mail=mail,
    )
    return {"@odata.type": mail.odata_type or "#microsoft.graph.message", **message_json(inner, shape, None)}
