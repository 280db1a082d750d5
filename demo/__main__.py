"""``python -m demo``: try flask-ms365 without Microsoft."""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.printing import Printer
from demo.stage import SAMPLE_MAIL, Stage, open_stage
from demo.tour import Tour


def main(arguments: list[str] | None = None) -> int:
    """Run the demo until Ctrl-C, or the tour until its end."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    try:
        return _run(options, console)
    except KeyboardInterrupt:
        console.print("\nClosed. The cat keeps the keys.")
        return 130 if options.tour else 0


def _run(options: argparse.Namespace, console: Console) -> int:
    port = 0 if options.tour else options.port
    is_quiet = options.quiet or options.tour
    with open_stage(port=port, data_dir=options.data, mail_dir=options.mail, is_quiet=is_quiet) as stage:
        if options.tour:
            return 0 if Tour(stage, Printer(console)).run() else 1
        if port not in {0, int(stage.url.rsplit(":", 1)[1])}:
            console.print(f"Port {port} is taken, so this is on another one.")
        _welcome(stage, console)
        threading.Event().wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="Try flask-ms365 without Microsoft.")
    parser.add_argument("--port", type=int, default=8360, help="where to listen (default 8360; the tour: a free one)")
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="keep the app's database and keys here (Microsoft's side starts anew)"
    )
    parser.add_argument("--mail", type=_folder, metavar="DIR", default=SAMPLE_MAIL, help="fill Ana's mailbox from here")
    parser.add_argument("--tour", action="store_true", help="make the whole journey, print it, and exit")
    parser.add_argument("--quiet", action="store_true", help="do not print each request")
    return parser


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return path


def _welcome(stage: Stage, console: Console) -> None:
    """Say where to click and what to paste. The secret is the simulator's: it opens nothing else."""
    values = Table.grid(padding=(0, 3))
    values.add_row("   Application (Client) ID", escape(stage.client_id))
    values.add_row("   Client Secret", escape(stage.client_secret))
    values.add_row("   Directory (Tenant) ID", escape(stage.tenant_id))
    console.print(f"\n[bold]Contoso Cycles is open:[/] {stage.url}\n")
    console.print("1. Log in as [bold]ana[/], password [bold]ana[/]. (kim, kim is no admin.)")
    console.print("2. Open Settings, paste these three, tick Enable Emails Sync, save:\n")
    console.print(values, soft_wrap=True)
    console.print("\n3. Open My email, choose Connect, and sign in at the pretended Microsoft")
    console.print("   as [bold]ana@contoso.example[/], password [bold]ana[/]. (Or kim@contoso.example, kim.)")
    console.print("4. Watch the mail arrive under Messages, and who wrote under Contacts.")
    console.print("5. Under Mailboxes add [bold]support@contoso.example[/], read with the app's own permission, with")
    console.print("   the process Create ticket: each conversation that begins there opens one under Tickets.\n")
    for name, reason in stage.loaded.unreadable:
        console.print(f"   Left out: {escape(name)} ({escape(reason)})", soft_wrap=True)
    console.print("Ctrl-C stops everything.\n")


if __name__ == "__main__":
    sys.exit(main())
