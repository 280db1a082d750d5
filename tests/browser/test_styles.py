"""The gallery, which shows every component in every state, holds in six host styles and alone, in every mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.looks import (
    LARGE_TEXT,
    TEXT_SPACING,
    clipped,
    sideways,
    small_targets,
    violations,
    without_border,
    without_ring,
)
from tests.styles.host import BRIDGES, DARK_STYLES, STYLES

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

GALLERY = "/ms365/_gallery"
in_every_style = pytest.mark.parametrize("style", ["alone", *STYLES])


def wear(page: Page, style: str, *, scheme: str = "light", more: str = "") -> None:
    """Open the gallery in a style."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{GALLERY}?style={style}&scheme={scheme}{more}")


@in_every_style
def test_light(page: Page, style: str) -> None:
    wear(page, style)
    assert violations(page) + small_targets(page) + clipped(page) + sideways(page) == []


@pytest.mark.parametrize("style", ["alone", *DARK_STYLES])
def test_dark(page: Page, style: str) -> None:
    wear(page, style, scheme="dark")
    assert violations(page) == []


@pytest.mark.parametrize("style", BRIDGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_the_bridge_of_the_docs(page: Page, style: str, scheme: str) -> None:
    wear(page, style, scheme=scheme, more="&bridge=1")
    assert violations(page) == []


@in_every_style
def test_right_to_left(page: Page, style: str) -> None:
    wear(page, style, more="&dir=rtl")
    assert violations(page) + clipped(page) + sideways(page) == []


@in_every_style
def test_320_pixels(page: Page, style: str) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    wear(page, style)
    assert violations(page) + small_targets(page) + clipped(page) + sideways(page) == []


@in_every_style
def test_text_spacing_and_large_text_lose_nothing(page: Page, style: str) -> None:
    for rules in (TEXT_SPACING, LARGE_TEXT):
        wear(page, style)
        page.add_style_tag(content=rules)
        assert clipped(page) + sideways(page) == [], rules


@in_every_style
def test_the_focus_can_be_seen(page: Page, style: str) -> None:
    wear(page, style)
    assert without_ring(page) == []


@in_every_style
def test_forced_colours(page: Page, style: str) -> None:
    page.emulate_media(forced_colors="active")
    wear(page, style)
    assert violations(page) + without_border(page) == []


def test_paper_shows_all_that_is_said_and_nothing_to_press(page: Page) -> None:
    wear(page, "alone")
    said = [page.get_by_text("Details, closed"), page.get_by_text("0f3c2d1a").first, page.get_by_text("2,143 of").first]
    assert not said[1].is_visible()
    page.emulate_media(media="print")
    assert [each.is_visible() for each in said] == [True, True, True]
    assert [button for button in page.locator(".ms365-btn, .ms365-nav").all() if button.is_visible()] == []
    assert violations(page) + clipped(page) + sideways(page) == []
