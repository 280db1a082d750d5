"""The whole journey in one breath; each room has its own tests beside this."""

from __future__ import annotations

from sqlalchemy import select

from flask_ms365.models import Message
from flask_ms365.simulator import App, Mailbox, Simulator, User
from tests.conftest import Host


def test_from_an_empty_page_to_mail_in_the_database(
    host: Host, registration: App, simulator: Simulator, ana: User, mailbox: Mailbox
) -> None:
    mailbox.deliver(subject="The bell rings", text="Ring!", sender=("Bob", "bob@fabrikam.example"))
    visitor = host.visitor()
    saved = visitor.submit(
        "/ms365/settings",
        {
            "client_id-value": registration.client_id,
            "client_secret-value": registration.client_secret,
            "tenant_id-value": simulator.tenant_id,
            "email_sync-value": "y",
        },
    )
    assert saved.status_code == 303, saved.text
    assert "Connected" in visitor.connect(ana).text

    with host.app.app_context():
        report = host.ms365.tick()
        subjects = host.app.extensions["sqlalchemy"].session.scalars(select(Message.subject)).all()

    assert [str(run.result) for run in report.runs] == ["done"]
    assert subjects == ["The bell rings"]
