"""What ``celery --app`` is given, as Flask's documentation has it."""

from __future__ import annotations

from tests.jobs.celery_node import create_app

flask_app = create_app()
celery_app = flask_app.extensions["celery"]
