"""A worker that is killed loses nothing and doubles nothing, wherever it was."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from flask_ms365.models import Message
from flask_ms365.simulator import Mailbox, Simulator
from tests.conftest import Host
from tests.sync.killed_worker import Place, work

MESSAGES = 5000
# after so many messages of its own, each worker is killed: at a page's begin, in its middle, and near its end
KILLED_AFTER = (1, 57, 199, 200, 201, 350, 399, 401, 612, 777)

_processes = multiprocessing.get_context("forkserver")


@pytest.mark.slow
def test_ten_kills_in_a_first_sync_leave_each_message_once(
    connected: Host, mailbox: Mailbox, simulator: Simulator, tmp_path: Path
) -> None:
    mailbox.deliver_many(MESSAGES, body_size=500)
    session = connected.app.extensions["sqlalchemy"].session
    with connected.app.app_context():
        session.execute(text("CREATE TABLE effect (graph_id TEXT)"))
        session.commit()

    _processes.set_forkserver_preload(["tests.sync.killed_worker"])
    place = Place(instance=tmp_path / "host", url=simulator.url, key=connected.app.config["MS365_ENCRYPTION_KEYS"])
    for takeover, count in enumerate(KILLED_AFTER):
        assert int(_work(place, takeover=takeover, kill_after=count)) >= count
    last_words = _work(place, takeover=len(KILLED_AFTER), kill_after=None)

    with connected.app.app_context():
        stored = session.scalars(select(Message.graph_id)).all()
        effects = session.scalars(text("SELECT graph_id FROM effect")).all()
    expected = sorted(record.id for record in mailbox.messages())
    assert last_words == "done"
    assert sorted(stored) == expected
    assert sorted(effects) == expected


def _work(place: Place, *, takeover: int, kill_after: int | None) -> str:
    """Run a worker whose clock is past its predecessor's lease; SIGKILL it after some messages, or let it finish."""
    ours, theirs = _processes.Pipe(duplex=False)
    worker = _processes.Process(target=work, args=(place, timedelta(seconds=100 * takeover), theirs))
    worker.start()
    theirs.close()
    told: int | str = 0
    try:
        while True:
            told = ours.recv()
            if told == kill_after:
                worker.kill()
    except EOFError:
        worker.join()
        return str(told)
