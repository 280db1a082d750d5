"""The connection check: an ordered chain of steps, each with a state, plain words and what to do next.

A host adds its own with ``@ms365.check("Name")``, a function that returns what one of these makes.
"""

from __future__ import annotations

from flask_ms365.check.outcome import Outcome, StepResult, failed, not_checked, passed, warning

__all__ = ["Outcome", "StepResult", "failed", "not_checked", "passed", "warning"]
