"""The host app of a Celery worker or of beat, as Flask's documentation sets it up."""

from __future__ import annotations

import os
from collections.abc import Mapping

from celery import Celery, Task  # type: ignore[import-untyped]
from flask import Flask

from tests.jobs.node import add_ms365, node_app


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
    """Return the app; the beat entry is the host's own, since a test cannot wait for half a minute."""
    app = node_app(MS365_JOB_HOOK="celery")
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
    add_ms365(app)
    with app.app_context():  # as many hosts do, and so there is a connection before the worker forks its processes
        app.extensions["sqlalchemy"].create_all()
    return app
