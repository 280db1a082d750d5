"""Settings, audit and checks on each database alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select

from flask_ms365.errors import SettingsChanged
from flask_ms365.models import AuditEvent
from flask_ms365.settings import USE_DEFAULT
from flask_ms365.simulator import App, Simulator
from flask_ms365.told import is_told, tell
from tests.conftest import Clock, Host, HostFactory, configure
from tests.services import own_database
from tests.sync.conftest import empty

pytestmark = pytest.mark.service

CREDENTIALS = {
    "client_id": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c",
    "client_secret": "aB38Q~Zz9-qW_eRt.Yu7iOpAsDfGhJkL",
    "tenant_id": "contoso.com",
}


@pytest.fixture(params=["postgresql", "mariadb"])
def host(request: pytest.FixtureRequest, make_host: HostFactory) -> Iterator[Host]:
    """Yield a host on a real server; its tables are empty in the end."""
    db = SQLAlchemy()
    yield (host := make_host(db=db, SQLALCHEMY_DATABASE_URI=own_database(request.param)))
    with host.app.app_context():
        empty(db)


def test_what_was_saved_holds(host: Host) -> None:
    with host.app.app_context():
        host.ms365.settings.save({**CREDENTIALS, "client_secret_expires_on": "2027-03-01"}, actor="ana")
        snapshot = host.ms365.settings.read()
        assert {key: snapshot.effective(key).value for key in CREDENTIALS} == CREDENTIALS
        assert str(snapshot.effective("client_secret_expires_on").value) == "2027-03-01"


def test_of_two_first_saves_at_once_neither_fails_in_an_ugly_way(host: Host) -> None:
    outcomes, together = [], threading.Barrier(2)

    def save(tenant: str) -> None:
        with host.app.app_context():
            together.wait()
            try:
                host.ms365.settings.save({"tenant_id": tenant}, version=0)
                outcomes.append("saved")
            except SettingsChanged:
                outcomes.append("changed")

    threads = [threading.Thread(target=save, args=(tenant,)) for tenant in ("contoso.com", "fabrikam.com")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["changed", "saved"]


def test_a_conflict_knows_who_changed_what(host: Host) -> None:
    with host.app.app_context():
        host.ms365.settings.save(CREDENTIALS, actor="ana")
        host.ms365.settings.save({"tenant_id": USE_DEFAULT}, actor="ben")
        change = host.ms365.settings.changes_since(1)["tenant_id"]
        assert (change.old, change.new, change.by) == ("contoso.com", None, "ben")


def test_the_audit_log_is_in_order(host: Host) -> None:
    with host.app.app_context():
        host.ms365.settings.save(CREDENTIALS, actor="ana")
        rows = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        assert {row.target: row.detail["new"] for row in rows} == {
            **CREDENTIALS,
            "client_secret": {"starts_with": "aB3"},
        }


def test_drafts_come_back(host: Host) -> None:
    with host.app.app_context():
        drafts = host.app.extensions["ms365.state"].drafts
        draft = drafts.keep({**CREDENTIALS, "cloud": USE_DEFAULT}, version=3, user_id="ana")
        assert drafts.take(draft, user_id="ana") == ({**CREDENTIALS, "cloud": USE_DEFAULT}, 3)


def test_a_check_runs_and_is_kept(host: Host, simulator: Simulator, registration: App) -> None:
    configure(host, simulator, registration)
    visitor = host.visitor()
    page = visitor.get(visitor.submit("/ms365/check", {}).headers["Location"]).text
    assert "Microsoft takes client ID and client secret." in page


def test_people_are_told_once(host: Host, clock: Clock) -> None:
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        first = [tell(session, "secret-expiry:2027-03-01:14", at=clock(), user_id="ana") for _ in range(2)]
        assert (first, is_told(session, "secret-expiry:2027-03-01:14", user_id="ana")) == ([True, False], True)


@pytest.mark.parametrize("path", ["/ms365/", "/ms365/settings", "/ms365/setup", "/ms365/audit", "/ms365/audit.csv"])
def test_every_page_is_shown(host: Host, path: str) -> None:
    with host.app.app_context():
        host.ms365.settings.save(CREDENTIALS, actor="ana")
    assert host.visitor().get(path).status_code == 200
