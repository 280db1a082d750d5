"""``flask ms365 check``: the same chain as the page. Exit code 1 when a step failed."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_ms365.audit import command_line_user
from flask_ms365.check.outcome import StepResult
from flask_ms365.check.report import lines_of
from flask_ms365.check.subject import address_without_request
from flask_ms365.state import current_state


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@with_appcontext
def check(as_json: bool) -> None:
    """Check the connection to Microsoft 365, step by step."""
    state = current_state()
    address = address_without_request(state.settings.read(), current_app.config)
    run = state.check.find(state.check.run_all(actor=command_line_user(), address=address))
    results = run.results if run else ()
    if as_json:
        click.echo(json.dumps({"steps": [_as_json(result) for result in results]}))
    else:
        for number, result in enumerate(results, 1):
            click.echo("\n".join(lines_of(number, result)))
    sys.exit(1 if any(result.outcome.state == "failed" for result in results) else 0)


def _as_json(result: StepResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "name": result.name,
        "title": str(result.title),
        "state": outcome.state,
        "message": str(outcome.message),
        "next_step": str(outcome.next_step),
        "code": outcome.code or None,
        "details": {str(label): value for label, value in outcome.details},
    }
