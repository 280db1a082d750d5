"""Stored contents live as long as their messages, and a worker that dies leaves none twice or by halves."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import func, select

from flask_ms365.models import AttachmentContent
from flask_ms365.simulator import App, Simulator, User
from tests.conftest import HostFactory, configure
from tests.content.conftest import File, Kept
from tests.content.killed_fetcher import Place, fetch

MB = 1024 * 1024
COUNT = 40
# after so many attachments were begun, each worker is killed
KILLED_AFTER = (1, 2, 7, 13, 20)

_processes = multiprocessing.get_context("forkserver")


def _disconnect(kept: Kept, *, keep_mail: bool) -> None:
    with kept.host.app.app_context():
        kept.state.disconnect.disconnect(kept.mailbox_id(), keep_mail=keep_mail, actor="ana")


def _store(kept: Kept) -> None:
    kept.policy(1)
    kept.file(File(name="a.txt", content=b"a"))
    kept.fetch()
    assert len(kept.stored()) == 1


def test_contents_are_deleted_with_their_mailbox(kept_anywhere: Kept) -> None:
    _store(kept_anywhere)
    _disconnect(kept_anywhere, keep_mail=False)
    assert kept_anywhere.stored() == {}


def test_contents_are_deleted_where_the_hosts_database_cascades_nothing(
    make_host: HostFactory,
    registration: App,
    simulator: Simulator,
    ana: User,
    clock: Callable[[], datetime],
    tmp_path: Path,
) -> None:
    host = make_host(db=SQLAlchemy(), SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/host.sqlite3")
    configure(host, simulator, registration)
    host.visitor().connect(ana)
    kept = Kept(host, ana.mailbox, simulator, clock)
    _store(kept)
    _disconnect(kept, keep_mail=False)
    assert kept.stored() == {}


def test_contents_are_kept_and_given_where_mail_is_kept(kept: Kept) -> None:
    _store(kept)
    [attachment] = kept.stored()
    _disconnect(kept, keep_mail=True)
    assert b"".join(kept.contents.attachment(attachment)) == b"a"


@pytest.mark.slow
def test_five_kills_leave_each_content_once_and_whole(kept: Kept, simulator: Simulator, tmp_path: Path) -> None:
    """fault 32: killed wherever it was, the next worker goes on."""
    kept.policy(1)
    files = [File(name=f"{n}.bin", content=bytes([n]) * (200_000 + n)) for n in range(COUNT)]
    ids = kept.ids(kept.deliver(*files))

    _processes.set_forkserver_preload(["tests.content.killed_fetcher"])
    place = Place(instance=str(tmp_path / "host"), url=simulator.url, key=kept.host.app.config["MS365_ENCRYPTION_KEYS"])
    for takeover, count in enumerate(KILLED_AFTER):
        assert _work(place, takeover=takeover, kill_after=count) != "done"
    assert _work(place, takeover=len(KILLED_AFTER), kill_after=None) == "done"

    assert kept.stored() == {each: file.content for each, file in zip(ids, files, strict=True)}
    with kept.host.app.app_context():
        assert kept.session.scalar(select(func.count()).select_from(AttachmentContent)) == COUNT
    # what a killed worker stored was not fetched again: at most the one under way is
    assert kept.requests("/$value") <= COUNT + len(KILLED_AFTER)


def _work(place: Place, *, takeover: int, kill_after: int | None) -> str:
    """Run a worker whose clock is past its predecessor's lease; SIGKILL it at some attachment, or let it finish."""
    ours, theirs = _processes.Pipe(duplex=False)
    worker = _processes.Process(target=fetch, args=(place, timedelta(seconds=100 * takeover), theirs))
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
