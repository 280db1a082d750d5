"""Grants that people gave, sign-ins under way, and what stops all requests for tokens at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.crypto import Sealed
from flask_ms365.models.base import Base, HostId


class Connection(Base):
    """One Microsoft account that signed in for one of the host's users. Its identity is ``(tid, oid)``."""

    __tablename__ = "ms365_connection"
    __table_args__ = (UniqueConstraint("user_id", "tid", "oid"), Base.__table_args__)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(HostId)

    # who signed in
    tid: Mapped[str] = mapped_column(String(36))
    oid: Mapped[str] = mapped_column(String(36))
    upn: Mapped[str | None]
    name: Mapped[str | None]

    # where the grant was given: kept with it, since the settings may change later
    authority: Mapped[str]
    client_id: Mapped[str]
    redirect_uri: Mapped[str | None]
    # what we asked for, and what Microsoft named in its last answer
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    granted_scopes: Mapped[list[Any]] = mapped_column(JSON, default=list)

    # the token pair; version grows with each stored pair
    access_token: Mapped[str | None] = mapped_column(Sealed)
    refresh_token: Mapped[str | None] = mapped_column(Sealed)
    expires_at: Mapped[datetime]
    renewed_at: Mapped[datetime] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(default=1)

    # who may refresh it now
    refresh_owner: Mapped[str | None] = mapped_column(String(64))
    refresh_until: Mapped[datetime | None]

    # why it is dead, if it is, and the claims that Microsoft wants to see at the next sign-in
    is_dead: Mapped[bool] = mapped_column(default=False)
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_text: Mapped[str | None]
    claims: Mapped[str | None]

    created_at: Mapped[datetime]


class OAuthFlow(Base):
    """A sign-in under way: usable once, for ten minutes, by the browser and the user who began it."""

    __tablename__ = "ms365_oauth_flow"

    # the hash of the state parameter; the state itself is only in the browser
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    # names the outcome in a URL; worth nothing to anybody but the user who began
    outcome_id: Mapped[str] = mapped_column(String(32), unique=True)
    binding: Mapped[str] = mapped_column(String(64))
    # empty where a visitor signs in to the host: nobody is known yet
    user_id: Mapped[str] = mapped_column(HostId)
    # own, system, sign_in or consent: see identity/flow.py
    purpose: Mapped[str] = mapped_column(String(16), default="own")
    mailbox_id: Mapped[int | None] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"), index=True)
    # [tid, oid] of the account that must sign in; null where any may
    expected: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    # the path of the host to go on to, for a sign-in to the host
    next_path: Mapped[str | None]

    # what the authorize request said; the token request must say the same
    nonce: Mapped[str] = mapped_column(String(64))
    code_verifier: Mapped[str | None] = mapped_column(Sealed)
    redirect_uri: Mapped[str]
    scopes: Mapped[list[Any]] = mapped_column(JSON)
    registration: Mapped[str] = mapped_column(String(64))

    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    consumed_at: Mapped[datetime | None]

    # how it ended: null while under way, empty when good, else our words
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Circuit(Base):
    """An app whose token requests are held back: it was refused, or asked to slow down. One row, not one a mailbox."""

    __tablename__ = "ms365_circuit"

    # the fingerprint of registration and credential: other settings begin with a closed circuit
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    # refused or busy
    reason: Mapped[str] = mapped_column(String(16))
    opened_at: Mapped[datetime]
    # when one request may try again
    retry_at: Mapped[datetime]
    fail_count: Mapped[int] = mapped_column(default=1)
    # what Microsoft said, in our words
    error: Mapped[dict[str, Any]] = mapped_column(JSON)
