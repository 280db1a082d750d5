"""``flask ms365 ...`` as a process over a test's host."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select

from flask_ms365.models import Folder, Message
from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from tests.conftest import Host

ROOT = Path(__file__).parents[2]
MESSAGES = 300


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def read_some(host: Host, mailbox: MailboxAtMicrosoft) -> None:
    """Deliver messages, read the first page of them, and stop, as a worker that was told to."""
    mailbox.max_page_size = 50
    mailbox.deliver_many(MESSAGES, body_size=500)
    runner = host.app.extensions["ms365.state"].runner
    with host.app.app_context():
        runner.is_stopping = lambda: session_of(host).scalar(select(Message.id).limit(1)) is not None
        assert str(host.ms365.sync_mailbox(1).result) == "stopped"
        runner.is_stopping = lambda: False
        assert session_of(host).scalar(select(Folder.next_link).where(Folder.well_known_name == "inbox"))


def keys_file(host: Host) -> Path:
    """Return the file that the process reads the host's keys from."""
    return Path(host.app.instance_path, "keys")


class Process(subprocess.Popen[str]):
    """Ends with the block, also where a test fails in it."""

    def __exit__(self, *exc_info: Any) -> None:
        self.kill()
        super().__exit__(*exc_info)


def start(host: Host, *arguments: str, **options: Any) -> Process:
    """Start ``flask ms365 ...``; ``options`` are those of :class:`subprocess.Popen`."""
    keys_file(host).parent.mkdir(exist_ok=True)
    if not keys_file(host).exists():
        keys_file(host).write_text(str(host.app.config["MS365_ENCRYPTION_KEYS"]), encoding="utf-8")
    environment = {
        **os.environ,
        "INSTANCE": host.app.instance_path,
        "KEYS_FILE": str(keys_file(host)),
        "SIMULATOR": str(host.app.config["MS365_GRAPH_URL"]),
    }
    if host.db is not None:
        environment["DATABASE"] = str(host.app.config["SQLALCHEMY_DATABASE_URI"])
    command = [sys.executable, "-m", "flask", "--app", "tests.jobs.worker_app", "ms365", *arguments]
    given = {"stdout": subprocess.PIPE, "text": True, **options}
    return Process(command, env=environment, cwd=ROOT, **given)
