"""axe-core finds nothing wrong on any page, in light and dark, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.looks import sideways, violations
from tests.browser.test_journey import connect, fill_settings, press_save, save, toggle, wait_for_letter

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def looks(page: Page) -> list[str]:
    """Return what is wrong in any look of the page, and whether it has to be scrolled sideways at 320 px."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme} {each}" for each in violations(page)]
    page.set_viewport_size({"width": 320, "height": 640})
    found += sideways(page)
    page.set_viewport_size({"width": 1280, "height": 720})
    return found


def test_every_page_can_be_used_by_everybody(open_page: OpenPage, stage: Stage) -> None:
    page = open_page()
    found = looks(page)
    page.get_by_role("textbox", name="Application (Client) ID").fill("not an id")
    press_save(page)
    found += looks(page)
    fill_settings(page, stage)
    toggle(page).check()
    save(page)
    found += looks(page)
    page.goto("/ms365/my-email")
    found += looks(page)
    page.goto("/ms365/messages")
    found += looks(page)
    connect(page, "ana")
    found += looks(page)
    wait_for_letter(page, "The bell rings")
    found += looks(page)
    page.get_by_role("link", name="The bell rings").click()
    found += looks(page)
    page.goto("/ms365/my-email/disconnect")
    found += looks(page)
    page.get_by_role("button", name="Disconnect").click()
    found += looks(page)
    assert found == []
