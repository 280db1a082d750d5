"""``python -m bench.first_sync [MESSAGES]``: messages a second and peak memory of a first sync into SQLite.

The simulator runs in a process of its own. The floor beside it reads and decodes the same pages and stores nothing, so
the ratio says what storing costs.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from flask import Flask

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.simulator import Simulator
from tests.visitor import BASE_URL, Account, Visitor

_BODY = 8000
ANA = Account(upn="ana@contoso.example", password="ana")


def simulate(messages: int, pipe: Connection) -> None:
    """Serve a mailbox of so many messages until the pipe is closed."""
    with Simulator() as simulator:
        app = simulator.register_app(redirect_uris=[f"{BASE_URL}/ms365/oauth/callback"])
        user = simulator.add_user(ANA.upn, name="Ana", password=ANA.password)
        user.mailbox.deliver_many(messages, body_size=_BODY)
        pipe.send((simulator.url, simulator.tenant_id, app.client_id, app.client_secret))
        pipe.recv()


def timed(call: Callable[[], object]) -> float:
    """Return the seconds that ``call`` takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def main(messages: int) -> None:
    """Measure and print."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("fork").Process(target=simulate, args=(messages, theirs), daemon=True)
    server.start()
    url, tenant_id, client_id, client_secret = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        app, ms365 = _host(folder, url)
        with app.app_context():
            credentials = {"client_id": client_id, "client_secret": client_secret, "tenant_id": tenant_id}
            ms365.settings.save({**credentials, "email_sync": "1"})
        Visitor(app).connect(ANA)
        with app.app_context():
            floor = timed(lambda: _read_only(app))
            full = timed(lambda: print(ms365.sync_mailbox(1)))
            again = timed(lambda: ms365.sync_mailbox(1))
    ours.send(None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{messages} messages of {_BODY} bytes: {messages / full:,.0f} a second, {full:.2f} s")
    print(f"reading and decoding alone {floor:.2f} s: ratio {full / floor:.2f}; a second run {again:.3f} s")
    print(f"peak memory {peak:.0f} MiB")


def _host(folder: str, url: str) -> tuple[Flask, MS365]:
    app, ms365 = Flask("bench", instance_path=folder), MS365()
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=generate_key(),
        MS365_AUTHORITY_URL=url,
        MS365_GRAPH_URL=url,
        MS365_PUBLIC_BASE_URL=BASE_URL,
        MS365_JOB_HOOK="external",
    )
    ms365.init_app(app, authorize=lambda permission: True, current_user_id=lambda: "ana")
    return app, ms365


def _read_only(app: Flask) -> None:
    graph = app.extensions["ms365.state"].runner.clients.of(1)
    folders = [folder for folder in graph.folders() if folder.total_item_count]
    for folder in folders:
        page = graph.delta(folder.id, None)
        while page.next_link:
            page = graph.delta(folder.id, page.next_link)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
