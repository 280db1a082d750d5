"""``flask ms365 check``: the same chain as the page. Exit code 1 when a step failed."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_ms365.audit import command_line_user
from flask_ms365.check.outcome import StepResult
from flask_ms365.check.report import lines_of
from flask_ms365.check.subject import address_without_request
from flask_ms365.settings.reminder import credential_expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import current_state


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--forbidden", metavar="ADDRESS", default="", help="A mailbox that the app must not read by itself.")
@with_appcontext
def check(as_json: bool, forbidden: str) -> None:
    """Check the connection to Microsoft 365, step by step."""
    state = current_state()
    snapshot = state.settings.read()
    address = address_without_request(snapshot, current_app.config)
    run = state.check.run_all(actor=command_line_user(), address=address, forbidden=forbidden)
    if as_json:
        steps = [_as_json(result) for result in run.results]
        click.echo(json.dumps({"steps": steps, **_expiry(snapshot, state.clock())}))
    else:
        for number, result in enumerate(run.results, 1):
            click.echo("\n".join(lines_of(number, result)))
    sys.exit(1 if run.counts["failed"] else 0)


def _expiry(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    """Return when the credential in use ends, as far as that is known."""
    ends = credential_expiry(snapshot, now)
    of_a_secret = ends if ends and ends.kind == "secret" else None
    return {
        "credential": snapshot.credential_kind,
        "credential_expires_on": ends.expires_on.isoformat() if ends else None,
        "credential_days_left": ends.days_left if ends else None,
        "client_secret_expires_on": of_a_secret.expires_on.isoformat() if of_a_secret else None,
        "client_secret_days_left": of_a_secret.days_left if of_a_secret else None,
    }


def _as_json(result: StepResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "name": result.name,
        "title": str(result.title),
        "state": outcome.state,
        "message": str(outcome.message),
        "next_step": str(outcome.next_step),
        "code": outcome.code or None,
        "trace": outcome.trace or None,
        "details": [[str(label), str(value)] for label, value in outcome.details],
    }
