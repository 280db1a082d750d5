"""In a browser: what is asked and offered after a sign-in that did not end as it was meant to, and admin consent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.test_accessibility import looks
from tests.browser.test_journey import connect, fill_settings, save

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("javascript", [True, False])]


def settled(open_page: OpenPage, stage: Stage, javascript: bool) -> Page:
    page = open_page(javascript=javascript)
    fill_settings(page, stage)
    save(page)
    return page


def sign_in(page: Page, name: str) -> None:
    page.locator("input[name=username]").fill(f"{name}@contoso.example")
    page.locator("input[name=password]").fill(name)
    page.locator("button[value=accept]").click()


def test_another_account_is_asked_about_and_may_take_the_place(
    open_page: OpenPage, stage: Stage, javascript: bool
) -> None:
    page = settled(open_page, stage, javascript)
    connect(page, "ana")
    page.get_by_role("button", name="Sign in again").click()
    sign_in(page, "kim")
    page.get_by_role("heading", name="Which mailbox is to be yours here?").wait_for()
    assert (looks(page) if javascript else []) == []
    page.get_by_role("button", name="Use kim@contoso.example instead").click()
    sign_in(page, "kim")
    page.get_by_role("heading", name="kim@contoso.example").wait_for()


def test_who_needs_an_approval_copies_the_message_for_it(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    page = settled(open_page, stage, javascript)
    page.goto("/ms365/my-email")
    page.get_by_role("button", name="Connect").click()
    page.locator("input[name=username]").wait_for()
    state = parse_qs(urlsplit(page.url).query)["state"][0]
    refusal = {"state": state, "error": "access_denied", "error_description": "AADSTS90094: Admin consent is required."}
    page.goto(f"/ms365/oauth/callback?{urlencode(refusal)}")
    message = page.locator("#ms365-approval")
    assert f"adminconsent?client_id={stage.client_id}" in message.inner_text()
    if not javascript:
        return
    assert looks(page) == []
    page.locator("[data-ms365-copy=ms365-approval]").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == message.inner_text()


def test_an_admin_who_declines_is_back_at_the_guide(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    page = settled(open_page, stage, javascript)
    page.goto("/ms365/setup")
    page.get_by_role("button", name="I am the admin: grant it now").click()
    page.locator("button[value=cancel]").click()
    page.get_by_text("Admin consent was not given").wait_for()
    assert urlsplit(page.url).path == "/ms365/setup"
