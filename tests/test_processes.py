"""How a host registers its processes, and what the two of the demo do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from wtforms import Form, StringField

from demo.app import create_app
from demo.database import db
from demo.leads import Lead, company_of, create_lead
from demo.tickets import Ticket, create_ticket
from flask_ms365 import MS365
from flask_ms365.errors import ConfigurationError
from flask_ms365.models import Message
from tests.conftest import Host


def nothing(message: Message, options: dict[str, Any]) -> None:
    pass


def known(host: Host) -> list[str]:
    return list(host.app.extensions["ms365.state"].processes.known)


def test_a_process_may_be_registered_after_the_app_was_set_up(host: Host) -> None:
    assert host.ms365.process("Count")(nothing) is nothing
    assert known(host) == ["Count"]


def test_a_process_may_be_registered_before_the_app_is_set_up(tmp_path: Path) -> None:
    ms365, app = MS365(), Flask("host", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external")
    ms365.process("Count")(nothing)
    ms365.init_app(app)
    assert list(app.extensions["ms365.state"].processes.known) == ["Count"]


def test_two_processes_have_two_names(host: Host) -> None:
    host.ms365.process("Count")(nothing)
    with pytest.raises(ConfigurationError, match="two processes with the name 'Count'"):
        host.ms365.process("Count")(nothing)


@pytest.mark.parametrize("name", ["", "x" * 51])
def test_a_name_has_1_to_50_characters(host: Host, name: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 50 characters"):
        host.ms365.process(name)(nothing)


def test_a_form_keeps_no_token_and_needs_no_request(host: Host) -> None:
    class Options(Form):  # type: ignore[misc]  # WTForms has no types
        class Meta:
            csrf = True

        owner = StringField(default="kim")

    host.ms365.process("With options", options=Options)(nothing)
    process = host.app.extensions["ms365.state"].processes.known["With options"]
    assert process.options({"owner": ["ana"]}) == {"owner": "ana"}


# the demo


@pytest.fixture
def demo(tmp_path: Path) -> Flask:
    return create_app(data_dir=tmp_path, job_hook="external")


def a_message(address: str | None, **values: Any) -> Message:
    return Message(id=None, from_address=address, **values)


def test_the_demos_ticket_has_what_the_admin_chose(demo: Flask) -> None:
    with demo.app_context():
        said = create_ticket(a_message("bob@fabrikam.example"), {"priority": "high", "assignee": "nobody"})
        ticket = db.session.scalars(db.select(Ticket)).one()
        assert (ticket.subject, ticket.priority, ticket.assignee, ticket.status) == (
            "(no subject)",
            "high",
            None,
            "open",
        )
    assert said == "A ticket of high priority for nobody"


def test_the_demo_makes_one_lead_an_address(demo: Flask) -> None:
    options = {"owner": "kim", "source": "Fair"}
    with demo.app_context():
        told = [
            create_lead(a_message(address), options) for address in ("Bob@Fabrikam.example", "bob@fabrikam.example")
        ]
        lead = db.session.scalars(db.select(Lead)).one()
        assert (lead.address, lead.company, lead.owner, lead.source) == (
            "bob@fabrikam.example",
            "Fabrikam",
            "kim",
            "Fair",
        )
    assert told == ["A lead for kim, company Fabrikam", "No lead: bob@fabrikam.example is one already"]


def test_mail_from_nobody_makes_no_lead(demo: Flask) -> None:
    with demo.app_context():
        assert create_lead(a_message(None), {"owner": "kim", "source": ""}) == "No lead: nobody is named as the sender"


@pytest.mark.parametrize(
    ("address", "company"), [("a@gmail.com", None), ("a@northwind.co.uk", "Northwind"), ("nobody", "Nobody")]
)
def test_a_company_is_guessed_from_a_domain_of_its_own(address: str, company: str | None) -> None:
    assert company_of(address) == company
