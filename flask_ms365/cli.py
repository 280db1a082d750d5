"""``flask ms365 ...``: the same services as the pages. Exit code 0 good, 1 something needs a person, 2 usage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select

from flask_ms365.audit import came_in_by
from flask_ms365.check.command import check
from flask_ms365.errors import AppRefused, Locked, TokenError
from flask_ms365.identity.circuit import in_words
from flask_ms365.jobs.worker import Worker
from flask_ms365.keys.commands import keys_cli
from flask_ms365.mailboxes.commands import mailboxes_cli
from flask_ms365.mailboxes.progress import Progress
from flask_ms365.mailboxes.status import MailboxStatus, all_statuses
from flask_ms365.models import Mailbox
from flask_ms365.settings.commands import settings_cli
from flask_ms365.signals import message_synced
from flask_ms365.state import State, current_state
from flask_ms365.sync.changes import Change
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.report import RunReport, TickReport
from flask_ms365.web.audit_words import visible

_TOLD_EVERY = 50  # messages


@click.group("ms365")
@with_appcontext
def ms365_cli() -> None:
    """Microsoft 365 mail."""
    came_in_by("cli")


ms365_cli.add_command(settings_cli)
ms365_cli.add_command(check)
ms365_cli.add_command(keys_cli)
ms365_cli.add_command(mailboxes_cli)


@ms365_cli.command()
@click.option("--mailbox", metavar="ADDRESS", help="Only this mailbox.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def sync(mailbox: str | None, as_json: bool) -> None:
    """Make one pass over every mailbox, due or not. It obeys toggle, pause, lease and back-off."""
    state = current_state()
    is_on = state.settings.read().is_sync_on
    ids = _mailbox_ids(state, mailbox)
    reports = []
    state.runner.beat()
    if is_on:
        with _bar(ids, is_shown=not as_json and sys.stdout.isatty()) as bar:
            reports = [state.runner.run(mailbox_id) for mailbox_id in bar]
    if as_json:
        click.echo(json.dumps({"is_on": is_on, "mailboxes": [_report_json(report) for report in reports]}))
    else:
        click.echo("\n".join(_report_line(report) for report in reports) or _nothing(is_on))
    sys.exit(1 if any(report.needs_a_person for report in reports) else 0)


@ms365_cli.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def status(as_json: bool) -> None:
    """Show how every mailbox is."""
    state = current_state()
    snapshot = state.settings.read()
    is_on, missing = snapshot.is_sync_on, snapshot.missing_keys
    statuses = all_statuses(state.session, is_on=is_on, now=state.clock())
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


@ms365_cli.command()
@with_appcontext
def worker() -> None:
    """Sync what is due, until SIGTERM; a sync under way then stops at its next page."""
    state = current_state()
    running = Worker(state.job.tick, interval=state.job.interval, told=_tell)  # type: ignore[arg-type]
    state.runner.is_stopping = lambda: running.is_stopping
    running.run()


@contextmanager
def _bar(ids: list[int], *, is_shown: bool) -> Iterator[Iterable[int]]:
    """Yield ``ids`` behind a bar, which counts messages, too: to read a mailbox for the first time takes long."""
    if not is_shown:
        yield ids
        return
    count = 0

    def tell(_: object, **message: object) -> None:
        nonlocal count
        count += 1
        if count % _TOLD_EVERY == 0:
            bar.render_progress()

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with (
        click.progressbar(ids, label="Mailboxes", show_pos=True, item_show_func=lambda _: f"{count:,} messages") as bar,
        message_synced.connected_to(tell, sender=app),
    ):
        yield bar


def _mailbox_ids(state: State, address: str | None) -> list[int]:
    is_connected = Mailbox.state.not_in(DISCONNECTED)
    is_wanted = func.lower(Mailbox.address) == address.lower() if address is not None else is_connected
    wanted = select(Mailbox.id).where(is_wanted).order_by(Mailbox.next_due_at)
    ids = list(state.session.scalars(wanted))
    if address is not None and not ids:
        raise click.UsageError(f"There is no mailbox {address}.")
    return ids


def _tell(report: TickReport) -> None:
    """Print one JSON line a run, for whoever collects the output."""
    for run in report.runs:
        click.echo(json.dumps({"event": "run.finished", "mailbox_id": run.mailbox_id, **_counts(run)}))


def _report_json(report: RunReport) -> dict[str, Any]:
    return {"address": report.address, "error": report.error, "error_code": report.error_code, **_counts(report)}


def _counts(report: RunReport) -> dict[str, Any]:
    counts = {change.value: report.changes[change] for change in Change}
    return {"state": str(report.result), "pages": report.pages, **counts, "set_aside": report.set_aside}


def _report_line(report: RunReport) -> str:
    counts = ", ".join(f"{report.changes[change]} {change}" for change in Change)
    counts += f", {report.set_aside} set aside" if report.set_aside else ""
    return f"{report.address}: {report.result} ({counts}){' ' + report.error if report.error else ''}"


def _held_json(held: TokenError | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"refused": isinstance(held, AppRefused), "message": held.words, "error": held.error, "code": held.code}


def _status_lines(each: MailboxStatus) -> list[str]:
    """Return how a mailbox is in one line, and a line for each thing that is not as it should be."""
    seen = each.last_success_at.isoformat(timespec="seconds") if each.last_success_at else "never"
    total = each.progress.total
    stored = f"{each.message_count} messages" if total is None else f"{each.message_count} of {total} messages"
    line = f"{each.address}: {each.words}, {stored}, {_reading(each.progress)}last read {seen}"
    doubts = [f"  {doubt.words} Gone? flask ms365 mailboxes believe {each.address}" for doubt in each.doubts]
    unreadable = [f"  {folder.name}: {folder.words} ({folder.code})" for folder in each.unreadable]
    set_aside = [f"  {each.set_aside_words}"] if each.set_aside_count else []
    lines = [f"{line}. {each.error}" if each.error else line, *doubts, *unreadable, *set_aside]
    # a terminal would obey what people may put into the name of a folder
    return [visible(line) for line in lines]


def _reading(progress: Progress) -> str:
    """Return how far a reading from the start is, where one is under way."""
    if not progress.is_under_way:
        return ""
    left = f", {progress.time_left}" if progress.time_left else ""
    oldest = f", back to {progress.oldest:%Y-%m-%d}" if progress.oldest else ""
    return f"{progress.read} read{left}{oldest}, "


def _nothing(is_on: bool) -> str:
    return "No mailbox is connected." if is_on else "Emails sync is off; nothing was done."
