"""The host app of a web process with the embedded engine, which ticks each second."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from flask import Flask

from tests.jobs.node import add_ms365, node_app


def create_app() -> Flask:
    """Return the app; a test cannot wait for half a minute."""
    app = node_app()
    add_ms365(app)
    state = app.extensions["ms365.state"]
    state.job = replace(state.job, interval=timedelta(seconds=1))
    return app
