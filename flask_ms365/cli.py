"""``flask ms365 ...``: the same services as the pages. Exit code 0 good, 1 something needs a person, 2 usage."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask.cli import with_appcontext

from flask_ms365.audit import came_in_by
from flask_ms365.check.command import check
from flask_ms365.errors import AppRefused, Locked, TokenError
from flask_ms365.export.command import export
from flask_ms365.identity.circuit import in_words
from flask_ms365.jobs.commands import sync, worker
from flask_ms365.keys.commands import keys_cli
from flask_ms365.mailboxes.commands import mailboxes_cli
from flask_ms365.mailboxes.progress import Progress
from flask_ms365.mailboxes.status import MailboxStatus, all_statuses
from flask_ms365.settings.commands import settings_cli
from flask_ms365.state import current_state
from flask_ms365.words import visible


@click.group("ms365")
@with_appcontext
def ms365_cli() -> None:
    """Microsoft 365 mail."""
    came_in_by("cli")


ms365_cli.add_command(sync)
ms365_cli.add_command(worker)
ms365_cli.add_command(settings_cli)
ms365_cli.add_command(check)
ms365_cli.add_command(keys_cli)
ms365_cli.add_command(mailboxes_cli)
ms365_cli.add_command(export)


@ms365_cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def status(as_json: bool) -> None:
    """Show how every mailbox is."""
    state = current_state()
    snapshot = state.settings.read()
    is_on, missing = snapshot.is_sync_on, snapshot.missing_keys
    statuses = all_statuses(state.session, settings=snapshot, now=state.clock())
    held = state.circuits.what_holds(state.registration)
    if as_json:
        mailboxes = [each.as_json() for each in statuses]
        whole = {"is_on": is_on, "missing_keys": missing, "held": _held_json(held), "mailboxes": mailboxes}
        click.echo(json.dumps(whole))
    else:
        click.echo(f"Emails sync is {'on' if is_on else 'off'}.")
        if missing:
            click.echo(Locked(missing).words)
        if held is not None:
            click.echo(in_words(held))
        for each in statuses:
            click.echo("\n".join(_status_lines(each)))
    needs_a_person = missing or isinstance(held, AppRefused) or any(each.needs_a_person for each in statuses)
    sys.exit(1 if needs_a_person else 0)


def _held_json(held: TokenError | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"refused": isinstance(held, AppRefused), "message": held.words, "error": held.error, "code": held.code}


def _status_lines(each: MailboxStatus) -> list[str]:
    """Return how a mailbox is in one line, and a line for each thing that is not as it should be."""
    seen = each.last_success_at.isoformat(timespec="seconds") if each.last_success_at else "never"
    total = each.progress.total
    count = each.message_count - each.kept_count
    stored = f"{count} messages" if total is None else f"{count} of {total} messages"
    line = f"{each.address}: {each.words}, {stored}, {_reading(each.progress)}last read {seen}"
    doubts = [f"  {doubt.words} Gone? flask ms365 mailboxes believe {each.address}" for doubt in each.doubts]
    unreadable = [f"  {folder.name}: {folder.words} ({folder.code})" for folder in each.unreadable]
    set_aside = [f"  {each.set_aside_words}"] if each.set_aside_count else []
    lines = [f"{line}. {each.error}" if each.error else line, *doubts, *unreadable, *set_aside]
    # a terminal would obey what people may put into the name of a folder
    if each.is_overdue:
        lines.append("  No success for long. What is in the way? flask ms365 check")
    return [visible(line) for line in lines]


def _reading(progress: Progress) -> str:
    """Return how far a reading from the start is, where one is under way."""
    if not progress.is_under_way:
        return ""
    left = f", {progress.time_left}" if progress.time_left else ""
    oldest = f", back to {progress.oldest:%Y-%m-%d}" if progress.oldest else ""
    return f"{progress.read} read{left}{oldest}, "
