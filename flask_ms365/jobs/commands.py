"""``flask ms365 sync`` and ``flask ms365 worker``: JSON for machines, and on a terminal what is under way."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import func, select

from flask_ms365.audit import came_in_by
from flask_ms365.heartbeat import PASS, WORKER
from flask_ms365.jobs.screen import Screen, under_way
from flask_ms365.jobs.until_told import UntilTold
from flask_ms365.jobs.worker import tick_until
from flask_ms365.models import Mailbox
from flask_ms365.signals import run_finished
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.sync.report import Result, RunReport, TickReport
from flask_ms365.sync.side_by_side import side_by_side
from flask_ms365.words import visible

# four mailboxes with four requests each are as many connections to Graph as its pool keeps; the pool of the database
# lends out fifteen, and who wants to read more than ten mailboxes at a time starts another process
_at_once = click.option(
    "--at-once",
    type=click.IntRange(1, 10),
    default=4,
    show_default=True,
    metavar="N",
    help="How many mailboxes are read at a time.",
)


@click.command()
@click.option("--mailbox", metavar="ADDRESS", help="Only this mailbox.")
@_at_once
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def sync(mailbox: str | None, at_once: int, as_json: bool) -> None:
    """Make one pass over every mailbox, due or not. It obeys toggle, pause, lease and back-off."""
    app, state = _app(), current_state()
    state.runner.engine = lambda: PASS
    ids = _mailbox_ids(state, mailbox)
    is_on = state.runner.beat().is_sync_on
    state.session.commit()  # no transaction of ours is open while others read mail
    with _printing(lambda: under_way(app, state), is_drawn=not as_json and sys.stdout.isatty()) as tell:
        tell_report = (lambda _: None) if as_json else lambda report: tell(_line(report))
        reports = _pass(app, state, ids if is_on else [], at_once=at_once, tell=tell_report)
        state.runner.follow(reports)
    if as_json:
        click.echo(json.dumps({"is_on": is_on, "mailboxes": [_report_json(report) for report in reports]}))
    elif not ids or not is_on:
        click.echo("No mailbox is connected." if is_on else "Emails sync is off; nothing was done.")
    sys.exit(1 if any(report.needs_a_person for report in reports) else 0)


@click.command()
@_at_once
@with_appcontext
def worker(at_once: int) -> None:
    """Sync what is due, until SIGTERM; a sync under way then stops at its next page.

    SIGHUP reads all configuration anew. On a terminal it shows what is under way, else it prints a line of JSON a run.
    """
    app, state, is_terminal = _app(), current_state(), sys.stdout.isatty()
    state.runner.engine = lambda: WORKER
    told = _until_told(state, begins_anew=not is_terminal)  # a terminal that was closed says SIGHUP, too
    waiting = ""

    def tick() -> TickReport:
        nonlocal waiting
        with app.app_context():
            report = state.runner.tick(at_once=at_once)
        waiting = "Waiting for mail." if report.is_on else "Emails sync is off."
        return report

    with _printing(lambda: under_way(app, state) or [waiting], is_drawn=is_terminal) as tell:

        def tell_run(_: Flask, report: RunReport) -> None:
            if _is_worth_a_line(report) and not (is_terminal and report.result is Result.UNDER_WAY):
                with suppress(OSError):  # nobody reads it: no reason to lose mail
                    tell(_line(report) if is_terminal else _json_line(report))

        with run_finished.connected_to(tell_run, sender=app):
            told.run(lambda: tick_until(told, tick, interval=state.job.interval))


def _app() -> Flask:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return app


def _pass(
    app: Flask, state: State, ids: Sequence[int], *, at_once: int, tell: Callable[[RunReport], None]
) -> list[RunReport]:
    """Run mailboxes until a signal comes; return how each went that was begun."""
    told = _until_told(state, begins_anew=False)

    def run(mailbox_id: int) -> RunReport | None:
        if told.is_told:
            return None
        with app.app_context():
            came_in_by("cli")
            report = state.runner.run(mailbox_id)
        tell(report)
        return report

    runs = told.run(lambda: side_by_side(run, ids, at_once=at_once, name="ms365-run"))
    return [report for report in runs if report]


def _until_told(state: State, *, begins_anew: bool) -> UntilTold:
    told = UntilTold(let_go=state.runner.let_go, begins_anew=begins_anew)
    state.runner.is_stopping = lambda: told.is_told
    return told


@contextmanager
def _printing(parts: Callable[[], Sequence[str]], *, is_drawn: bool) -> Iterator[Callable[[str], None]]:
    """Yield what prints a line that stays; on a terminal ``parts`` are shown below."""
    if not is_drawn:
        yield click.echo
        return
    screen = Screen(parts)
    with screen.shown():
        yield screen.print


def _mailbox_ids(state: State, address: str | None) -> list[int]:
    is_connected = Mailbox.state.not_in(DISCONNECTED)
    is_wanted = func.lower(Mailbox.address) == address.lower() if address is not None else is_connected
    wanted = select(Mailbox.id).where(is_wanted).order_by(Mailbox.next_due_at)
    ids = list(state.session.scalars(wanted))
    if address is not None and not ids:
        raise click.UsageError(f"There is no mailbox {address}.")
    return ids


def _is_worth_a_line(report: RunReport) -> bool:
    """Tell whether anything happened: of thousands of mailboxes most have nothing new at any look."""
    return report.pages > 0 or report.result is not Result.DONE


def _line(report: RunReport) -> str:
    counts = ", ".join(f"{count} {change}" for change, count in report.counts.items())
    counts += f", {report.set_aside} set aside" if report.set_aside else ""
    # a terminal would obey what others may have put into their words
    return visible(f"{report.address}: {report.result} ({counts}){' ' + report.error if report.error else ''}")


def _json_line(report: RunReport) -> str:
    """Return a run for whoever collects the output: no address, which is nobody's business in a log."""
    return json.dumps({"event": "run.finished", "mailbox_id": report.mailbox_id, **_counts(report)})


def _report_json(report: RunReport) -> dict[str, Any]:
    return {"address": report.address, "error": report.error, "error_code": report.error_code, **_counts(report)}


def _counts(report: RunReport) -> dict[str, Any]:
    return {"state": str(report.result), "pages": report.pages, **report.counts, "set_aside": report.set_aside}
