"""What a step of the connection check says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask_ms365.words import as_json, from_json

State = Literal["passed", "warning", "failed", "not_checked", "running"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A state with plain words and a next step.

    ``page`` names a page of the Entra admin center (see identity/portal.py), ``endpoint`` one of ours; either mends it.
    ``code`` is Microsoft's and ``look_up`` its page about it, ``trace`` names the request there; ``details`` is all
    that support asks for. Nothing in it is secret.
    """

    state: State
    message: str
    next_step: str = ""
    page: str = ""
    endpoint: str = ""
    code: str = ""
    look_up: str = ""
    trace: str = ""
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The outcome of one named step."""

    name: str
    title: str
    outcome: Outcome

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads; sentences keep their patterns, to be told in any language."""
        outcome = self.outcome
        return {
            "name": self.name,
            "title": as_json(self.title),
            "state": outcome.state,
            "message": as_json(outcome.message),
            "next_step": as_json(outcome.next_step),
            "page": outcome.page,
            "endpoint": outcome.endpoint,
            "code": outcome.code,
            "look_up": outcome.look_up,
            "trace": outcome.trace,
            "details": [[as_json(label), as_json(value)] for label, value in outcome.details],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> StepResult:
        """Return the result that was stored."""
        outcome = Outcome(
            state=stored["state"],
            message=from_json(stored["message"]),
            next_step=from_json(stored["next_step"]),
            page=stored["page"],
            endpoint=stored["endpoint"],
            code=stored["code"],
            look_up=stored["look_up"],
            trace=stored["trace"],
            details=tuple((from_json(label), from_json(value)) for label, value in stored["details"]),
        )
        return cls(name=stored["name"], title=from_json(stored["title"]), outcome=outcome)


def passed(message: str, **more: Any) -> Outcome:
    """Return that all is well."""
    return Outcome(state="passed", message=message, **more)


def warning(message: str, next_step: str = "", **more: Any) -> Outcome:
    """Return that it works, and somebody should look at it."""
    return Outcome(state="warning", message=message, next_step=next_step, **more)


def failed(message: str, next_step: str = "", **more: Any) -> Outcome:
    """Return that it does not work, and what to do."""
    return Outcome(state="failed", message=message, next_step=next_step, **more)


def not_checked(message: str, **more: Any) -> Outcome:
    """Return why it could not be looked at; that is never red."""
    return Outcome(state="not_checked", message=message, **more)


# registered by the host: a name, and a function of nothing
HostCheck = tuple[str, Callable[[], Outcome]]
