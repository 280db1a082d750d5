"""What is known of organisations whose mailboxes are read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import Base


class Tenant(Base):
    """An organisation: its mailboxes share what Microsoft allows it. Whoever claims one of them locks this row."""

    __tablename__ = "ms365_tenant"

    # its id; of mailboxes that the app reads without a sign-in, what the settings name
    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    # mailboxes that got into trouble with Microsoft, less the runs that went well since
    strikes: Mapped[int] = mapped_column(default=0)
    # the circuit: none of its mailboxes is read until then, and after that one tries for all
    held_until: Mapped[datetime | None] = mapped_column(index=True)
    # how often it was held without a good run between
    fail_count: Mapped[int] = mapped_column(default=0)
