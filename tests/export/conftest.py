"""Mailboxes on each database that were read, and what an export of them holds."""

from __future__ import annotations

import json
import mailbox as mailboxes
from email.message import Message as Mime
from pathlib import Path
from typing import Any

from click.testing import Result

from tests.conftest import Host
from tests.sync.conftest import Synced, synced
from tests.test_cli import ms365

__all__ = ["synced"]

ADDRESS = "ana@contoso.example"


def export(host: Host, *options: str, address: str = ADDRESS) -> Result:
    return ms365(host, "export", address, *options)


def lines(output: str | bytes) -> list[dict[str, Any]]:
    """Return the objects of JSON Lines."""
    return [json.loads(line) for line in output.splitlines()] if isinstance(output, bytes) else lines(output.encode())


def subjects(host: Host, *options: str) -> list[str]:
    result = export(host, *options)
    assert result.exit_code == 0, result.output
    return [line["subject"] for line in lines(result.stdout)]


def read_mbox(path: Path) -> list[Mime]:
    """Return what Python reads of an mbox file."""
    box = mailboxes.mbox(path, create=False)
    try:
        return list(box)
    finally:
        box.close()


def text_of(mime: Mime) -> str:
    part = next(part for part in mime.walk() if part.get_content_maintype() == "text")
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def deliver(synced: Synced, *names: str, **mail: Any) -> list[str]:
    """Deliver messages and sync; return their ids at Microsoft."""
    found = [synced.mailbox.deliver(subject=name, **{"text": f"Text of {name}", **mail}) for name in names]
    synced.sync()
    return found
