"""What the tests of the check share: run it, read what a step said, and a desk where everything can be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from flask_ms365.check import Outcome, StepResult
from flask_ms365.check.chain import STEPS, Step, run_step
from flask_ms365.check.runs import Run
from flask_ms365.check.subject import Address
from flask_ms365.settings import Changes
from flask_ms365.settings.values import UseDefault
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.state import current_state
from flask_ms365.web.check import present_address
from tests.conftest import CALLBACK, Clock, Host, HostFactory
from tests.visitor import BASE_URL, Visitor

CHECK = "/ms365/check"


def run_check(host: Host, *, uri: str | None = CALLBACK) -> Run:
    """Run every step; ``uri`` is the redirect URI, None where nobody knows it."""
    with host.app.app_context():
        return current_state().check.run_all(actor="ana", address=Address(redirect_uri=uri) if uri else None)


def said(run: Run, name: str) -> Outcome:
    """Return the outcome of one step."""
    return next(result.outcome for result in run.results if result.name == name)


def look(host: Host, steps: Sequence[Step] = STEPS) -> list[StepResult]:
    """Return what the steps say to somebody on the page, without storing a run."""
    results: list[StepResult] = []
    with host.app.test_request_context(CHECK, base_url=BASE_URL):
        subject = current_state().check.subject(present_address())
        for step in steps:
            results.append(run_step(step, subject, results))
    return results


def see(host: Host, name: str) -> Outcome:
    """Return what one step says, as though all before it had passed."""
    (result,) = look(host, [step for step in STEPS if step.name == name])
    return result.outcome


def states(results: Iterable[StepResult]) -> dict[str, str]:
    """Return the states of steps by name."""
    return {result.name: result.outcome.state for result in results}


def last_run(host: Host) -> Run:
    """Return the run that was stored last."""
    with host.app.app_context():
        run = current_state().check.find()
    assert run is not None
    return run


def press(host: Host) -> Run:
    """Press *Run the check* on the page; return what came of it."""
    answer = host.visitor().submit(CHECK, {})
    assert answer.status_code == 303, answer.text
    return last_run(host)


@dataclass(kw_only=True)
class Desk:
    """The admin's desk: a host that is set up rightly, the sync off and nobody connected, until something is wrong."""

    make_host: HostFactory
    host: Host
    simulator: Simulator
    app: App
    ana: User
    clock: Clock

    def save(self, **changes: str | UseDefault) -> None:
        """Save settings without a check, as code does."""
        with self.host.app.app_context():
            given: Changes = changes
            self.host.ms365.settings.save(given, actor="ben")

    def restart(self, **config: object) -> None:
        """Start the same host anew with other config: database and keys are the old ones."""
        keys = {"MS365_ENCRYPTION_KEYS": self.host.app.config["MS365_ENCRYPTION_KEYS"]}
        self.host = self.make_host(**{**keys, **config})

    def pass_time(self, **by: float) -> None:
        """Let time pass here and at Microsoft."""
        self.clock.advance(**by)
        self.simulator.date_skew += timedelta(**by)

    def tick(self) -> None:
        """Look for mail, as a worker does."""
        with self.host.app.app_context():
            self.host.ms365.tick()

    def connect(self) -> Visitor:
        """Connect Ana's mailbox."""
        visitor = self.host.visitor()
        visitor.connect(self.ana)
        return visitor


@pytest.fixture
def desk(host: Host, make_host: HostFactory, simulator: Simulator, registration: App, ana: User, clock: Clock) -> Desk:
    desk = Desk(make_host=make_host, host=host, simulator=simulator, app=registration, ana=ana, clock=clock)
    desk.save(client_id=registration.client_id, client_secret=registration.client_secret, tenant_id=simulator.tenant_id)
    return desk
