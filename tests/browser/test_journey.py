"""The journey by clicks, with JavaScript and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.stage import Stage
from tests.browser.conftest import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Locator, Page

pytestmark = pytest.mark.browser

both = pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])


def fill_settings(page: Page, stage: Stage) -> None:
    page.get_by_role("textbox", name="Application (Client) ID").fill(stage.client_id)
    page.get_by_label("Client Secret", exact=True).fill(stage.client_secret)
    page.get_by_role("textbox", name="Directory (Tenant) ID").fill(stage.tenant_id)


def toggle(page: Page) -> Locator:
    return page.get_by_role("checkbox", name="Enable Emails Sync On")


def press_save(page: Page) -> None:
    with page.expect_navigation():  # the page before may look just the same
        page.get_by_role("button", name="Save Settings").click()


def save(page: Page) -> None:
    press_save(page)
    page.get_by_text("Settings saved").wait_for()


def connect(page: Page, name: str) -> None:
    page.goto("/ms365/my-email")
    page.get_by_role("button", name="Connect").click()
    page.locator("input[name=username]").fill(f"{name}@contoso.example")
    page.locator("input[name=password]").fill(name)
    page.locator("button[value=accept]").click()
    page.get_by_role("heading", name=f"{name}@contoso.example").wait_for()


def wait_for_letter(page: Page, subject: str) -> None:
    """Reload the messages as a person does, until the letter is there."""
    for _ in range(40):
        page.goto("/ms365/messages")
        if page.get_by_role("link", name=subject).count():
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{subject!r} did not arrive: {page.inner_text('main')}")


@both
def test_from_an_empty_page_to_a_letter_and_off_again(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    fill_settings(page, stage)
    toggle(page).check()
    save(page)
    assert page.get_by_role("textbox", name="Application (Client) ID").input_value() == stage.client_id
    assert page.get_by_role("textbox", name="Directory (Tenant) ID").input_value() == stage.tenant_id
    assert toggle(page).is_checked()
    assert stage.client_secret not in page.content()

    connect(page, "ana")
    wait_for_letter(page, "The bell rings")

    page.get_by_role("link", name="The bell rings").click()
    text = page.frame_locator("iframe")
    text.get_by_text("Ring!").wait_for()
    # the letter's own script did not run, and its picture was not asked for
    assert page.title().startswith("The bell rings")
    assert text.locator("img[src^=http]").count() == 0

    page.goto("/ms365/settings")
    toggle(page).uncheck()
    save(page)
    assert not toggle(page).is_checked()


@both
def test_a_refused_save_says_why_and_leads_to_the_field(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    client_id = page.get_by_role("textbox", name="Application (Client) ID")
    client_id.fill("not an id")
    press_save(page)
    assert page.title().startswith("Error:")
    summary = page.get_by_role("group", name="There is a problem")
    assert "Application (Client) ID must look like" in summary.inner_text()
    summary.get_by_role("link").first.click()
    page.wait_for_url("**#client_id-value")
    page.keyboard.press("End")
    page.keyboard.type(", really")
    assert client_id.input_value() == "not an id, really"


def test_the_redirect_uri_is_copied(open_page: OpenPage, stage: Stage) -> None:
    page = open_page()
    page.get_by_role("button", name="Copy Redirect URI").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{stage.url}/ms365/oauth/callback"


def test_without_script_there_is_no_copy_button(open_page: OpenPage, stage: Stage) -> None:
    page = open_page(javascript=False)
    assert page.get_by_text(f"{stage.url}/ms365/oauth/callback").is_visible()
    assert not page.get_by_role("button", name="Copy Redirect URI").is_visible()


def test_unsaved_changes_are_guarded(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("textbox", name="Application (Client) ID").fill("1")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.goto("/ms365/my-email")
    assert asked == ["beforeunload"]
