"""Mailboxes, what people chose for each, the lease that lets one worker at a time sync it, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, WriteOnlyMapped, mapped_column, relationship

from flask_ms365.models.base import Base, GraphId, HostId, Json, LongText

if TYPE_CHECKING:
    from flask_ms365.models.mail import Folder, Message


class Mailbox(Base):
    """A mailbox whose mail is synced: a person's own (``user``) or the team's (``system``)."""

    __tablename__ = "ms365_mailbox"
    __table_args__ = (
        # whoever waits for a person stays due for years: a tick must not come by them
        Index("ix_ms365_mailbox_state", "state", "next_due_at"),
        Index("ix_ms365_mailbox_owner_id", "owner_id"),
        # whose turn it is to be measured, however many there are
        Index("ix_ms365_mailbox_measured_at", "measured_at", "id"),
        # few fail at a time: where a database can, it keeps only those
        Index(
            "ix_ms365_mailbox_fail_count",
            "fail_count",
            postgresql_where=text("fail_count > 0"),
            sqlite_where=text("fail_count > 0"),
        ),
        Index(
            "ix_ms365_mailbox_running_for",
            "running_for",
            postgresql_where=text("running_for IS NOT NULL"),
            sqlite_where=text("running_for IS NOT NULL"),
        ),
        # those of which people were told: a tick asks whether it is over
        Index(
            "ix_ms365_mailbox_told_cause",
            "told_cause",
            postgresql_where=text("told_cause IS NOT NULL"),
            sqlite_where=text("told_cause IS NOT NULL"),
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    # sign_in (the account's own mailbox), shared (a delegate's sign-in) or application (no sign-in at all)
    access: Mapped[str] = mapped_column(String(16), default="sign_in")
    owner_id: Mapped[str | None] = mapped_column(HostId)
    connection_id: Mapped[int | None] = mapped_column(ForeignKey("ms365_connection.id"), index=True)
    label: Mapped[str | None]
    # the address people know, and the sign-in name beside it: they differ in real tenants
    address: Mapped[str]
    upn: Mapped[str | None]
    created_at: Mapped[datetime]

    # what people chose: whether folders are read that nobody chose one by one, and from when on mail is read, which
    # is as the settings say where nobody did
    reads_new_folders: Mapped[bool] = mapped_column(default=True)
    sync_from: Mapped[datetime | None]
    # what is done with mail that was received since: the name of a process of the host's, and its options
    process: Mapped[str | None] = mapped_column(String(64))
    process_options: Mapped[dict[str, Any] | None] = mapped_column(Json)
    process_since: Mapped[datetime | None]

    # what people see: connected, paused, sign_in_needed, disconnected; deleting while its mail is on its way out
    state: Mapped[str] = mapped_column(String(32), default="connected")
    paused_at: Mapped[datetime | None]
    paused_by: Mapped[str | None] = mapped_column(String(128))
    last_success_at: Mapped[datetime | None]
    # when the first run failed since the last good one
    failing_since: Mapped[datetime | None]
    # how the last run ended that says something about the mailbox: see sync/report.py
    last_result: Mapped[str | None] = mapped_column(String(32))
    last_error: Mapped[str | None]
    last_error_code: Mapped[str | None] = mapped_column(String(64))

    # when to look again
    next_due_at: Mapped[datetime]
    fail_count: Mapped[int] = mapped_column(default=0)

    # the lease; the epoch fences off a holder that woke up too late
    lease_owner: Mapped[str | None] = mapped_column(String(64))
    lease_expires_at: Mapped[datetime | None]
    lease_epoch: Mapped[int] = mapped_column(default=0)
    # the tenant whose runs it counts among, while one has the lease; a look sets none
    running_for: Mapped[str | None] = mapped_column(String(255))

    # the folder tree: the cursor of its delta, a secret, when it was last asked, and when all of it was last listed
    folders_link: Mapped[str | None] = mapped_column(LongText)
    folders_asked_at: Mapped[datetime | None]
    folders_listed_at: Mapped[datetime | None]
    # how many requests Microsoft's quota had left when the last page was stored
    quota_left: Mapped[float | None]
    quota_at: Mapped[datetime | None]
    # when people were told that it is overdue, and what was in the way then; over once it has had a success since
    overdue_at: Mapped[datetime | None]
    overdue_cause: Mapped[str | None] = mapped_column(String(32))
    # what is wrong with it, as people were last told; null: nothing, or they were told that it is over
    told_cause: Mapped[str | None] = mapped_column(String(32))
    told_at: Mapped[datetime | None]
    # what its messages and stored attachments take, in bytes, and when that was counted
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    measured_at: Mapped[datetime | None]

    # for hosts, and read only; the messages are a query that is to be narrowed, since there may be a million of them
    folders: Mapped[list[Folder]] = relationship("Folder", viewonly=True, order_by="Folder.name")
    messages: WriteOnlyMapped[Message] = relationship("Message", viewonly=True, lazy="write_only")


class Reader(Base):
    """Who may read a mailbox of the team beside those who manage it: a user, a role, or everyone who reads mail."""

    __tablename__ = "ms365_reader"
    __table_args__ = (UniqueConstraint("mailbox_id", "kind", "subject"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    # user, role or everyone
    kind: Mapped[str] = mapped_column(String(16))
    # the host's id of the user or the role; empty for everyone
    subject: Mapped[str] = mapped_column(HostId, default="")


class Processed(Base):
    """A conversation that a mailbox's process was called for: once, ever."""

    __tablename__ = "ms365_processed"
    __table_args__ = (UniqueConstraint("mailbox_id", "conversation_id"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"))
    conversation_id: Mapped[str] = mapped_column(GraphId)
    process: Mapped[str] = mapped_column(String(64))
    # may stay behind its message
    message_id: Mapped[int]
    at: Mapped[datetime]


class SyncRun(Base):
    """One run over one mailbox, with what it did."""

    __tablename__ = "ms365_sync_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime]
    result: Mapped[str] = mapped_column(String(32))
    pages: Mapped[int]
    created: Mapped[int]
    updated: Mapped[int]
    moved: Mapped[int]
    removed: Mapped[int]
    # messages that could not be read or stored
    set_aside: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
