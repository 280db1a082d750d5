"""The help desk of ``full.py``, served under /sub with our pages under /admin/mail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_ms365.crypto import generate_key
from flask_ms365.simulator import Simulator, User
from tests.hosts import full, migrations
from tests.hosts.browser import Browser, Page, serving
from tests.visitor import controls, sign_in_at_microsoft

pytestmark = pytest.mark.filterwarnings("ignore:'get_engine' is deprecated:DeprecationWarning")


@dataclass
class Desk:
    """The help desk as it runs."""

    app: Flask
    folder: Path
    address: str

    @property
    def migrations(self) -> Path:
        return self.folder / "migrations"

    def browser(self, name: str | None = None) -> Browser:
        """Return a browser in which ``name`` has signed in to the help desk."""
        browser = Browser(self.address)
        if name is not None:
            assert browser.submit("/sub/sign-in", {"name": name}).status == 200
        return browser


@pytest.fixture(scope="module")
def microsoft() -> Iterator[Simulator]:
    """Return the Microsoft 365 of this desk, which outlives a test as the desk does."""
    with Simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, microsoft: Simulator) -> Iterator[Desk]:
    """Return the help desk with an admin, Ana, and an agent, Ben; its tables were made by a migration."""
    folder, server = tmp_path_factory.mktemp("desk"), DispatcherMiddleware(NotFound())
    with serving(server) as address:
        app = full.create_app(
            folder,
            MS365_ENCRYPTION_KEYS=[generate_key()],
            MS365_AUTHORITY_URL=microsoft.url,
            MS365_GRAPH_URL=microsoft.url,
        )
        desk = Desk(app, folder, address)
        migrations.make_folder(app, desk.migrations)
        migrations.write(app, desk.migrations)
        migrations.run(app, desk.migrations)
        with app.app_context():
            full.db.session.add_all([full.Person(name="Ana", is_admin=True), full.Person(name="Ben", is_admin=False)])
            full.db.session.commit()
        server.mounts["/sub"] = app
        yield desk


def test_the_whole_journey(desk: Desk, microsoft: Simulator) -> None:
    ana = microsoft.add_user("ana@contoso.example", name="Ana Ruiz", password="ana")
    ana.mailbox.deliver(
        subject="The bell rings", html="<p>Ring!</p><script>x()</script>", sender=("Bob", "bob@x.example")
    )
    browser = desk.browser("Ana")
    saved = _save_settings(desk, microsoft, browser)
    assert ("Settings saved" in saved.text, f"{desk.address}/sub/admin/mail/oauth/callback" in saved.text) == (
        True,
        True,
    )

    connected = browser.connect("/sub/admin/mail/my-email", ana)
    assert ("Connected" in connected.text, ana.upn in connected.text) == (True, True)

    with desk.app.app_context():
        report = full.ms365.tick()
        tickets = [(ticket.title, ticket.message_id) for ticket in full.db.session.scalars(full.db.select(full.Ticket))]
    assert ([str(run.result) for run in report.runs], tickets) == (["done"], [("The bell rings", 1)])

    assert "The bell rings" in browser.open("/sub/admin/mail/messages").text
    body = browser.open("/sub/admin/mail/messages/1/body").text
    assert ("Ring!" in body, "x()" in body) == (True, False)


def _save_settings(desk: Desk, microsoft: Simulator, browser: Browser) -> Page:
    """Fill in the settings page for an app that was just registered at Microsoft."""
    uri = f"{desk.address}/sub/admin/mail/oauth/callback"
    registration = microsoft.register_app(redirect_uris=[uri], name="Help desk")
    filled_in = {
        "client_id-value": registration.client_id,
        "client_secret-value": registration.client_secret,
        "tenant_id-value": microsoft.tenant_id,
        "email_sync-value": "y",
        "confirm_redirect_uri": "y",
    }
    return browser.submit("/sub/admin/mail/settings", filled_in)


def test_after_the_migration_there_is_nothing_left_to_migrate(desk: Desk) -> None:
    assert len(migrations.write(desk.app, desk.migrations)) == 1


def test_our_pages_are_part_of_the_desk(desk: Desk) -> None:
    page = desk.browser("Ana").open("/sub/admin/mail/settings")
    assert ("Sign out Ana" in page.text, "<title>Settings - Microsoft 365</title>" in page.text) == (True, True)


def test_every_link_of_our_pages_leads_somewhere(desk: Desk) -> None:
    browser = desk.browser("Ana")
    page = browser.open("/sub/admin/mail/settings").text
    links = {each.split('"')[0] for each in page.split('="') if each.startswith("/sub/admin/mail/")}
    assert {browser.open(link).status for link in links} == {200}
    assert "/sub/admin/mail/messages" in links


def test_the_desks_policy_lets_connect_reach_microsoft(desk: Desk, microsoft: Simulator) -> None:
    policy = desk.browser("Ana").open("/sub/sign-in").headers["Content-Security-Policy"]
    assert f"form-action 'self' {microsoft.url}" in policy


def test_someone_who_is_signed_out_signs_in_and_arrives(desk: Desk) -> None:
    browser = desk.browser()
    at_the_door = browser.open("/sub/admin/mail/settings")
    assert at_the_door.url.startswith(f"{desk.address}/sub/sign-in?next=")
    arrived = browser.submit(at_the_door.url, {"name": "Ana"})
    assert arrived.url == f"{desk.address}/sub/admin/mail/settings"


def test_an_agent_sees_his_own_mailbox_and_no_settings(desk: Desk) -> None:
    browser = desk.browser("Ben")
    paths = ("settings", "my-email", "messages")
    assert [browser.open(f"/sub/admin/mail/{path}").status for path in paths] == [403, 200, 200]


def test_the_desks_own_protection_refuses_a_forged_save(desk: Desk) -> None:
    browser = desk.browser("Ana")
    assert browser.submit("/sub/admin/mail/settings", {"csrf_token": "forged"}).status == 400


def test_an_agent_signs_in_with_microsoft_and_a_namesake_does_not(desk: Desk, microsoft: Simulator) -> None:
    ben = microsoft.add_user("ben@contoso.example", name="Ben", password="ben")
    namesake = microsoft.add_user("ben@fabrikam.example", name="Ben", password="ben")
    _save_settings(desk, microsoft, desk.browser("Ana"))
    with desk.app.app_context():
        full.ms365.settings.save({"sign_in": "1"})
        agent = full.db.session.scalars(full.db.select(full.Person).filter_by(name="Ben")).one()
        agent.tid, agent.oid = microsoft.tenant_id, ben.oid
        full.db.session.commit()

    arrived = _sign_in_with_microsoft(desk.browser(), ben)
    assert (arrived.url, "Sign out Ben" in arrived.text) == (f"{desk.address}/sub/admin/mail/my-email", True)
    turned_away = _sign_in_with_microsoft(desk.browser(), namesake)
    assert "Nobody here has this Microsoft account" in turned_away.text


def _sign_in_with_microsoft(browser: Browser, user: User) -> Page:
    """Press the button on the desk's own page, on the way to one of ours, and come back."""
    at_the_door = browser.open("/sub/admin/mail/my-email")
    form = controls(f"<form{at_the_door.text.rpartition('<form')[2]}")
    at_microsoft = browser.open("/sub/admin/mail/sign-in", form)
    return browser.open(sign_in_at_microsoft(at_microsoft.url, user))
