"""A host that brings nothing: no database, no accounts, no template, no CSRF protection. Five lines mount it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from flask_ms365 import MS365
from tests.conftest import Host


def bare_host(folder: Path, **config: Any) -> Host:
    """Return a host with exactly this config, its database in ``folder``; whoever made one there before left his."""
    app = Flask("bare", instance_path=str(folder))
    app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external", **config)
    host = Host(app, MS365(), None)
    host.ms365.init_app(
        app, authorize=lambda permission: permission in host.permissions, current_user_id=lambda: host.user_id
    )
    return host
