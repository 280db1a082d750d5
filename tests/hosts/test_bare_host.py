"""The host of ``bare.py``, served at the root of its own address."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from flask_ms365 import Change
from flask_ms365.crypto import generate_key
from flask_ms365.models import Message
from flask_ms365.simulator import Mailbox, Simulator, User
from tests.hosts.bare import bare_host
from tests.hosts.browser import Browser, serving


def test_the_whole_journey(tmp_path: Path, simulator: Simulator, ana: User, mailbox: Mailbox) -> None:
    host = bare_host(
        tmp_path,
        MS365_ENCRYPTION_KEYS=generate_key(),
        MS365_AUTHORITY_URL=simulator.url,
        MS365_GRAPH_URL=simulator.url,
    )
    heard: list[tuple[str | None, Change]] = []
    host.ms365.on_message(lambda message, change: heard.append((message.subject, change)))
    mailbox.deliver(subject="The bell rings", text="Ring!", sender=("Bob", "bob@fabrikam.example"))

    with serving(host.app) as address:
        host.app.config["MS365_PUBLIC_BASE_URL"] = address
        registration = simulator.register_app(redirect_uris=[f"{address}/ms365/oauth/callback"], name="Bare")
        browser = Browser(address)
        filled_in = {
            "client_id-value": registration.client_id,
            "client_secret-value": registration.client_secret,
            "tenant_id-value": simulator.tenant_id,
            "email_sync-value": "y",
        }
        assert "Settings saved" in browser.submit("/ms365/settings", filled_in).text
        assert "Connected" in browser.connect("/ms365/my-email", ana).text

        with host.app.app_context():
            host.ms365.tick()
            subjects = host.app.extensions["sqlalchemy"].session.scalars(select(Message.subject)).all()
        assert (subjects, heard) == (["The bell rings"], [("The bell rings", Change.CREATED)])

        assert "The bell rings" in browser.open("/ms365/messages").text
        assert "Ring!" in browser.open("/ms365/messages/1/body").text


def test_the_mail_is_still_there_after_a_restart(tmp_path: Path) -> None:
    first = bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())
    with first.app.app_context():
        first.ms365.settings.save({"tenant_id": "contoso.com"})
    again = bare_host(tmp_path)
    assert "contoso.com" in again.visitor().get("/ms365/settings").text


def test_a_page_that_is_not_there_is_the_hosts_own_404(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    host.app.register_error_handler(404, lambda error: ("Nothing of ours", 404))
    assert host.visitor().get("/ms365/nothing").text == "Nothing of ours"
