"""How far long chores have come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import Base, Json


class Chore(Base):
    """Something that ticks do bit by bit, whichever process has the next one."""

    __tablename__ = "ms365_chore"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    # what the settings asked for when it was begun
    wanted: Mapped[str] = mapped_column(String(64))
    # grows with each step: of two processes that saw the same one, the later does nothing
    step: Mapped[int] = mapped_column(default=0)
    # where the next step begins, as the chore itself understands it
    place: Mapped[dict[str, Any]] = mapped_column(Json)
    due_at: Mapped[datetime]
