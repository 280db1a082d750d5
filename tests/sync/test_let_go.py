"""A process that has to end lets go of what it holds, and waits for nobody over it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from sqlalchemy import select, update

from flask_ms365.models import Mailbox, write_transaction
from tests.jobs.worker_process import start
from tests.sync.conftest import Synced

on_servers = pytest.mark.parametrize("synced", ["postgresql", "mariadb"], indirect=True)


@pytest.mark.service
@on_servers
def test_a_mailbox_in_the_middle_of_a_write_does_not_keep_the_others(synced: Synced) -> None:
    """The write ends with the process; that mailbox's lease runs out."""
    synced.host.user_id = "bob"
    synced.host.visitor().connect(synced.simulator.add_user("bob@contoso.example", password="bob"))
    runner = synced.host.app.extensions["ms365.state"].runner
    with ExitStack() as held, synced.host.app.app_context():
        ids = list(synced.session.scalars(select(Mailbox.id).order_by(Mailbox.id)))
        names = [held.enter_context(runner._owners.name()) for _ in ids]
        with write_transaction(synced.session):
            for mailbox_id, name in zip(ids, names, strict=True):
                synced.session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(lease_owner=name))
        with synced.session.get_bind().begin() as writing:
            writing.execute(update(Mailbox).where(Mailbox.id == ids[0]).values(fail_count=0))
            runner.let_go()
        owners = list(synced.session.scalars(select(Mailbox.lease_owner).order_by(Mailbox.id)))
    assert owners == [names[0], None]


@pytest.mark.service
@on_servers
def test_a_worker_that_microsoft_leaves_waiting_is_gone_in_five_seconds(synced: Synced) -> None:
    synced.mailbox.deliver_many(20, body_size=100)
    with start(synced.host, "worker") as worker, synced.mailbox.hold() as traffic:
        assert traffic.wait_for(1, timeout=30)
        worker.terminate()
        assert worker.wait(timeout=5) == 0
    with synced.host.app.app_context():
        assert synced.session.scalar(select(Mailbox.lease_owner)) is None
    assert sum(synced.sync().changes.values()) == 20
