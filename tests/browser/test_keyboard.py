"""The settings page without a mouse, and without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.test_journey import both, fill_settings, toggle

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

_FOCUSED = """() => {
  const element = document.activeElement;
  const { top, left } = element.getBoundingClientRect();
  return [element.name || element.textContent.trim(), scrollY + top, scrollX + left];
}"""


def focused(page: Page) -> str:
    """Return what has the focus: the name of a control, or the words on a link."""
    return str(page.evaluate(_FOCUSED)[0])


def tab_to(page: Page, name: str) -> None:
    """Press Tab until ``name`` has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if focused(page) == name:
            return
    raise AssertionError(f"Tab does not lead to {name!r} on {page.url}")


def press_enter(page: Page) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")


@both
def test_from_three_values_to_a_running_sync_and_back_to_nothing(
    open_page: OpenPage, stage: Stage, javascript: bool
) -> None:
    page = open_page(javascript=javascript)
    for key in ("client_id", "client_secret", "tenant_id"):
        tab_to(page, f"{key}-value")
        page.keyboard.type(getattr(stage, key))
    tab_to(page, "email_sync-value")
    page.keyboard.press("Space")
    tab_to(page, "Save Settings")
    press_enter(page)
    page.get_by_text("Settings saved").wait_for()
    assert toggle(page).is_checked()

    tab_to(page, "Remove…")
    press_enter(page)
    tab_to(page, "Cancel")
    press_enter(page)
    tab_to(page, "Reset all to defaults…")
    press_enter(page)
    tab_to(page, page.locator(".ms365-btn-danger").inner_text())
    press_enter(page)
    assert not toggle(page).is_checked()
    assert page.get_by_role("textbox", name="Application (Client) ID").input_value() == ""


@both
def test_enter_in_a_field_saves_and_a_refusal_has_the_focus(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    tab_to(page, "client_id-value")
    page.keyboard.type("not an id")
    press_enter(page)
    assert page.get_by_role("group", name="There is a problem").evaluate("element => element.matches(':focus')")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**#client_id-value")
    page.keyboard.press("End")
    page.keyboard.type("!")
    assert page.get_by_role("textbox", name="Application (Client) ID").input_value() == "not an id!"


@both
def test_a_default_is_left_and_its_field_is_the_next_stop(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    page = open_page(javascript=javascript)
    fill_settings(page, stage)
    tab_to(page, "sync_interval-use_default")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert focused(page) == "sync_interval-value"
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("15")
    press_enter(page)
    page.get_by_text("Settings saved").wait_for()
    assert page.get_by_role("textbox", name="Sync interval").input_value() == "15"


def test_the_order_of_the_stops_is_the_order_of_reading(open_page: OpenPage) -> None:
    page = open_page()
    for box in page.get_by_role("checkbox", name="Use default").all():
        box.uncheck()
    page.locator("body").evaluate("body => { document.activeElement.blur(); scrollTo(0, 0) }")
    tab_to(page, "client_id-value")
    stops = [page.evaluate(_FOCUSED)]
    while stops[-1][0] != "Save Settings":
        page.keyboard.press("Tab")
        stops.append(page.evaluate(_FOCUSED))
    assert stops == sorted(stops, key=lambda stop: (round(stop[1]), stop[2]))
    names = [name for name, _, _ in stops]
    boxes = [name for name in names if name.endswith("-use_default")]
    assert boxes
    assert [names[names.index(box) + 1] for box in boxes] == [box.replace("use_default", "value") for box in boxes]


def test_the_redirect_uri_is_copied_by_keyboard(open_page: OpenPage, stage: Stage) -> None:
    page = open_page()
    tab_to(page, "Copy Redirect URI")
    page.keyboard.press("Enter")
    page.get_by_role("status").get_by_text("Copied").wait_for()
    assert focused(page) == "Copy Redirect URI"
    assert page.evaluate("navigator.clipboard.readText()") == f"{stage.url}/ms365/oauth/callback"


def test_without_script_a_click_selects_all_of_the_redirect_uri(open_page: OpenPage, stage: Stage) -> None:
    page = open_page(javascript=False)
    page.locator("#ms365-redirect-uri").click()
    assert page.evaluate("getSelection().toString()") == f"{stage.url}/ms365/oauth/callback"
