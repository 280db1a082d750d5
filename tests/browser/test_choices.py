"""What people choose for their own mailbox, by keyboard alone, with JavaScript and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.test_journey import both, connect, fill_settings, save, toggle, wait_for_letter
from tests.browser.test_keyboard import press_enter, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def go_by(page: Page, *names: str) -> None:
    """Tab to one link or button after the other, by its words, and press it."""
    for name in names:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent.trim()") == name:
                break
        press_enter(page)


@both
def test_choosing_folders_a_day_a_pause_and_a_new_start(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    fill_settings(page, stage)
    toggle(page).check()
    save(page)
    connect(page, "ana")
    wait_for_letter(page, "The bell rings")

    page.goto("/ms365/my-email")
    go_by(page, "Choose folders")
    tab_to(page, "read")
    page.keyboard.press("Space")
    go_by(page, "Save")
    page.get_by_text("Messages kept of folders that are not read").wait_for()
    go_by(page, "Count the messages")
    page.get_by_text("About 0 messages in these folders, of which 0 are here.").wait_for()

    go_by(page, "Delete what is stored… (Inbox)", "Delete the mail")
    page.get_by_text("What was stored of the folder is being deleted").wait_for()
    go_by(page, "Back to the mailbox", "Pause")
    page.get_by_text("The mailbox is paused").wait_for()
    go_by(page, "Resume")
    page.get_by_text("The mailbox goes on").wait_for()
    go_by(page, "Start over…", "Start over")
    page.get_by_text("The mailbox is read again from the start").wait_for()
    go_by(page, "Sync now")
    page.get_by_text("It is read as soon as a worker is free").wait_for()
