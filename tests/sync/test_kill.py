"""A worker that is killed loses nothing and doubles nothing, wherever it was.

``MS365_TEST_KILLS`` says how many workers are killed, ``MS365_TEST_SEED`` when: a run prints what it had.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import threading
from collections import Counter
from datetime import datetime, timezone

import pytest
from sqlalchemy import select, text, update

from flask_ms365.models import Mailbox, Message
from tests.sync.conftest import Synced
from tests.sync.killed_worker import Place, work

MESSAGES = 20_000
KILLS = int(os.environ.get("MS365_TEST_KILLS", "10"))
SEED = int(os.environ.get("MS365_TEST_SEED", str(random.randrange(10**9))))
_LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)

_processes = multiprocessing.get_context("forkserver")


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """See test_histories.py."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_workers_that_are_killed_in_a_first_sync_leave_each_message_once(synced: Synced) -> None:
    print(f"MS365_TEST_SEED={SEED}")
    chance = random.Random(SEED)
    synced.mailbox.create_folder("Projects")
    synced.mailbox.max_page_size = 50
    synced.mailbox.deliver_many(MESSAGES, body_size=500, folders=("inbox", "inbox", "archive", "Projects"))
    there = place(synced)
    _processes.set_forkserver_preload(["tests.sync.killed_worker"])

    for _ in range(KILLS):
        messages = chance.randint(0, 2 * MESSAGES // KILLS)
        if _work(there, kill_after=messages, delay=chance.uniform(0, 0.05)) == "done":
            synced.mailbox.expire_cursors()  # and so there is something to be killed in
        _pass_the_lease(synced)
    assert _work(there) == "done"

    expected = Counter(record.id for record in synced.mailbox.messages())
    with synced.host.app.app_context():
        stored = Counter(synced.session.scalars(select(Message.graph_id).where(Message.removed_at.is_(None))))
        effects = Counter(synced.session.scalars(text("SELECT graph_id FROM effect")))
    assert stored == expected
    assert effects == expected


def place(synced: Synced) -> Place:
    app = synced.host.app
    with app.app_context():
        synced.session.execute(text("DROP TABLE IF EXISTS effect"))
        synced.session.execute(text("CREATE TABLE effect (graph_id TEXT)"))
        mailbox_id = synced.session.scalars(select(Mailbox.id)).one()
        synced.session.commit()
    return Place(
        instance=app.instance_path,
        database=app.config["SQLALCHEMY_DATABASE_URI"],
        url=synced.simulator.url,
        key=app.config["MS365_ENCRYPTION_KEYS"],
        mailbox_id=mailbox_id,
    )


def _pass_the_lease(synced: Synced) -> None:
    """Let the lease of a dead worker end without waiting for it, and Microsoft's quota fill up."""
    with synced.host.app.app_context():
        held = update(Mailbox).where(Mailbox.lease_owner.is_not(None))
        synced.session.execute(held.values(lease_expires_at=_LONG_AGO))
        synced.session.execute(update(Mailbox).values(quota_at=_LONG_AGO))
        synced.session.commit()


def _work(place: Place, *, kill_after: int | None = None, delay: float = 0) -> str:
    """Run a worker; SIGKILL it a moment after so many messages, or let it finish. Return its last words."""
    ours, theirs = _processes.Pipe(duplex=False)
    worker = _processes.Process(target=work, args=(place, theirs))
    worker.start()
    theirs.close()
    told: int | str = ""
    try:
        while True:
            told = ours.recv()
            if told == kill_after:
                threading.Timer(delay, worker.kill).start()
    except EOFError:
        worker.join()
        return str(told)
