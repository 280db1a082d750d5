"""``ms365.content``: from the id of an attachment or a message to its bytes or its text, stored ones first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask
from sqlalchemy import select

from flask_ms365.content.content import Body, Content, Stored
from flask_ms365.content.names import item_type, safe_name, safe_type, suffix_of
from flask_ms365.errors import GraphError, NotFound
from flask_ms365.models import Attachment, AttachmentContent, Message
from flask_ms365.models.base import AnySession
from flask_ms365.sync.mailbox_client import MailboxClients
from flask_ms365.words import Words

if TYPE_CHECKING:
    from flask_ms365.graph.content import GraphContent
    from flask_ms365.graph.download import Download

LARGEST = 256 * 1024 * 1024  # Exchange takes messages of 150 MB at most, which are longer as MIME
LARGEST_BODY = 32 * 1024 * 1024  # it is in memory, whole, while it is sanitised


@dataclass(kw_only=True)
class Contents:
    """Contents of the mail of one app.

    Who may read a message is not asked here: the caller knows for whom it reads. Each call has a database session of
    its own and leaves no transaction open; the caller's is not touched.

    All raise what is wrong before anything is read: :exc:`NotFound` for what is not there or not at Microsoft any
    more, :exc:`GraphError` for what has no content, is too large or damaged, :exc:`Throttled` and :exc:`Unavailable`
    for what may go well later, and a :exc:`TokenError` where the mailbox or the app must be connected anew.
    """

    app: Flask
    session: AnySession
    clients: MailboxClients

    def attachment(self, attachment_id: int) -> Content:
        """Return the bytes of a file, or an attached item as MIME, vCard or iCalendar."""
        with self.app.app_context():
            found = self._read(attachment_id)
            if found is None:
                raise NotFound(Words("There is no such attachment."), status=404)
            return self._content(found)

    def inline(self, message_id: int, content_id: str) -> Content:
        """Return what a message's own HTML shows as ``cid:…``."""
        with self.app.app_context():
            # compared here: databases disagree about case and the space at the end
            ids = select(Attachment.id, Attachment.content_id).where(Attachment.message_id == message_id)
            rows = self.session.execute(ids.where(Attachment.content_id.is_not(None)).order_by(Attachment.id)).all()
            wanted = [row.id for row in rows if _bare(row.content_id) == _bare(content_id)]
            self.session.commit()
            return self.attachment(wanted[0] if wanted else 0)

    def mime(self, message_id: int) -> Content:
        """Return a whole message as MIME, which Exchange writes anew from what it keeps."""
        with self.app.app_context():
            found = self._message(message_id, Message.subject)
            source = self._graph(found.mailbox_id).mime(found.graph_id, limit=LARGEST)
            name = safe_name(found.subject or "message", suffix=".eml")
            return Content(name=name, content_type="message/rfc822", kind="message", size=source.size, source=source)

    def body(self, message_id: int) -> Body:
        """Return the text of a message: the stored one, or where bodies are not stored that which Microsoft has."""
        with self.app.app_context():
            found = self._message(message_id, Message.body_content_type, Message.body)
            if found.body is not None:
                return Body(found.body_content_type or "text", found.body)
            read = self._graph(found.mailbox_id).body(found.graph_id, limit=LARGEST_BODY)
            return Body((read.content_type or "text").lower(), read.content or "")

    def _message(self, message_id: int, *columns: Any) -> Any:
        wanted = select(Message.mailbox_id, Message.graph_id, *columns).where(Message.id == message_id)
        found = self.session.execute(wanted).one_or_none()
        self.session.commit()
        if found is None:
            raise NotFound(Words("There is no such message."), status=404)
        return found

    def _read(self, attachment_id: int) -> Any:
        columns = (Attachment.graph_id, Attachment.kind, Attachment.name, Attachment.content_type)
        statement = (
            select(*columns, Message.mailbox_id, Message.graph_id.label("message_id"), AttachmentContent.content)
            .join(Message, Message.id == Attachment.message_id)
            .outerjoin(AttachmentContent, AttachmentContent.attachment_id == Attachment.id)
        )
        found = self.session.execute(statement.where(Attachment.id == attachment_id)).one_or_none()
        self.session.commit()
        return found

    def _content(self, found: Any) -> Content:
        if found.kind == "reference":
            link = Words("This is a link to a file in the cloud. The message holds no content of it.")
            raise GraphError(link, code="referenceAttachment")
        source = self._source(found)
        is_item = found.kind == "item"
        content_type = item_type(source.first) if is_item else safe_type(found.content_type)
        name = safe_name(found.name, suffix=suffix_of(content_type) if is_item else "")
        return Content(name=name, content_type=content_type, kind=found.kind, size=source.size, source=source)

    def _source(self, found: Any) -> Download | Stored:
        if found.content is not None:
            return Stored(found.content)
        return self._graph(found.mailbox_id).attachment(found.message_id, found.graph_id, limit=LARGEST)

    def _graph(self, mailbox_id: int) -> GraphContent:
        return self.clients.of(mailbox_id).content


def _bare(content_id: str) -> str:
    return content_id.strip().removeprefix("<").removesuffix(">")
