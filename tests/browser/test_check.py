"""The connection check in a browser: it fills in while one looks, and does without JavaScript."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

CHECK = "/ms365/check"
OURS = 12  # steps


def run(page: Page) -> None:
    page.get_by_role("button", name="Run the check").click()
    page.get_by_text("Report for support").first.wait_for()


def chips(page: Page) -> Counter[str]:
    """Return how often each state stands on the page."""
    return Counter(page.locator("ol .ms365-chip").all_inner_texts())


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no-script"])
def test_a_run_ends_with_a_result_for_every_step(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(CHECK, javascript=javascript)
    run(page)
    found = chips(page)
    assert sum(found.values()) == OURS
    assert set(found) <= {"Passed", "Warning", "Failed", "Not checked"}
    assert page.url.endswith(f"{CHECK}?run=1")


def test_every_row_is_fetched_as_soon_as_it_is_there(open_page: OpenPage) -> None:
    page = open_page(CHECK)
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.method))
    run(page)
    assert posts.count("POST") == OURS + 1  # the first begins the run


def test_the_end_is_announced(open_page: OpenPage) -> None:
    page = open_page(CHECK)
    run(page)
    assert "not checked" in page.locator("form [role=status]").inner_text()


def test_the_report_is_copied(open_page: OpenPage) -> None:
    page = open_page(CHECK)
    run(page)
    page.get_by_text("Report for support").first.click()
    page.get_by_role("button", name="Copy report").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("Connection check of ")
