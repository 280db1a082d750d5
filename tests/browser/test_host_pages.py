"""Mail on the host's own pages, and the banner above ours, by clicks: with JavaScript and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from demo.database import db
from demo.stage import Stage
from flask_ms365.models import Mailbox
from tests.browser.conftest import OpenPage
from tests.browser.looks import clipped, sideways, small_targets, violations
from tests.browser.test_journey import both, connect, fill_settings, save, toggle, wait_for_letter

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def read(open_page: OpenPage, stage: Stage) -> Page:
    """Return the browser of Ana, whose letter has arrived."""
    page = open_page("/ms365/settings")
    fill_settings(page, stage)
    toggle(page).check()
    save(page)
    connect(page, "ana")
    wait_for_letter(page, "The bell rings")
    return page


def sign_out_of_microsoft(stage: Stage) -> None:
    """Let Ana's mailbox need her to sign in again."""
    with stage.app.app_context():
        db.session.execute(update(Mailbox).values(state="sign_in_needed"))
        db.session.commit()


def looks_well(page: Page) -> list[str]:
    found = violations(page) + small_targets(page)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found += violations(page)
    page.set_viewport_size({"width": 320, "height": 720})
    found += clipped(page) + sideways(page)
    page.set_viewport_size({"width": 1280, "height": 720})
    return found


def test_a_contact_page_shows_their_letters(read: Page) -> None:
    read.goto("/")
    assert "Up to date" in read.inner_text(".ms365")
    read.get_by_role("link", name="Bob").click()
    assert looks_well(read) == []
    read.get_by_role("link", name="The bell rings").click()
    read.get_by_role("heading", name="The bell rings").wait_for()


@both
def test_the_banner_leads_back_to_microsoft(read: Page, open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    sign_out_of_microsoft(stage)
    page = open_page("/ms365/messages", javascript=javascript)
    page.get_by_role("heading", name="Your mailbox ana@contoso.example needs you to sign in again.").wait_for()
    page.get_by_role("button", name="Sign in again").press("Enter")
    page.locator("input[name=password]").fill("ana")
    page.locator("button[value=accept]").click()
    page.get_by_role("heading", name="ana@contoso.example").wait_for()
    page.goto("/ms365/messages")
    assert "needs you" not in page.inner_text("main")


def test_the_banner_and_the_status_look_well(read: Page, stage: Stage) -> None:
    sign_out_of_microsoft(stage)
    for path, said in (("/ms365/audit", "needs you to sign in again"), ("/", "Sign-in needed")):
        read.goto(path)
        assert said in read.inner_text("main")
        assert looks_well(read) == []
