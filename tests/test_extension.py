"""What ``init_app`` promises: several apps, clear refusals, no thread, and tables where the host keeps its own."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from flask import Blueprint, Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, inspect, select, text
from werkzeug.test import Client

from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.errors import ConfigurationError
from flask_ms365.models import Base, Setting
from flask_ms365.models.search import FTS
from flask_ms365.web.blueprint import create_blueprint
from tests.conftest import Host, HostFactory
from tests.hosts import migrations
from tests.hosts.bare import bare_host

TABLES = set(Base.metadata.tables)


def empty_app(folder: Path, **config: object) -> Flask:
    app = Flask("host", instance_path=str(folder), root_path=str(folder))
    app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external", **config)
    return app


def test_the_extension_may_be_given_its_app_at_once(tmp_path: Path) -> None:
    app = empty_app(tmp_path)
    ms365 = MS365(app, authorize=lambda permission: False)
    assert app.extensions["ms365"] is ms365


def test_one_object_serves_several_apps(tmp_path: Path) -> None:
    ms365, apps = MS365(), [empty_app(tmp_path / name) for name in ("a", "b")]
    for app in apps:
        ms365.init_app(app)
    with apps[0].app_context():
        ms365.settings.save({"tenant_id": "contoso.com"})
    with apps[1].app_context():
        assert ms365.settings.effective("tenant_id").source == "default"


def test_each_app_asks_its_own_authorizer(tmp_path: Path) -> None:
    ms365, answers = MS365(), []
    for is_open in (True, False):
        app = empty_app(tmp_path / str(is_open))
        ms365.init_app(app, authorize=lambda permission, is_open=is_open: is_open, current_user_id=lambda: "ana")  # type: ignore[misc]
        answers.append(Client(app).get("/ms365/settings").status_code)
    assert answers == [200, 403]


def test_each_app_seals_with_its_own_keys(tmp_path: Path) -> None:
    ms365 = MS365()
    for name in ("a", "b"):
        app = empty_app(tmp_path / name, MS365_ENCRYPTION_KEYS=generate_key())
        ms365.init_app(app)
        with app.app_context():
            ms365.settings.save({"client_secret": name * 20})
            assert ms365.settings.effective("client_secret").value == name * 20


def test_the_object_keeps_nothing_of_an_app(tmp_path: Path) -> None:
    ms365 = MS365()
    before = dict(vars(ms365))
    ms365.init_app(empty_app(tmp_path))
    assert vars(ms365) == before


def test_an_app_takes_the_extension_once(host: Host) -> None:
    with pytest.raises(ConfigurationError, match="has Flask-MS365 already"):
        MS365().init_app(host.app)


def test_a_database_that_does_not_know_the_app_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Call db\.init_app\(app\) before"):
        MS365().init_app(empty_app(tmp_path), db=SQLAlchemy())


def test_a_database_of_the_app_that_was_not_passed_is_refused(tmp_path: Path) -> None:
    app = empty_app(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite://")
    SQLAlchemy(app)
    with pytest.raises(ConfigurationError, match=r"Pass it: MS365\(\)\.init_app\(app, db=db\)"):
        MS365().init_app(app)


def test_an_app_without_the_extension_is_told_what_to_call(tmp_path: Path) -> None:
    with empty_app(tmp_path).app_context(), pytest.raises(ConfigurationError, match=r"Call MS365\(\)\.init_app"):
        MS365().tick()


@pytest.mark.parametrize("hook", ["quartz", "apschedule"])
def test_an_engine_that_does_not_exist_is_refused(tmp_path: Path, hook: str) -> None:
    app = empty_app(tmp_path)
    app.config["MS365_JOB_HOOK"] = hook
    with pytest.raises(ConfigurationError, match="MS365_JOB_HOOK must be apscheduler"):
        MS365().init_app(app)


def test_no_thread_starts_before_the_first_request(tmp_path: Path) -> None:
    app = empty_app(tmp_path, MS365_EMAIL_SYNC=True)
    app.config["MS365_JOB_HOOK"] = "apscheduler"
    before = threading.enumerate()
    MS365().init_app(app)
    assert threading.enumerate() == before


def test_the_log_tells_the_developer_what_to_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = empty_app(tmp_path)
    MS365().init_app(app)
    with caplog.at_level(logging.WARNING, logger="flask_ms365"):
        Client(app).get("/ms365/settings")
    assert [record.getMessage() for record in caplog.records] == [
        "access.no_authorizer: every page answers 403 until you pass "
        "MS365().init_app(app, authorize=lambda permission: ...), which returns True for the people who may."
    ]


def menu(host: Host, path: str = "/") -> list[tuple[str, str, bool, int | None]]:
    """Return what a page of the host sees of our navigation."""
    with host.app.test_request_context(path):
        return [(item.label, item.url, item.is_current, item.badge) for item in host.ms365.nav()]


def test_a_host_may_take_our_navigation_into_its_own_menu(host: Host) -> None:
    assert menu(host) == [
        ("Overview", "/ms365/", False, None),
        ("Settings", "/ms365/settings", False, None),
        ("Setup guide", "/ms365/setup", False, None),
        ("Connection check", "/ms365/check", False, None),
        ("Mailboxes", "/ms365/mailboxes", False, None),
        ("My email", "/ms365/my-email", False, None),
        ("Messages", "/ms365/messages", False, None),
        ("Audit log", "/ms365/audit", False, None),
    ]


def test_the_menu_holds_what_the_visitor_may_use(host: Host) -> None:
    host.permissions = {"own_mailbox"}
    assert [label for label, *_ in menu(host)] == ["My email", "Messages"]
    host.permissions = set()
    assert menu(host) == []


def test_the_menu_marks_the_page_that_is_open(host: Host) -> None:
    assert [label for label, _, is_current, _ in menu(host, "/ms365/audit") if is_current] == ["Audit log"]


def test_the_menu_of_a_nested_mount_stays_within_it(host: Host) -> None:
    outer = Blueprint("desk", __name__, url_prefix="/desk")
    outer.register_blueprint(create_blueprint(), url_prefix="/mail")
    host.app.register_blueprint(outer)
    assert [(url, is_current) for _, url, is_current, _ in menu(host, "/desk/mail/settings")][:2] == [
        ("/desk/mail/", False),
        ("/desk/mail/settings", True),
    ]


@pytest.mark.parametrize(
    ("prefix", "address"), [("/admin/mail", "/admin/mail/settings"), ("/", "/settings"), ("", "/settings")]
)
def test_the_pages_are_mounted_where_the_host_wants_them(tmp_path: Path, prefix: str, address: str) -> None:
    host = bare_host(tmp_path, MS365_URL_PREFIX=prefix)
    assert host.visitor().get(address).status_code == 200


def test_a_host_without_a_database_gets_one_in_its_instance_folder(tmp_path: Path) -> None:
    bare_host(tmp_path / "instance")
    assert (tmp_path / "instance" / "ms365.sqlite3").is_file()


def test_a_database_of_our_own_has_its_tables_at_once(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    with host.app.app_context():
        made = set(inspect(host.app.extensions["sqlalchemy"].engine).get_table_names())
    assert {name for name in made if not name.startswith(FTS)} == TABLES
    assert FTS in made  # and the tables that SQLite makes for it


def test_a_database_of_our_own_is_set_up_for_several_processes(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        pragmas = [session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "busy_timeout")]
    assert pragmas == ["wal", 1, 15000]


def test_a_database_of_our_own_outlives_the_app(tmp_path: Path) -> None:
    for tenant in ("contoso.com", None):
        host = bare_host(tmp_path)
        with host.app.app_context():
            if tenant:
                host.ms365.settings.save({"tenant_id": tenant})
            assert host.ms365.settings.effective("tenant_id").value == "contoso.com"


def test_a_database_in_memory_keeps_its_tables(make_host: HostFactory) -> None:
    assert make_host(SQLALCHEMY_DATABASE_URI="sqlite://").visitor().get("/ms365/settings").status_code == 200


def test_a_hosts_own_sqlite_is_not_reconfigured(make_host: HostFactory) -> None:
    host = make_host(db=SQLAlchemy(), SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
    with host.app.app_context():
        assert host.app.extensions["sqlalchemy"].session.scalar(text("PRAGMA journal_mode")) == "delete"


def test_the_tables_join_those_of_the_host(make_host: HostFactory) -> None:
    db = SQLAlchemy()
    db.Table("customer", db.Column("id", db.Integer, primary_key=True))
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
    with host.app.app_context():
        assert set(inspect(db.engine).get_table_names()) == TABLES | {"customer"}


def test_the_hosts_rows_and_ours_are_in_one_transaction(make_host: HostFactory) -> None:
    db = SQLAlchemy()
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
    with host.app.app_context():
        host.ms365.settings.save({"tenant_id": "contoso.com"})
        db.session.delete(db.session.get_one(Setting, "tenant_id"))
        db.session.rollback()
        assert db.session.scalars(select(Setting.value)).all() == ["contoso.com"]


def test_a_table_of_the_host_may_refer_to_messages(make_host: HostFactory) -> None:
    db = SQLAlchemy()

    class Ticket(db.Model):  # type: ignore[name-defined, misc]
        id = db.Column(db.Integer, primary_key=True)
        message_id = db.Column(db.ForeignKey("ms365_message.id"))

    host = make_host(db=db, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
    with host.app.app_context():
        keys = inspect(db.engine).get_foreign_keys("ticket")
    assert [key["referred_table"] for key in keys] == ["ms365_message"]


def test_one_database_object_may_serve_two_apps(make_host: HostFactory) -> None:
    db = SQLAlchemy()
    hosts = [make_host(name, db=db, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3") for name in ("a", "b")]
    assert [host.visitor().get("/ms365/settings").status_code for host in hosts] == [200, 200]


def test_pages_refuse_before_the_hosts_tables_are_made(tmp_path: Path) -> None:
    app, db = empty_app(tmp_path, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3"), SQLAlchemy()
    db.init_app(app)
    MS365().init_app(app, db=db)
    assert Client(app).get("/ms365/settings").status_code == 403


# Flask-Migrate's own env.py asks Flask-SQLAlchemy in two ways, the old one first
by_migrations = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")


class Migrating:
    """A host that keeps its tables by Flask-Migrate."""

    def __init__(self, folder: Path, metadata: MetaData) -> None:
        self.db, self.folder = SQLAlchemy(metadata=metadata), folder / "migrations"
        self.app = empty_app(folder, SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
        self.db.init_app(self.app)
        Migrate(self.app, self.db)
        MS365().init_app(self.app, db=self.db)
        migrations.make_folder(self.app, self.folder)

    def write(self) -> list[str]:
        """Let autogenerate write a migration; return the text of all there are."""
        return migrations.write(self.app, self.folder)

    def run(self) -> None:
        """Bring the database up to date."""
        migrations.run(self.app, self.folder)


@pytest.fixture(params=[None, {"uq": "host_uq_%(column_0_name)s", "pk": "host_pk_%(table_name)s"}], ids=["", "named"])
def migrating(tmp_path: Path, request: pytest.FixtureRequest) -> Migrating:
    """Return a host without a naming convention for constraints, and one with its own."""
    return Migrating(tmp_path, MetaData(naming_convention=request.param))


@by_migrations
def test_a_migration_makes_our_tables_without_importing_us(migrating: Migrating) -> None:
    (script,) = migrating.write()
    assert "flask_ms365" not in script
    migrating.run()
    with migrating.app.app_context():
        assert set(inspect(migrating.db.engine).get_table_names()) == TABLES | {"alembic_version"}


@by_migrations
def test_after_the_migration_there_is_nothing_left_to_migrate(migrating: Migrating) -> None:
    migrating.write()
    migrating.run()
    assert len(migrating.write()) == 1


@by_migrations
def test_create_all_leaves_nothing_to_migrate(migrating: Migrating) -> None:
    with migrating.app.app_context():
        migrating.db.create_all()
    assert migrating.write() == []
