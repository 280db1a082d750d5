"""A host app for web servers: each process tells who it is and whether it ticks."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from tests.jobs.embedded_node import create_app as embedded_app


def create_app() -> Flask:
    """Return the app; with ``WARM`` it has had a request before the server forks, and so ticks already."""
    app = embedded_app()
    state = app.extensions["ms365.state"]

    @app.get("/")
    def who() -> dict[str, Any]:
        return {"pid": os.getpid(), "ticks": state.hook.status().is_registered, "problem": str(state.hook_problem)}

    if "WARM" in os.environ:
        app.test_client().get("/")
    return app
