"""The chain: which steps there are, in which order, and which of them can say nothing before others have passed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask_ms365.check import connections, here, microsoft
from flask_ms365.check.outcome import HostCheck, Outcome, StepResult, failed, not_checked, passed
from flask_ms365.check.overdue import on_time
from flask_ms365.check.subject import Subject
from flask_ms365.check.worker import worker
from flask_ms365.errors import EncryptionError, NotConfigured
from flask_ms365.words import Words

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. It is not run where one of ``needs`` has failed; settings and keys that it needs it finds missing."""

    name: str
    title: str
    run: Callable[[Subject], Outcome]
    needs: tuple[str, ...] = ()


_TENANT = ("reach",)
_APP = (*_TENANT, "tenant")
_SIGNED_IN = (*_APP, "credentials")

STEPS = (
    Step(name="address", title=Words("Public address"), run=here.public_address),
    Step(name="settings", title=Words("Settings"), run=here.settings),
    Step(name="keyring", title=Words("Encryption keys"), run=here.keyring),
    Step(name="reach", title=Words("Reach Microsoft"), run=lambda it: microsoft.reach(it.authority, it.clock)),
    Step(name="tenant", title=Words("Tenant"), run=lambda it: microsoft.tenant(it.app), needs=_TENANT),
    Step(name="credentials", title=Words("Credentials"), run=lambda it: microsoft.credentials(it.app), needs=_APP),
    Step(name="redirect_uri", title=Words("Redirect URI"), run=connections.redirect_uri),
    Step(name="permissions", title=Words("Permissions"), run=connections.permissions, needs=_SIGNED_IN),
    Step(name="mailbox", title=Words("Mailbox through Graph"), run=connections.mailbox, needs=_SIGNED_IN),
    Step(name="worker", title=Words("Background worker"), run=worker),
    Step(name="overdue", title=Words("Mailboxes on time"), run=on_time),
    Step(name="database", title=Words("Database"), run=here.database),
)

# what mail needs here; monitoring may ask every few seconds, so not all that was ever sealed is looked through
READINESS = (
    Step(name="settings", title=Words("Settings"), run=here.settings),
    Step(name="keyring", title=Words("Encryption keys"), run=lambda it: here.unopened(it) or passed("")),
    Step(name="worker", title=Words("Background worker"), run=worker),
    Step(name="overdue", title=Words("Mailboxes on time"), run=on_time),
    Step(name="database", title=Words("Database"), run=here.database),
)


def steps_with(host_checks: Sequence[HostCheck]) -> tuple[Step, ...]:
    """Return our steps, and then the host's."""
    return STEPS + tuple(
        Step(name=f"host-{number}", title=name, run=lambda _, check=check: check())  # type: ignore[misc]
        for number, (name, check) in enumerate(host_checks, 1)
    )


def run_step(step: Step, subject: Subject, before: Sequence[StepResult]) -> StepResult:
    """Run one step after those before it. It always says something, and what could not be looked at is never red."""
    has_failed = {each.name for each in before if each.outcome.state == "failed"}
    blocked_by = next((name for name in step.needs if name in has_failed), None)
    outcome = _needs(blocked_by) if blocked_by else _outcome(step, subject)
    return StepResult(name=step.name, title=step.title, outcome=outcome)


def _outcome(step: Step, subject: Subject) -> Outcome:
    try:
        outcome: object = step.run(subject)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"A check returned {type(outcome).__name__}; flask_ms365.check has what it may return.")
        return outcome
    except NotConfigured:
        return _needs("settings")
    except EncryptionError:
        return _needs("keyring")
    except Exception as exc:  # the host's code, or something that nobody thought of: the others still run
        _log.exception("check.step_failed", extra={"event": "check.step_failed", "step": step.name})
        subject.session.rollback()
        broken = failed if step.name.startswith("host-") else not_checked
        return broken(Words("The check itself did not work (%(kind)s).", kind=type(exc).__name__))


def _needs(name: str) -> Outcome:
    number, step = next((number, step) for number, step in enumerate(STEPS, 1) if step.name == name)
    return not_checked(Words("Needs step %(number)s: %(title)s", number=number, title=step.title))
