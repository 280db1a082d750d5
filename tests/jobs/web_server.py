"""A web server in processes of its own, with the embedded engine in each."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.jobs.cluster import Cluster

MAILBOXES = 4
ROUNDS = 3

_TOGETHER = 16
_NOW_AND_THEN = 0.5  # seconds


@dataclass(kw_only=True)
class WebServer:
    """A started server, and what its processes say of themselves."""

    cluster: Cluster
    process: subprocess.Popen[bytes]
    port: int
    _visited_at: float = 0

    def ask(self) -> dict[str, Any] | None:
        """Return what one of its processes says, whichever; None where nobody answers."""
        try:
            answer = urllib3.request("GET", f"http://127.0.0.1:{self.port}/", retries=False, timeout=10)
        except urllib3.exceptions.HTTPError:
            return None
        said: dict[str, Any] = answer.json()
        return said

    def answer(self) -> dict[str, Any]:
        """Return what one of its processes says, as soon as one answers."""
        answers: list[dict[str, Any]] = []

        def has_answered() -> bool:
            answers.extend(filter(None, [self.ask()]))
            return bool(answers)

        self.cluster.started.until(has_answered)
        return answers[0]

    def visit(self) -> bool:
        """Send a request if there was none for a while."""
        if time.monotonic() - self._visited_at > _NOW_AND_THEN * min(crowd(), 10):
            self._visited_at = time.monotonic()
            self.ask()
        return True

    def until_each_ticks(self, count: int) -> set[int]:
        """Send requests until so many processes have answered that they tick; return them."""
        ticking: set[int] = set()

        def have_all_answered() -> bool:
            answers = [said for said in together.map(lambda _: self.ask(), range(_TOGETHER)) if said]
            ticking.update(said["pid"] for said in answers if said["ticks"])
            return len(ticking) >= count

        # one after the other, all would go to the process that is quickest to take them
        with ThreadPoolExecutor(_TOGETHER) as together:
            self.cluster.started.until(have_all_answered)
        return ticking

    def stop(self) -> int:
        """Ask it to end as a supervisor does; return its exit code, or fail after five seconds.

        Each process takes its memory apart at the end, so a machine with more to do than it has cores is given longer.
        """
        self.process.terminate()
        return self.process.wait(timeout=5 * crowd())


def crowd() -> float:
    """Return how many processes there are for each core that this machine has: all takes so much longer."""
    return max(os.getloadavg()[0] / (os.cpu_count() or 1), 1)


def served(cluster: Cluster, *command: str, **environment: str) -> WebServer:
    """Start ``command``, which names its port ``{port}``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = cluster.started.start(*(part.format(port=port) for part in command), **environment)
    return WebServer(cluster=cluster, process=process, port=port)


def read_each_letter(cluster: Cluster, server: WebServer) -> None:
    """Deliver letters again and again, while requests come, to workers that may end in the middle of a sync."""
    boxes = cluster.many.add(MAILBOXES)
    for number in range(1, ROUNDS + 1):
        for box in boxes:
            box.deliver(subject=f"Letter {number}")
        cluster.make_due()
        all_of_them = number * MAILBOXES
        cluster.started.until(
            lambda count=all_of_them: server.visit() and cluster.stored() >= count,  # type: ignore[misc]
            seconds=40 * crowd(),
        )
    assert cluster.differences(boxes) == []


def read_each_letter_once(cluster: Cluster, server: WebServer) -> None:
    """The same, where no worker ends: each letter is read by the one sync of its mailbox."""
    boxes = cluster.many.add(MAILBOXES)
    for number in range(1, ROUNDS + 1):
        for box in boxes:
            box.deliver(subject=f"Letter {number}")
        cluster.make_due()
        each_once = dict.fromkeys(range(1, MAILBOXES + 1), number)
        cluster.started.until(lambda once=each_once: server.visit() and cluster.runs() == once)  # type: ignore[misc]
        cluster.ticks(6)
        assert cluster.runs() == each_once
        assert cluster.stored() == number * MAILBOXES
    assert cluster.differences(boxes) == []
