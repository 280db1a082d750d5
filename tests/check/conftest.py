"""What the tests of the check share: run it, and read what a step said."""

from __future__ import annotations

from flask_ms365.check import Outcome
from flask_ms365.check.runs import Run
from flask_ms365.check.subject import Address
from flask_ms365.state import current_state
from tests.conftest import CALLBACK, Host


def run_check(host: Host, *, uri: str | None = CALLBACK) -> Run:
    """Run every step; ``uri`` is the redirect URI, None where nobody knows it."""
    with host.app.app_context():
        check = current_state().check
        run_id = check.run_all(actor="ana", address=Address(redirect_uri=uri) if uri else None)
        run = check.find(run_id)
        assert run is not None
        return run


def said(run: Run, name: str) -> Outcome:
    """Return the outcome of one step."""
    return next(result.outcome for result in run.results if result.name == name)
