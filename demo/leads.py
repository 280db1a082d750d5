"""Sales: a process that makes a lead of whoever writes for the first time, the host's own table, and its page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template
from flask_login import login_required
from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column
from wtforms import Form, SelectField, StringField
from wtforms.validators import DataRequired, Length

from demo.accounts import USERS
from demo.database import Base, db
from flask_ms365.models import Message

PROCESS = "Create lead"
# of these an address says nothing about a company
_EVERYBODYS = frozenset({"gmail.com", "outlook.com", "hotmail.com", "icloud.com", "gmx.de", "web.de"})

pages = Blueprint("leads", __name__)


class Lead(Base):
    """Somebody who may buy a bicycle."""

    __tablename__ = "lead"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    company: Mapped[str | None]
    owner: Mapped[str]
    source: Mapped[str]
    # the lead outlives its mail
    message_id: Mapped[int | None] = mapped_column(ForeignKey("ms365_message.id", ondelete="SET NULL"))


class LeadOptions(Form):  # type: ignore[misc]  # WTForms has no types
    """What an admin says for each mailbox."""

    owner = SelectField("Owner", choices=list(USERS), default="kim", description="Who calls them back.")
    source = StringField(
        "Source", default="Mail", validators=[DataRequired("Say where they come from."), Length(max=40)]
    )


def create_lead(message: Message, options: dict[str, Any]) -> str:
    """Make a lead, once an address. It runs in the transaction that stores the message."""
    address = (message.from_address or "").lower()
    if not address:
        return "No lead: nobody is named as the sender"
    if db.session.scalar(select(Lead.id).where(Lead.address == address)):
        return f"No lead: {address} is one already"
    company = company_of(address)
    given = {"name": message.from_name, "company": company, "message_id": message.id}
    db.session.add(Lead(address=address, owner=options["owner"], source=options["source"], **given))
    return f"A lead for {options['owner']}, company {company or 'unknown'}"


def company_of(address: str) -> str | None:
    """Return what the domain of an address says about the company."""
    domain = address.rpartition("@")[2]
    return None if domain in _EVERYBODYS else domain.split(".")[0].capitalize() or None


@pages.get("/leads")
@login_required  # type: ignore[untyped-decorator]  # Flask-Login has no types
def all_leads() -> str:
    """List the leads, new ones first."""
    leads = db.session.scalars(select(Lead).order_by(Lead.id.desc()).limit(200)).all()
    return render_template("leads.html", leads=leads, users=USERS)
