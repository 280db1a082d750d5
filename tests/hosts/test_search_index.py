"""A host with an SQLite of its own lets it index the words of mail, by the lines of docs/search.md."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, inspect, text

from flask_ms365 import MS365
from flask_ms365.models import make_sqlite_index
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


@pytest.fixture
def db() -> SQLAlchemy:
    return SQLAlchemy()


@pytest.fixture
def app(tmp_path: Path, db: SQLAlchemy, folder: Path) -> Flask:
    app = Flask("desk", instance_path=str(tmp_path))
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite:///desk.sqlite3", MS365_JOB_HOOK="external")
    db.init_app(app)
    Migrate(app, db, directory=str(folder), include_name=is_migrated)
    MS365(app, db=db, authorize=lambda permission: False)
    migrations.make_folder(app, folder)
    return app


def test_a_migration_makes_the_index_and_leaves_nothing_to_migrate(app: Flask, db: SQLAlchemy, folder: Path) -> None:
    (first,) = migrations.write(app, folder)
    before = first.split("revision = '")[1].split("'")[0]
    (folder / "versions" / "by_hand.py").write_text(_BY_HAND.format(before=before))
    migrations.run(app, folder)
    with app.app_context():
        assert "ms365_search_fts" in inspect(db.engine).get_table_names()
    assert len(migrations.write(app, folder)) == 2


def test_an_index_made_after_create_all_leaves_nothing_to_migrate(app: Flask, db: SQLAlchemy, folder: Path) -> None:
    with app.app_context():
        db.create_all()
        with db.engine.begin() as connection:
            make_sqlite_index(connection)
        assert "ms365_search_fts" in inspect(db.engine).get_table_names()
    assert migrations.write(app, folder) == []


def test_the_index_is_made_whole_or_not_at_all(app: Flask, db: SQLAlchemy) -> None:
    with app.app_context():
        db.create_all()
        with db.engine.connect() as connection:
            make_sqlite_index(connection)
            connection.rollback()
        with db.engine.connect() as connection:
            made = connection.execute(text("SELECT name FROM sqlite_master WHERE name LIKE 'ms365_search_fts%'"))
            assert made.all() == []


def test_an_index_that_is_there_is_left_alone(app: Flask, db: SQLAlchemy) -> None:
    with app.app_context():
        db.create_all()
        said: list[str] = []
        for _ in range(2):
            said.clear()
            with db.engine.begin() as connection:
                event.listen(connection, "before_cursor_execute", lambda *given: said.append(given[2]))
                make_sqlite_index(connection)
    assert [statement.split()[0] for statement in said] == ["SELECT"]
