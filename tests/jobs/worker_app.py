"""The host app of a worker in a process of its own; the environment says which instance it works on.

It has no SERVER_NAME and no public address: a worker needs neither.
"""

from __future__ import annotations

import os

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_ms365 import MS365


def create_app() -> Flask:
    """Return an app over the same database, keys and simulator as the test's."""
    app = Flask("worker", instance_path=os.environ["INSTANCE"])
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS_FILE=os.environ["KEYS_FILE"],
        MS365_AUTHORITY_URL=os.environ["SIMULATOR"],
        MS365_GRAPH_URL=os.environ["SIMULATOR"],
        MS365_JOB_HOOK="external",
    )
    if "DATABASE" in os.environ:  # of a server; else the file in the instance folder
        app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE"]
        MS365(app, db=SQLAlchemy(app))
    else:
        MS365(app)
    return app
