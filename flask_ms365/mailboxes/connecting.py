"""What it takes to connect a mailbox, whether it is a person's own or the team's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from flask_ms365 import audit, signals
from flask_ms365.crypto import Keyring
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.sign_in import SignedIn, SignIn, Visitor
from flask_ms365.models import Mailbox, OAuthFlow
from flask_ms365.models.base import AnySession
from flask_ms365.sync.mailbox_client import MailboxClients


@dataclass(kw_only=True)
class Connecting:
    """The services of one app that connect mailboxes."""

    app: Flask
    session: AnySession
    keyring: Keyring
    sign_in: SignIn
    clients: MailboxClients
    registration: Callable[[], AppRegistration]
    clock: Callable[[], datetime]
    wake: Callable[[int], None]

    def _signed_in(self, flow: OAuthFlow, args: Mapping[str, list[str]], visitor: Visitor) -> SignedIn:
        return self.sign_in.finish(flow, args, registration=self.registration, visitor=visitor)

    def _record(self, action: str, mailbox: Mailbox, actor: str | None) -> None:
        """Within a transaction: write down what was done to a mailbox."""
        self.session.flush()
        audit.record(self.session, action, at=self.clock(), actor=actor, target=mailbox.address, mailbox_id=mailbox.id)

    def _tell(self, mailbox_id: int) -> None:
        """Let the host know, and have the mailbox read soon."""
        signals.mailbox_connected.send(self.app, mailbox_id=mailbox_id)
        self.wake(mailbox_id)
