"""A worker for tests that kill it: syncs mailbox 1 and says on standard output what it has handled so far.

Arguments: instance folder, simulator's address, encryption key, seconds that its clock is ahead. The handler adds a row
of the host's own for every message, in the page's transaction.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone

from flask import Flask
from sqlalchemy import text

from flask_ms365 import MS365, Change
from flask_ms365.models import Message


def main(instance: str, url: str, key: str, ahead: str) -> None:
    """Sync once; print the number of messages handled by this process after each one."""
    ms365 = MS365(clock=lambda: datetime.now(timezone.utc) + timedelta(seconds=int(ahead)))
    app = Flask("killed", instance_path=instance)
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=key,
        MS365_AUTHORITY_URL=url,
        MS365_GRAPH_URL=url,
        MS365_JOB_HOOK="external",
    )
    handled = 0

    @ms365.on_message
    def keep(message: Message, change: Change) -> None:
        nonlocal handled
        handled += 1
        session = app.extensions["sqlalchemy"].session
        session.execute(text("INSERT INTO effect (graph_id) VALUES (:id)"), {"id": message.graph_id})
        print(handled, flush=True)

    ms365.init_app(app)
    with app.app_context():
        print(ms365.sync_mailbox(1).result, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
