"""What our script tells the host's: a save, and a check that has ended."""

from __future__ import annotations

import pytest

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.browser

# runs before every script of a page, outside its policy
LISTEN = """for (const name of ["ms365:saved", "ms365:state"]) {
  document.addEventListener(name, ({ target }) => { (window.heard ??= []).push(`${name} ${target.tagName}`); });
}"""


def test_a_save_is_told_once(open_page: OpenPage) -> None:
    page = open_page()
    page.add_init_script(LISTEN)
    page.get_by_role("textbox", name="Application (Client) ID").fill("7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c")
    page.get_by_role("textbox", name="Directory (Tenant) ID").fill("contoso.com")
    page.get_by_role("button", name="Save Settings").click()
    page.get_by_text("Settings saved").wait_for()
    assert page.evaluate("window.heard") == ["ms365:saved FORM"]
    page.goto("/ms365/settings")
    assert page.evaluate("window.heard") is None


def test_the_end_of_a_check_is_told(open_page: OpenPage) -> None:
    page = open_page("/ms365/check")
    page.evaluate(LISTEN)
    page.get_by_role("button", name="Run the check").click()
    page.get_by_text("Report for support").first.wait_for()
    page.wait_for_function("window.heard")
    assert page.evaluate("window.heard") == ["ms365:state DIV"]
