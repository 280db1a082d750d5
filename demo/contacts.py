"""Who wrote to the workshop: the host's own table, fed by flask-ms365, and the pages that show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from flask import Blueprint, abort, render_template
from flask_login import current_user, login_required
from sqlalchemy import DateTime, ForeignKey, or_, select
from sqlalchemy.orm import Mapped, mapped_column

from demo.database import Base, db
from flask_ms365 import Change
from flask_ms365.models import Mailbox, Message

OUR_DOMAIN = "@contoso.example"

pages = Blueprint("contacts", __name__)


class Contact(Base):
    """Somebody outside the workshop who wrote to one of its mailboxes."""

    __tablename__ = "contact"

    # a table of ours is a table of the host's: foreign keys work
    mailbox_id: Mapped[int] = mapped_column(ForeignKey("ms365_mailbox.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    letters: Mapped[int] = mapped_column(default=0)
    last_subject: Mapped[str | None]
    # in UTC; SQLite keeps no time zone
    last_at: Mapped[datetime | None] = mapped_column(DateTime)


def note_contact(message: Message, change: Change) -> None:
    """Note who wrote. It runs in the transaction that stores the message, so each letter counts once, ever."""
    address = (message.from_address or "").lower()
    if change is Change.CREATED and address and not address.endswith(OUR_DOMAIN):
        _count(_contact(message.mailbox_id, address), message)


def contacts_of(user_id: str) -> Sequence[Contact]:
    """Return who wrote to the mailboxes that the user may see, those with the latest letter first."""
    visible = or_(Mailbox.owner_id == user_id, Mailbox.kind == "system")
    query = select(Contact).join(Mailbox, Mailbox.id == Contact.mailbox_id).where(visible)
    return db.session.scalars(query.order_by(Contact.last_at.desc())).all()


@pages.get("/")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def home() -> str:
    """Show who wrote last."""
    return render_template("home.html", contacts=contacts_of(current_user.get_id()))


@pages.get("/contacts/<path:address>")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def contact(address: str) -> str:
    """Show somebody who wrote, with the mail: the template brings it in one line."""
    known = [each for each in contacts_of(current_user.get_id()) if each.address == address]
    if not known:
        abort(404)
    return render_template("contact.html", contact=known[0], letters=sum(each.letters for each in known))


def _contact(mailbox_id: int, address: str) -> Contact:
    contact = db.session.get(Contact, (mailbox_id, address))
    if contact is None:
        contact = Contact(mailbox_id=mailbox_id, address=address, letters=0)
        db.session.add(contact)
    return contact


def _count(contact: Contact, message: Message) -> None:
    contact.letters += 1
    received = message.received_at and message.received_at.astimezone(timezone.utc).replace(tzinfo=None)
    if contact.last_at is None or (received and received >= contact.last_at):
        contact.name, contact.last_subject, contact.last_at = message.from_name, message.subject, received
