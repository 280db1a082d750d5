"""An admin adds the team's mailbox with a process, fills in its options and tries it, with JavaScript and without."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from demo.app import ms365
from demo.database import db
from demo.stage import Stage
from flask_ms365.models import Mailbox
from flask_ms365.sync.report import Result
from tests.browser.conftest import OpenPage
from tests.browser.looks import clipped, small_targets
from tests.browser.test_accessibility import looks
from tests.browser.test_journey import both

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def configure(stage: Stage) -> None:
    values = {
        "client_id": stage.client_id,
        "client_secret": stage.client_secret,
        "tenant_id": stage.tenant_id,
        "email_sync": "1",
    }
    with stage.app.app_context():
        ms365.settings.save(values, actor="ana")


def sync(page: Page, stage: Stage) -> None:
    """Sync the mailbox; where the demo's own worker has it just then, wait for it."""
    for _ in range(100):
        with stage.app.app_context():
            report = ms365.sync_mailbox(db.session.scalars(select(Mailbox.id)).one())
        if report.result is Result.DONE:
            return
        page.wait_for_timeout(250)
    raise AssertionError(report)


def add_support(page: Page) -> None:
    page.goto("/ms365/mailboxes/new")
    page.get_by_label("Address").fill("support@contoso.example")
    page.get_by_label("The app's own permission").check()
    page.get_by_label("What is done with new mail").select_option("Create ticket")
    page.get_by_role("button", name="Add the mailbox").click()
    page.get_by_role("heading", name="What is done with new mail").wait_for()


def deliver(stage: Stage, subject: str, *, hours_ago: int = 0) -> None:
    received_at = datetime.now(timezone.utc) - timedelta(hours=hours_ago)
    sender = ("Marta Ek", "marta@fabrikam.example")
    stage.support.mailbox.deliver(subject=subject, text="x", sender=sender, received_at=received_at)


@both
def test_from_the_form_to_the_ticket(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    configure(stage)
    page = open_page("/tickets", javascript=javascript)
    add_support(page)
    page.get_by_label("Priority").select_option("high")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved").wait_for()

    page.get_by_label("Process", exact=True).select_option("Create lead")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save and switch on").wait_for()

    deliver(stage, "Twelve spokes")
    sync(page, stage)
    page.goto("/tickets")
    page.get_by_role("link", name="Twelve spokes").click()
    page.get_by_text("high").wait_for()
    page.get_by_role("link", name="Read the message").click()
    page.get_by_role("heading", name="Twelve spokes").wait_for()


def test_the_page_of_a_process_can_be_used_by_everybody(open_page: OpenPage, stage: Stage) -> None:
    configure(stage)
    deliver(stage, "An old letter", hours_ago=5)
    page = open_page("/tickets")
    found = looks(page)
    add_support(page)
    sync(page, stage)
    page.get_by_role("button", name="Try it on the newest mail").click()
    page.get_by_role("link", name="An old letter").wait_for()
    found += looks(page) + clipped(page) + small_targets(page)

    page.get_by_label("Process", exact=True).select_option("Create lead")
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Source").fill(" ")
    page.get_by_role("button", name="Save and switch on").click()
    page.get_by_role("link", name="Say where they come from.").click()
    assert page.get_by_label("Source").evaluate("element => element === document.activeElement")
    found += looks(page) + clipped(page) + small_targets(page)

    page.get_by_label("Process", exact=True).select_option("")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Switch it off").wait_for()
    found += looks(page)
    for path in ("/tickets", "/leads"):
        page.goto(path)
        found += looks(page)
    assert found == []
