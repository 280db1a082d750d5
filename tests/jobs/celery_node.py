"""The host app of a Celery worker, of beat, or of a web process; the environment says where all things are."""

from __future__ import annotations

import os
from collections.abc import Mapping

from celery import Celery, Task  # type: ignore[import-untyped]
from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert

from flask_ms365 import MS365, Change
from flask_ms365.models import Message

# a row of the host's own for each message, with the process that stored it
EFFECT = Table(
    "effect", MetaData(), Column("id", Integer, primary_key=True), Column("graph_id", Text), Column("pid", Integer)
)


def celery_init_app(app: Flask, config: Mapping[str, object]) -> Celery:
    """The pattern of Flask's documentation."""

    class FlaskTask(Task):  # type: ignore[misc]
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=FlaskTask)
    celery.config_from_object(config)
    celery.set_default()
    app.extensions["celery"] = celery
    return celery


def create_app() -> Flask:
    """Return an app over the same database, key, broker and simulator as the test's."""
    app = Flask("node", instance_path=os.environ["INSTANCE"])
    app.config.update(
        SECRET_KEY="not secret",
        SQLALCHEMY_DATABASE_URI=os.environ["DATABASE"],
        MS365_ENCRYPTION_KEYS=os.environ["KEY"],
        MS365_AUTHORITY_URL=os.environ["SIMULATOR"],
        MS365_GRAPH_URL=os.environ["SIMULATOR"],
        MS365_LEASE_SECONDS=int(os.environ["LEASE_SECONDS"]),
        MS365_JOB_HOOK="celery",
    )
    # an entry of the host's own: a test cannot wait for half a minute
    every_second = {"task": "ms365.tick", "schedule": 1.0, "options": {"expires": 30.0}}
    celery_init_app(
        app,
        {
            "broker_url": os.environ["BROKER"],
            "task_default_queue": os.environ["QUEUE"],
            "beat_schedule": {"ms365.email-sync": every_second},
            "beat_schedule_filename": f"{app.instance_path}/beat",
        },
    )
    ms365 = MS365(app)

    @ms365.on_message
    def keep(message: Message, change: Change) -> None:
        if change is Change.CREATED:
            session = app.extensions["sqlalchemy"].session
            session.execute(insert(EFFECT).values(graph_id=message.graph_id, pid=os.getpid()))

    return app
