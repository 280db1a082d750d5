"""`python -m flask_ms365.simulator`: a Microsoft 365 to click through, with the configuration of a host app."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from .directory import App
from .loader import LoadReport
from .simulator import Simulator

REDIRECT_URIS = (
    "http://localhost:5000/ms365/oauth/callback",
    "http://127.0.0.1:5000/ms365/oauth/callback",
)


def main(arguments: Sequence[str] | None = None, stop: threading.Event | None = None) -> int:
    """Run until Ctrl-C, or until `stop` is set."""
    options = _parser().parse_args(arguments)
    ended = stop or threading.Event()
    simulator = Simulator(options.port, host=options.host)
    app = simulator.register_app([*REDIRECT_URIS, *options.redirect_uri])
    ana = simulator.add_user("ana@contoso.example", name="Ana Admin", password="ana")
    simulator.add_user("kim@contoso.example", name="Kim Example", password="kim")
    report = ana.mailbox.load(options.mail) if options.mail else LoadReport()
    with simulator:
        print(_introduction(simulator, app, report), flush=True)
        _wait(ended)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flask_ms365.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=8365)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--mail", metavar="DIR", help="load .eml, .mbox and Maildir into the first mailbox")
    parser.add_argument("--redirect-uri", action="append", default=[], help="register another one; repeatable")
    return parser


def _introduction(simulator: Simulator, app: App, report: LoadReport) -> str:
    lines = [
        f"# Simulator of Microsoft 365 on {simulator.url}. Ctrl-C stops it.",
        "# Sign in as ana@contoso.example (password: ana) or kim@contoso.example (password: kim).",
        f'MS365_CLIENT_ID = "{app.client_id}"',
        f'MS365_CLIENT_SECRET = "{app.client_secret}"',
        f'MS365_TENANT_ID = "{simulator.tenant_id}"',
        f'MS365_AUTHORITY_URL = "{simulator.url}"',
        f'MS365_GRAPH_URL = "{simulator.url}"',
        *(f"# Redirect URI: {uri}" for uri in app.redirect_uris),
    ]
    if report.loaded or report.unreadable:
        lines.append(f"# {report.loaded} messages loaded, {len(report.unreadable)} files not readable")
    return "\n".join([*lines, *(f"#   {name}: {reason}" for name, reason in report.unreadable)])


def _wait(ended: threading.Event) -> None:
    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, end)
    try:
        while not ended.wait(0.5):
            pass
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
