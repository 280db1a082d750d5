"""``flask ms365 sync`` from timers that fire late, twice or all at once: each message comes once, and nobody fails."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from flask_ms365.simulator import Mailbox as MailboxAtMicrosoft
from tests.conftest import Host
from tests.jobs.processes import PATIENCE
from tests.jobs.worker_process import start

pytestmark = pytest.mark.slow
MESSAGES = 200


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a pass tells of the one mailbox; it must end well."""
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    (report,) = json.loads(output)["mailboxes"]
    return dict(report)


def test_a_pass_leaves_a_mailbox_to_the_one_that_has_it(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver_many(MESSAGES, body_size=500)
    with mailbox.hold() as traffic:
        first = start(connected, "sync", "--json")
        assert traffic.wait_for(1, timeout=PATIENCE)
        late = ended(start(connected, "sync", "--json"))
    assert (late["state"], late["created"]) == ("taken", 0)
    report = ended(first)
    assert (report["state"], report["created"]) == ("done", MESSAGES)


def test_passes_at_the_same_moment_store_each_message_once(connected: Host, mailbox: MailboxAtMicrosoft) -> None:
    mailbox.deliver_many(MESSAGES, body_size=500)
    reports = [ended(one) for one in [start(connected, "sync", "--json") for _ in range(3)]]
    assert {report["state"] for report in reports} <= {"done", "taken"}
    assert sum(report["created"] for report in reports) == MESSAGES
