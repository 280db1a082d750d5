"""A process for tests that lets it claim mailboxes at the same moment as others, and never lets go of one."""

from __future__ import annotations

import os
import random
from multiprocessing.connection import Connection

from flask_ms365 import MS365
from flask_ms365.state import current_state
from flask_ms365.sync.lease import claim, shared_now
from flask_ms365.sync.tenants import Tenants
from tests.sync.killed_worker import Place, host_app


def claim_all(place: Place, pipe: Connection, of_app: str, count: int) -> None:
    """Say that it is ready, wait for a word, try each of the first mailboxes, and tell how many it got."""
    with host_app(place, MS365()).app_context():
        state = current_state()
        tenants, now = Tenants(session=state.session, of_app=of_app), shared_now(state.session, state.clock())
        pipe.send("ready")
        pipe.recv()
        got = 0
        for mailbox_id in random.sample(range(1, count + 1), count):
            run = tenants.place_of(mailbox_id, is_long=False)
            lease = claim(
                state.session,
                mailbox_id,
                owner=f"process {os.getpid()}",
                seconds=90,
                now=now,
                only_due=True,
                tenant=run.tenant,
                has_room=lambda: run.take(now, 90),  # noqa: B023  # it is called at once
            )
            got += lease is not None
        pipe.send(got)
