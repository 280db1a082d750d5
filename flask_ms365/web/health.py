"""Health for whatever watches the app: is the process alive, and is it of use? Neither asks Microsoft anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, TimeoutError

from flask import Flask, current_app, jsonify
from flask.typing import ResponseReturnValue

from flask_ms365.state import current_state

_LONGEST = 1.0  # seconds; a database that is locked must not keep a probe waiting


def health_live() -> ResponseReturnValue:
    """Answer: the process does. The database is not asked."""
    return jsonify(status="alive")


def health_ready() -> ResponseReturnValue:
    """Answer 200 where all that mail needs is there, else 503; an emails sync that is off is no illness."""
    states = _states_in_time()
    is_ready = "failed" not in states.values()
    return jsonify(status="ready" if is_ready else "not ready", steps=states), 200 if is_ready else 503


def _states_in_time() -> dict[str, str]:
    """Ask on another thread, which may be left behind waiting for a lock."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    pool = ThreadPoolExecutor(1, thread_name_prefix="ms365.health")
    try:
        return pool.submit(_states, app).result(timeout=_LONGEST)
    except TimeoutError:
        return {"database": "failed"}
    finally:
        pool.shutdown(wait=False)


def _states(app: Flask) -> dict[str, str]:
    with app.app_context():
        return current_state().check.readiness()
