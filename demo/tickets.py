"""The service desk: a process that opens a ticket for each conversation, the host's own table, and its pages."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_login import login_required
from sqlalchemy import DateTime, ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wrappers import Response
from wtforms import Form, SelectField

from demo.accounts import USERS
from demo.database import Base, db
from flask_ms365.models import Message

PROCESS = "Create ticket"
OPEN, CLOSED = "open", "closed"

pages = Blueprint("tickets", __name__)


class Ticket(Base):
    """What somebody asked the workshop for. Its number is its id."""

    __tablename__ = "ticket"

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str]
    requester_name: Mapped[str | None]
    requester_address: Mapped[str | None]
    priority: Mapped[str]
    assignee: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=OPEN)
    # in UTC; SQLite keeps no time zone
    opened_at: Mapped[datetime | None] = mapped_column(DateTime)
    # the ticket outlives its mail
    message_id: Mapped[int | None] = mapped_column(ForeignKey("ms365_message.id", ondelete="SET NULL"))


class TicketOptions(Form):  # type: ignore[misc]  # WTForms has no types
    """What an admin says for each mailbox."""

    priority = SelectField("Priority", choices=["low", "normal", "high"], default="normal")
    assignee = SelectField(
        "Assignee", choices=["nobody", *USERS], default="nobody", description="Who finds new tickets on the desk."
    )


def create_ticket(message: Message, options: dict[str, Any]) -> str:
    """Open a ticket. It runs in the transaction that stores the message: one ticket a conversation, or none."""
    received = message.received_at and message.received_at.astimezone(timezone.utc).replace(tzinfo=None)
    ticket = Ticket(
        subject=message.subject or "(no subject)",
        requester_name=message.from_name,
        requester_address=message.from_address,
        priority=options["priority"],
        assignee=None if options["assignee"] == "nobody" else options["assignee"],
        opened_at=received,
        message_id=message.id,
    )
    db.session.add(ticket)
    return f"A ticket of {ticket.priority} priority for {options['assignee']}"


@pages.get("/tickets")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def all_tickets() -> str:
    """List the tickets, open ones and new ones first."""
    query = select(Ticket).order_by(Ticket.status.desc(), Ticket.id.desc()).limit(200)
    return render_template("tickets.html", tickets=db.session.scalars(query).all())


@pages.get("/tickets/<int:number>")
@login_required  # type: ignore[untyped-decorator]
def ticket(number: int) -> str:
    """Show a ticket, with a link to the mail that it came by."""
    return render_template("ticket.html", ticket=_found(number), users=USERS)


@pages.post("/tickets/<int:number>")
@login_required  # type: ignore[untyped-decorator]
def set_status(number: int) -> Response:
    """Close a ticket, or open it again."""
    _found(number).status = CLOSED if request.form.get("status") == CLOSED else OPEN
    db.session.commit()
    return redirect(url_for(".ticket", number=number), 303)


def _found(number: int) -> Ticket:
    found = db.session.get(Ticket, number)
    return found if found is not None else abort(404)
