"""Folders, messages and attachments. Only ``sync/`` writes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship

from flask_ms365.models.base import Base, GraphId, Json, LongText, prefer_lz4

if TYPE_CHECKING:
    from flask_ms365.models.mailboxes import Mailbox

# messages a page; the largest one that Graph grants is not documented, so we ask for this and take what comes
PAGE_SIZE = 200

# what a folder's ``doubt`` says
ASKED, BELIEVED = "asked", "believed"


class Folder(Base):
    """A mail folder, with the cursor of its message delta."""

    __tablename__ = "ms365_folder"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "graph_id"),
        # hardly any: a tick asks whether there is one
        Index(
            "ix_ms365_folder_doubt",
            "doubt",
            postgresql_where=text("doubt IS NOT NULL"),
            sqlite_where=text("doubt IS NOT NULL"),
        ),
        Index(
            "ix_ms365_folder_deleted_to",
            "deleted_to",
            postgresql_where=text("deleted_to IS NOT NULL"),
            sqlite_where=text("deleted_to IS NOT NULL"),
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    graph_id: Mapped[str] = mapped_column(GraphId)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("ms365_folder.id"), index=True)
    name: Mapped[str]
    # inbox, sentitems ...: the same in every language
    well_known_name: Mapped[str | None] = mapped_column(String(64))
    is_hidden: Mapped[bool] = mapped_column(default=False)
    total_count: Mapped[int] = mapped_column(default=0)
    removed_at: Mapped[datetime | None]

    # what people chose; null: nobody has chosen yet, the default applies
    selected: Mapped[bool | None]

    # the cursor: next_link resumes a round under way, delta_link starts the next one. All links are secrets.
    next_link: Mapped[str | None] = mapped_column(LongText)
    delta_link: Mapped[str | None] = mapped_column(LongText)
    # new mail first: what came since a long reading began is told by a delta of its own
    fresh_link: Mapped[str | None] = mapped_column(LongText)
    # grows when the folder is read again from the start; messages not seen by then are confirmed one by one
    round: Mapped[int] = mapped_column(default=1)
    # all mail received from then on is stored, as far as the cursor got; null: all mail
    since: Mapped[datetime | None]
    synced_at: Mapped[datetime | None]
    # messages a page, as many as Graph was last seen to manage
    page_size: Mapped[int] = mapped_column(default=PAGE_SIZE)
    # whether bodies are read message by message, because pages with bodies do not get through or are mostly too old
    bodies_apart: Mapped[bool] = mapped_column(default=False)

    # how far a reading from the start has come
    began_at: Mapped[datetime | None]
    read_count: Mapped[int] = mapped_column(default=0)
    read_seconds: Mapped[float] = mapped_column(default=0.0)
    oldest_at: Mapped[datetime | None]

    # the nightly comparison with what Graph lists: its place, and when it last came to the end
    check_link: Mapped[str | None] = mapped_column(LongText)
    checked_at: Mapped[datetime | None]
    # all of its mail is gone, says Graph, and nothing is removed until a person has said that they believe it
    doubt: Mapped[str | None] = mapped_column(String(16))
    # why Graph did not let us read it the last time
    error_code: Mapped[str | None] = mapped_column(String(64))
    # what is stored of it is being deleted, message by message, up to this id by now
    deleted_to: Mapped[int | None]

    # for hosts; all of these are read and never written: only ``sync/`` writes mail
    mailbox: Mapped[Mailbox] = relationship("Mailbox", viewonly=True)
    messages: WriteOnlyMapped[Message] = relationship("Message", viewonly=True, lazy="write_only")


class Message(Base):
    """A message as Microsoft Graph gives it. Every property is nullable there, and so it is here."""

    __tablename__ = "ms365_message"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "graph_id"),
        # removed_at, so that what a folder holds is counted without a look at its messages
        Index("ix_ms365_message_folder_id", "folder_id", "received_at", "removed_at"),
        Index("ix_ms365_message_conversation_id", "conversation_id"),
        # little is removed at a time: where a database can, it keeps only that
        Index(
            "ix_ms365_message_removed_at",
            "removed_at",
            postgresql_where=text("removed_at IS NOT NULL"),
            sqlite_where=text("removed_at IS NOT NULL"),
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("ms365_folder.id"))

    # identity: the immutable id, compared byte by byte
    graph_id: Mapped[str] = mapped_column(GraphId)
    change_key: Mapped[str | None]
    internet_message_id: Mapped[str | None]
    # of a mailbox; null where Graph gives none that can be stored
    conversation_id: Mapped[str | None] = mapped_column(GraphId)

    # envelope
    subject: Mapped[str | None]
    from_name: Mapped[str | None]
    from_address: Mapped[str | None]
    sender_name: Mapped[str | None]
    sender_address: Mapped[str | None]
    # {"kind": "to" | "cc" | "bcc" | "reply_to", "name": ..., "address": ...}
    recipients: Mapped[list[Any]] = mapped_column(Json)
    received_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    # what people do to it
    is_read: Mapped[bool | None]
    is_draft: Mapped[bool | None]
    importance: Mapped[str | None]
    flag_status: Mapped[str | None]
    categories: Mapped[list[Any]] = mapped_column(Json)

    has_attachments: Mapped[bool | None]
    preview: Mapped[str | None]
    web_link: Mapped[str | None]

    # set when Graph confirmed that it is gone from the folders we read: ``deleted``, or in an ``unselected`` folder
    removed_at: Mapped[datetime | None]
    removed_reason: Mapped[str | None] = mapped_column(String(16))

    # last, and loaded apart: a list of messages must not read their bodies
    body_content_type: Mapped[str | None]
    body: Mapped[str | None] = mapped_column(LongText, deferred=True)

    mailbox: Mapped[Mailbox] = relationship("Mailbox", viewonly=True)
    folder: Mapped[Folder] = relationship("Folder", viewonly=True)
    attachments: Mapped[list[Attachment]] = relationship("Attachment", viewonly=True, order_by="Attachment.id")


prefer_lz4(Message.__table__, "body")


class Attachment(Base):
    """What is known of an attachment. Its content stays with Microsoft until somebody asks for it."""

    __tablename__ = "ms365_attachment"
    __table_args__ = (
        # what is missing of a mailbox, in order, however much of it and of others is stored
        Index("ix_ms365_attachment_mailbox_id", "mailbox_id", "content_stored_at", "id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("ms365_message.id", ondelete="CASCADE"), index=True)
    # that of its message
    mailbox_id: Mapped[int]
    # up to 209 characters in samples, more for nested ones; nothing is looked up by it
    graph_id: Mapped[str]
    name: Mapped[str | None]
    content_type: Mapped[str | None]
    size: Mapped[int | None]
    # file, item or reference
    kind: Mapped[str] = mapped_column(String(16))
    is_inline: Mapped[bool | None]
    content_id: Mapped[str | None]

    # where contents are stored by policy: since when, or what went wrong so far, how often, and when to try again
    content_stored_at: Mapped[datetime | None]
    content_error: Mapped[str | None] = mapped_column(String(64))
    content_attempts: Mapped[int] = mapped_column(default=0)
    content_retry_at: Mapped[datetime | None]

    message: Mapped[Message] = relationship("Message", viewonly=True)


class Sighting(Base):
    """A message that a folder's new reading from the start, or its nightly comparison, has met so far.

    A narrow table of its own: marking the messages would write their bodies again.
    """

    __tablename__ = "ms365_sighting"
    __table_args__ = (Index("ix_ms365_sighting_folder_id", "folder_id", "message_id"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("ms365_folder.id", ondelete="CASCADE"))
    # may come more than once, and may stay behind its message: both mean nothing
    message_id: Mapped[int]


class SetAside(Base):
    """A message that could not be read or stored: it is tried again later, and never in the way of others."""

    __tablename__ = "ms365_set_aside"
    __table_args__ = (UniqueConstraint("mailbox_id", "graph_id"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("ms365_folder.id", ondelete="CASCADE"), index=True)
    graph_id: Mapped[str] = mapped_column(GraphId)
    # what people can know it by
    subject: Mapped[str | None]
    received_at: Mapped[datetime | None]
    # Graph's error code, or what of ours refused it
    code: Mapped[str] = mapped_column(String(64))
    attempts: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime]
    next_try_at: Mapped[datetime]
    # a person said that it is not wanted: it is not tried again unless it changes
    skipped_at: Mapped[datetime | None]
