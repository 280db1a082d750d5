"""The team's mailboxes as an admin handles them: form, sign-in at Microsoft, buttons, and what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from werkzeug.test import TestResponse

from flask_ms365.models import Mailbox, Message
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import RunReport
from tests.visitor import Visitor, path_of, sign_in_at_microsoft

if TYPE_CHECKING:
    from tests.conftest import Host

LIST, NEW = "/ms365/mailboxes", "/ms365/mailboxes/new"
ADDRESS = "support@contoso.example"


@dataclass(kw_only=True)
class Team:
    """An admin at the pages of a configured host, and the mailbox *support* at Microsoft."""

    host: Host
    visitor: Visitor
    app: App
    simulator: Simulator
    support: User
    ana: User

    @property
    def session(self) -> Any:
        return self.host.app.extensions["sqlalchemy"].session

    def add(self, access: str, address: str = ADDRESS, label: str | None = None) -> TestResponse:
        """Fill in the form *Add a mailbox*."""
        called = label if label is not None else address.partition("@")[0].capitalize()
        return self.visitor.submit(NEW, {"access": access, "address": address, "label": called})

    def come_back(self, answer: TestResponse, user: User, *, action: str = "accept") -> TestResponse:
        """Sign in at Microsoft as ``user`` where ``answer`` leads; return the page that says how it went."""
        assert answer.status_code == 303, answer.text
        back = self.visitor.get(path_of(sign_in_at_microsoft(answer.headers["Location"], user, action=action)))
        assert back.status_code == 303, back.text
        return self.visitor.get(back.headers["Location"])

    def connect(self, access: str, user: User) -> TestResponse:
        return self.come_back(self.add(access), user)

    def press(self, verb: str, **fields: str) -> TestResponse:
        """Press a button on the mailbox's page."""
        page = self.page_path
        return self.visitor.submit(page, fields, to=f"{page}/{verb}")

    @property
    def page_path(self) -> str:
        return f"{LIST}/{self.row().id}"

    def row(self) -> Any:
        with self.host.app.app_context():
            columns = (Mailbox.id, Mailbox.address, Mailbox.upn, Mailbox.label, Mailbox.access, Mailbox.state)
            found = select(*columns, Mailbox.kind, Mailbox.owner_id, Mailbox.connection_id, Mailbox.last_error)
            return self.session.execute(found.where(Mailbox.kind == "system")).one_or_none()

    def read(self) -> list[str]:
        """Sync what is due; return the subjects stored for the team."""
        with self.host.app.app_context():
            self.host.ms365.tick()
            mail = select(Message.subject).join(Mailbox, Mailbox.id == Message.mailbox_id)
            return list(self.session.scalars(mail.where(Mailbox.kind == "system")))

    def run(self) -> RunReport:
        """Sync the mailbox now, whatever comes of it."""
        with self.host.app.app_context():
            return self.host.ms365.sync_mailbox(self.row().id)

    def all(self, column: Any) -> list[Any]:
        with self.host.app.app_context():
            return list(self.session.scalars(select(column)))
