"""A run of the check as plain text, for whoever helps; nothing in it is secret."""

from __future__ import annotations

from collections.abc import Iterator

from flask_ms365.check.outcome import StepResult
from flask_ms365.check.runs import Run

_WORDS = {"passed": "PASSED", "warning": "WARNING", "failed": "FAILED", "not_checked": "NOT CHECKED"}


def report(run: Run) -> str:
    """Return the run in English, which support everywhere reads."""
    lines = [f"Connection check of {run.started_at.isoformat(timespec='seconds')}"]
    for number, result in enumerate(run.results, 1):
        lines.extend(lines_of(number, result))
    return "\n".join(lines)


def lines_of(number: int, result: StepResult) -> Iterator[str]:
    """Yield a step, line by line."""
    outcome = result.outcome
    yield f"{number:2} {_WORDS[outcome.state]:11} {result.title}: {outcome.message}"
    if outcome.next_step:
        yield f"{'':14} What to do: {outcome.next_step}"
    for label, value in outcome.details:
        yield f"{'':14} {label}: {value}"
    if outcome.look_up:
        yield f"{'':14} Look it up: {outcome.look_up}"
