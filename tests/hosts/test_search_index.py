"""A host with an SQLite and migrations of its own lets it index the words of mail, by the lines of docs/search.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

from flask_ms365 import MS365
from tests.hosts import migrations

pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")

_BY_HAND = """
from alembic import op

from flask_ms365.models import make_sqlite_index

revision = "by_hand"
down_revision = {before!r}


def upgrade():
    make_sqlite_index(op.get_bind())
"""


def is_migrated(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not (name or "").startswith("ms365_search_fts")


def test_a_migration_makes_the_index_and_leaves_nothing_to_migrate(tmp_path: Path) -> None:
    app, db, folder = Flask("desk", instance_path=str(tmp_path)), SQLAlchemy(), tmp_path / "migrations"
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///desk.sqlite3", MS365_JOB_HOOK="external")
    db.init_app(app)
    Migrate(app, db, directory=str(folder), include_name=is_migrated)
    MS365(app, db=db, authorize=lambda permission: False)
    migrations.make_folder(app, folder)
    (first,) = migrations.write(app, folder)
    before = first.split("revision = '")[1].split("'")[0]
    (folder / "versions" / "by_hand.py").write_text(_BY_HAND.format(before=before))
    migrations.run(app, folder)
    with app.app_context():
        assert "ms365_search_fts" in inspect(db.engine).get_table_names()
    assert len(migrations.write(app, folder)) == 2
