"""Folders, messages and attachments. Only ``sync/store.py`` writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import Base, GraphId, LongText


class Folder(Base):
    """A mail folder, with the cursor of its message delta."""

    __tablename__ = "ms365_folder"
    __table_args__ = (UniqueConstraint("mailbox_id", "graph_id"), Base.__table_args__)

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

    # the cursor: next_link resumes a round under way, delta_link starts the next one. Both are secrets.
    next_link: Mapped[str | None] = mapped_column(LongText)
    delta_link: Mapped[str | None] = mapped_column(LongText)
    # grows when the folder is read again from the start; messages not seen by then are confirmed one by one
    round: Mapped[int] = mapped_column(default=1)
    # all mail received from then on is stored, as far as the cursor got; null: all mail
    since: Mapped[datetime | None]
    synced_at: Mapped[datetime | None]


class Message(Base):
    """A message as Microsoft Graph gives it. Every property is nullable there, and so it is here."""

    __tablename__ = "ms365_message"
    __table_args__ = (
        UniqueConstraint("mailbox_id", "graph_id"),
        Index("ix_ms365_message_folder_id", "folder_id", "received_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    folder_id: Mapped[int] = mapped_column(ForeignKey("ms365_folder.id"))

    # identity: the immutable id, compared byte by byte
    graph_id: Mapped[str] = mapped_column(GraphId)
    change_key: Mapped[str | None] = mapped_column(String(255))
    internet_message_id: Mapped[str | None]
    conversation_id: Mapped[str | None]

    # envelope
    subject: Mapped[str | None]
    from_name: Mapped[str | None]
    from_address: Mapped[str | None]
    sender_name: Mapped[str | None]
    sender_address: Mapped[str | None]
    # {"kind": "to" | "cc" | "bcc" | "reply_to", "name": ..., "address": ...}
    recipients: Mapped[list[Any]] = mapped_column(JSON)
    received_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]

    # what people do to it
    is_read: Mapped[bool | None]
    is_draft: Mapped[bool | None]
    importance: Mapped[str | None] = mapped_column(String(16))
    flag_status: Mapped[str | None] = mapped_column(String(16))
    categories: Mapped[list[Any]] = mapped_column(JSON)

    has_attachments: Mapped[bool | None]
    preview: Mapped[str | None]
    web_link: Mapped[str | None]

    # set when Graph confirmed that it is gone from the folders we read
    removed_at: Mapped[datetime | None]
    seen_round: Mapped[int]

    # last, and loaded apart: a list of messages must not read their bodies
    body_content_type: Mapped[str | None] = mapped_column(String(8))
    body: Mapped[str | None] = mapped_column(LongText, deferred=True)


class Attachment(Base):
    """What is known of an attachment. Its content stays with Microsoft until somebody asks for it."""

    __tablename__ = "ms365_attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("ms365_message.id", ondelete="CASCADE"), index=True)
    # up to 209 characters in samples, more for nested ones; nothing is looked up by it
    graph_id: Mapped[str]
    name: Mapped[str | None]
    content_type: Mapped[str | None]
    size: Mapped[int | None]
    # file, item or reference
    kind: Mapped[str] = mapped_column(String(16))
    is_inline: Mapped[bool | None]
    content_id: Mapped[str | None]
