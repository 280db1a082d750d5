"""What becomes of the embedded engine when its process forks, and when it ends."""

from __future__ import annotations

import atexit
import logging
import os
import time
from collections.abc import Iterator
from weakref import WeakSet

from flask import Flask

from flask_ms365.database import close_idle
from flask_ms365.jobs.embedded import EmbeddedHook
from flask_ms365.models.base import sqlite_writes
from flask_ms365.state import State

_log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds that a page under way may take to end, or a tick before a fork
_apps: WeakSet[Flask] = WeakSet()


def mind_process(app: Flask) -> None:
    """Let the engine of ``app`` outlive forks, and end with its process."""
    _apps.add(app)


def _ticking() -> Iterator[tuple[Flask, State, EmbeddedHook]]:
    """Yield the apps whose engine ticks in this process."""
    for app in list(_apps):
        state: State = app.extensions["ms365.state"]
        if isinstance(state.hook, EmbeddedHook) and state.hook.status().is_registered:
            yield app, state, state.hook


def _before_fork() -> None:
    """Wait until nobody ticks or writes to SQLite, and leave no connection that two processes would talk through."""
    until = time.monotonic() + _PATIENCE
    for _, _, hook in _ticking():
        hook.gate.close(max(until - time.monotonic(), 0))
    sqlite_writes.acquire()
    for app, _, _ in _ticking():
        with app.app_context():
            for engine in app.extensions["sqlalchemy"].engines.values():
                close_idle(engine)


def _after_fork_in_parent() -> None:
    sqlite_writes.release()
    for app in list(_apps):
        hook = app.extensions["ms365.state"].hook
        if isinstance(hook, EmbeddedHook):
            hook.gate.open()


def _after_fork_in_child() -> None:
    """Begin as a process that has had no request yet."""
    for _, state, hook in _ticking():
        hook.begin_anew()
        state.runner.clients.begin_anew()
    for app in _apps:
        app.extensions["ms365.state"].told_engine = None
    sqlite_writes.release()


def _at_exit() -> None:
    """Let syncs end at their next page; who still waits then is fenced off, so that others may go on at once."""
    ticking = list(_ticking())
    until = time.monotonic() + _PATIENCE
    for _, state, _ in ticking:
        state.runner.is_stopping = lambda: True
    for _, state, hook in ticking:
        if not hook.stop(max(until - time.monotonic(), 0)):
            _let_go(state)


def _let_go(state: State) -> None:
    try:
        state.runner.let_go()
    except Exception:  # the database is away: the leases end by themselves
        _log.warning("exit.failed", extra={"event": "exit.failed"}, exc_info=True)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
