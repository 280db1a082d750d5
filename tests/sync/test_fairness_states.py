"""Between its turns a mailbox is on its way, and neither up to date nor late."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from flask_ms365 import simulator
from flask_ms365.mailboxes.status import state_of
from flask_ms365.mailboxes.summary import summarise
from flask_ms365.models import Mailbox
from tests.conftest import Clock, Host


def test_between_its_turns_it_reads_as_being_synced(connected: Host, mailbox: simulator.Mailbox, clock: Clock) -> None:
    mailbox.max_page_size = 1
    for number in range(25):
        mailbox.deliver(subject=f"{number}", text="x")
    with connected.app.app_context():
        connected.app.extensions["ms365.state"].runner.run(1, is_turn=True)
        session: Any = connected.app.extensions["sqlalchemy"].session
        row = session.scalars(select(Mailbox)).one()

        assert row.lease_owner is None
        assert state_of(row, is_on=True, now=clock()) == "syncing"
        assert summarise(session, now=clock(), limit=None).counts == {"syncing": 1}
