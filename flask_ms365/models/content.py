"""Contents of attachments, apart from what lists them. Only ``content/`` and ``sync/attachments.py`` write here."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import Base

# MySQL's BLOB ends at 64 KB
_LongBinary = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


class AttachmentContent(Base):
    """The bytes of a file, or an item as MIME, vCard or iCalendar, where the setting ``store_attachments`` asks for it.

    There is no row for what stays with Microsoft.
    """

    __tablename__ = "ms365_attachment_content"

    attachment_id: Mapped[int] = mapped_column(ForeignKey("ms365_attachment.id", ondelete="CASCADE"), primary_key=True)
    content: Mapped[bytes] = mapped_column(_LongBinary, deferred=True)
