"""The host app of another process; the environment says where all things are."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert

from flask_ms365 import MS365, Change
from flask_ms365.models import Message

# a row of the host's own for each message, with the process that stored it
EFFECT = Table(
    "effect", MetaData(), Column("id", Integer, primary_key=True), Column("graph_id", Text), Column("pid", Integer)
)


def node_app(**config: Any) -> Flask:
    """Return an app over the same database, key and simulator as the test's, without the extension."""
    app = Flask("node", instance_path=os.environ["INSTANCE"])
    app.config.update(
        SECRET_KEY="not secret",
        SQLALCHEMY_DATABASE_URI=os.environ["DATABASE"],
        MS365_ENCRYPTION_KEYS=os.environ["KEY"],
        MS365_AUTHORITY_URL=os.environ["SIMULATOR"],
        MS365_GRAPH_URL=os.environ["SIMULATOR"],
        MS365_LEASE_SECONDS=int(os.environ["LEASE_SECONDS"]),
        **config,
    )
    return app


def add_ms365(app: Flask) -> None:
    """Add the extension, and a handler that adds a row for each message."""
    ms365 = MS365(app)

    @ms365.on_message
    def keep(message: Message, change: Change) -> None:
        if change is Change.CREATED:
            session = app.extensions["sqlalchemy"].session
            session.execute(insert(EFFECT).values(graph_id=message.graph_id, pid=os.getpid()))
