"""``python -m bench.settings_page [REQUESTS]``: what the settings page takes, next to a bare page with the same fields.

The bare page is plain Flask-WTF and Flask-SQLAlchemy: see ``bench/bare_page.py``. Both are asked by turns, over raw
WSGI, with every template compiled. The bars: 4 statements, a ratio of 1.5, 20 KB compressed in 3 requests, and nobody
else is asked.
"""

from __future__ import annotations

import gzip
import re
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import Engine
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from bench.bare_page import bare_app
from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.settings import CATALOG

PATH = "/ms365/settings"
STORED = {
    "client_id": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c",
    "client_secret": "bench8Q~not.a.secret_of-anybody.at.all",
    "client_secret_expires_on": "2099-12-31",
    "tenant_id": "contoso.com",
    "cloud": "global",
    "email_sync": "1",
    "sync_interval": "10",
    "sync_since": "30",
}

statements: list[str] = []
conversations: list[object] = []


def host(folder: str) -> Flask:
    """Return an app with our pages, every setting stored, and an SQLite file."""
    app, ms365 = Flask("bench", instance_path=folder), MS365()
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=generate_key(),
        MS365_PUBLIC_BASE_URL="http://localhost",
        MS365_JOB_HOOK="external",
    )
    ms365.init_app(app, authorize=lambda permission: True, current_user_id=lambda: "ana")
    with app.app_context():
        ms365.settings.save({spec.key: STORED[spec.key] for spec in CATALOG}, actor="ana")
    return app


def get(app: Flask, path: str) -> Callable[[], str]:
    """Return a function that asks for ``path`` as a browser does that was here before."""
    client = Client(app, use_cookies=True)
    client.get(path)
    cookie = client.get_cookie("session")
    headers = [("Cookie", f"{cookie.key}={cookie.value}")] if cookie else []
    environ: dict[str, Any] = EnvironBuilder(path, headers=headers).get_environ()

    def once() -> str:
        body, status, _ = run_wsgi_app(app, environ.copy(), buffered=True)
        assert status.startswith("200"), status
        return b"".join(body).decode()

    return once


def measure(pages: dict[str, Callable[[], str]], requests: int) -> dict[str, list[float]]:
    """Ask every page by turns; return name -> CPU milliseconds."""
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for number in range(requests + 20):
        for name, page in pages.items():
            started = time.process_time()
            page()
            if number >= 20:  # templates and statements are compiled by then
                taken[name].append(1000 * (time.process_time() - started))
    return taken


def weigh(app: Flask, page: str) -> dict[str, int]:
    """Return address -> compressed bytes of a page and of all that a browser fetches with it."""
    linked = re.findall(r'<link[^>]*\shref="([^"]+)"|<(?:script|img)[^>]*\ssrc="([^"]+)"', page)
    weights = {PATH: len(gzip.compress(page.encode()))}
    for address in (href or src for href, src in linked):
        if not address.startswith("data:"):  # part of the page
            weights[address] = len(gzip.compress(Client(app).get(address).data))
    return weights


def main(requests: int) -> None:
    """Measure and print."""
    event.listen(Engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    sys.addaudithook(lambda name, given: conversations.append(given) if name == "socket.connect" else None)
    with tempfile.TemporaryDirectory() as ours_folder, tempfile.TemporaryDirectory() as bare_folder:
        app = host(ours_folder)
        ours = get(app, PATH)
        bare = get(bare_app(bare_folder, ours()), "/settings")
        for name, page in (("ours", ours), ("bare", bare)):
            statements.clear()
            text = page()
            print(f"{name}: {len(statements)} statements, {len(text.encode())} bytes of HTML")
        taken = measure({"ours": ours, "bare": bare}, requests)
        weights = weigh(app, ours())
    for name, times in taken.items():
        print(f"{name}: median {median(times):.2f} ms, p95 {quantiles(times, n=20)[-1]:.2f} ms of CPU")
    print(f"ratio {median(taken['ours']) / median(taken['bare']):.2f} over {requests} requests each")
    print(f"{sum(weights.values())} bytes compressed in {len(weights)} requests: {weights}")
    print(f"conversations with anybody else: {len(conversations)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
