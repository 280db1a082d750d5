"""What a run of the sync came to, for people."""

from __future__ import annotations

from typing import Any

from flask_ms365.sync.report import Result
from flask_ms365.words import Words, counted

_WORDS: dict[str, tuple[Words, str]] = {
    Result.DONE: (Words("Done"), "ok"),
    Result.UNDER_WAY: (Words("Goes on with the next run"), "info"),
    Result.THROTTLED: (Words("Microsoft asked us to wait"), "warn"),
    Result.UNAVAILABLE: (Words("Microsoft could not be reached"), "warn"),
    Result.SIGN_IN_NEEDED: (Words("Sign-in needed"), "bad"),
    Result.APP_REFUSED: (Words("Microsoft refused the app"), "bad"),
    Result.LOCKED: (Words("The encryption key is missing"), "bad"),
    Result.FAILED: (Words("Failed"), "bad"),
    Result.SWITCHED_OFF: (Words("Emails sync was switched off"), "info"),
    Result.STOPPED: (Words("The worker was stopped"), "info"),
    Result.TAKEN: (Words("Another worker took over"), "info"),
}


def run_view(run: Any) -> dict[str, Any]:
    """Return what a table shows of a run."""
    words, kind = _WORDS.get(run.result, (Words("Failed"), "bad"))
    return {
        "started_at": run.started_at,
        "took": _took((run.finished_at - run.started_at).total_seconds()),
        "counts": (run.created, run.updated, run.moved, run.removed, run.set_aside),
        "words": words,
        "kind": kind,
        "error": run.error,
    }


def _took(seconds: float) -> Words:
    if seconds < 1:
        return Words("less than a second")
    if seconds < 120:
        return counted("%(count)s second", "%(count)s seconds", round(seconds))
    return counted("%(count)s minute", "%(count)s minutes", round(seconds / 60))
