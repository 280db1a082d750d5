"""A worker that is killed loses nothing and doubles nothing, wherever it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sqlalchemy import select, text

from flask_ms365.models import Message
from flask_ms365.simulator import Mailbox, Simulator
from tests.conftest import Host

MESSAGES = 5000
# after so many messages of its own, each worker is killed: at a page's begin, in its middle, and near its end
KILLED_AFTER = (1, 57, 199, 200, 201, 350, 399, 401, 612, 777)


def test_ten_kills_in_a_first_sync_leave_each_message_once(
    connected: Host, mailbox: Mailbox, simulator: Simulator, tmp_path: Path
) -> None:
    mailbox.deliver_many(MESSAGES, body_size=500)
    session = connected.app.extensions["sqlalchemy"].session
    with connected.app.app_context():
        session.execute(text("CREATE TABLE effect (graph_id TEXT)"))
        session.commit()

    for number, count in enumerate(KILLED_AFTER):
        _work(connected, simulator, tmp_path, takeover=number, kill_after=count)
    last_words = _work(connected, simulator, tmp_path, takeover=len(KILLED_AFTER), kill_after=None)

    with connected.app.app_context():
        stored = session.scalars(select(Message.graph_id)).all()
        effects = session.scalars(text("SELECT graph_id FROM effect")).all()
    expected = sorted(record.id for record in mailbox.messages())
    assert last_words == "done"
    assert sorted(stored) == expected
    assert sorted(effects) == expected


def _work(host: Host, simulator: Simulator, tmp_path: Path, *, takeover: int, kill_after: int | None) -> str:
    """Run a worker whose clock is past its predecessor's lease; SIGKILL it after some messages, or let it finish."""
    arguments = [str(tmp_path / "host"), simulator.url, host.app.config["MS365_ENCRYPTION_KEYS"], str(takeover * 100)]
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.sync.killed_worker", *arguments], stdout=subprocess.PIPE, text=True
    )
    with worker:
        assert worker.stdout is not None
        line = ""
        for line in worker.stdout:
            if line.strip() == str(kill_after):
                worker.kill()
        return line.strip()
