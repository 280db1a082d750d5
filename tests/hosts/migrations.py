"""A host's migrations, made as its developer makes them."""

from __future__ import annotations

from pathlib import Path

import flask_migrate
from flask import Flask


def make_folder(app: Flask, folder: Path) -> None:
    """Do what ``flask db init`` does."""
    with app.app_context():
        flask_migrate.init(str(folder))
    # its logging config would silence the loggers of the tests that follow
    script = folder / "env.py"
    script.write_text(script.read_text().replace("fileConfig(config.config_file_name)", ""))


def write(app: Flask, folder: Path) -> list[str]:
    """Do what ``flask db migrate`` does; return the text of all migrations there are then."""
    with app.app_context():
        flask_migrate.migrate(str(folder))
    return [path.read_text() for path in (folder / "versions").glob("*.py")]


def run(app: Flask, folder: Path) -> None:
    """Do what ``flask db upgrade`` does."""
    with app.app_context():
        flask_migrate.upgrade(str(folder))
