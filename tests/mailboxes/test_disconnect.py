"""Disconnecting a mailbox: what ends, what stays, and what goes for good."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from flask_ms365.models import Connection, Mailbox, Message
from flask_ms365.simulator import Mailbox as MicrosoftMailbox
from tests.conftest import Host


def disconnect(host: Host, *, keep_mail: bool) -> None:
    with host.app.app_context():
        state = host.app.extensions["ms365.state"]
        mailbox_id = state.session.scalars(select(Mailbox.id)).one()
        state.disconnect.disconnect(mailbox_id, keep_mail=keep_mail, actor="ana")


def count(host: Host, model: Any) -> int:
    with host.app.app_context():
        return int(host.app.extensions["sqlalchemy"].session.scalar(select(func.count()).select_from(model)))


def test_keep(connected: Host, mailbox: MicrosoftMailbox) -> None:
    mailbox.deliver(subject="Kept")
    with connected.app.app_context():
        connected.ms365.tick()
    disconnect(connected, keep_mail=True)
    with connected.app.app_context():
        session = connected.app.extensions["sqlalchemy"].session
        connection = session.scalars(select(Connection)).one()
        assert (connection.access_token, connection.refresh_token, connection.is_dead) == (None, None, True)
        assert session.scalars(select(Mailbox.state)).one() == "disconnected"
        assert session.scalars(select(Message.subject)).one() == "Kept"


def test_delete(connected: Host, mailbox: MicrosoftMailbox) -> None:
    mailbox.deliver(subject="Gone")
    with connected.app.app_context():
        connected.ms365.tick()
    disconnect(connected, keep_mail=False)
    assert [count(connected, each) for each in (Message, Mailbox, Connection)] == [0, 0, 0]
