"""Every page of ours, as it is once a mailbox is connected, holds in the looks that differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flask_ms365.web.blueprint import ROUTES
from tests.browser.looks import TEXT_SPACING, clipped, sideways, small_targets, violations
from tests.styles.host import DARK_STYLES, STYLES

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# what needs no permission, or is for monitoring, is no page for people; the gallery has tests of its own, and files are
# not looked at
_NO_PAGES = {"gallery", "audit_csv", "settings_certificate_pem", "mailboxes_live"}
_PLAIN = [route for route in ROUTES if route.permissions and "GET" in route.methods and "<" not in route.path]
_PAGES = [route.path for route in _PLAIN if not route.is_monitored and route.endpoint not in _NO_PAGES]
# the folder 1 of Ana's mailbox is read no more, and holds a message
_CHOSEN = [f"/mailboxes/1/{name}" for name in ("folders", "folders/1/delete", "restart")]
PAGES = [
    *_PAGES,
    *_CHOSEN,
    "/mailboxes/2",
    "/mailboxes/2/edit",
    "/messages/1",
    "/messages/999",
    "/messages?conversation=1",
]
LOOKS = [(style, "light") for style in ("alone", *STYLES)] + [(style, "dark") for style in ("alone", *DARK_STYLES)]


def open_in(page: Page, path: str, style: str, scheme: str, direction: str = "ltr") -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"/ms365{path}{'&' if '?' in path else '?'}style={style}&scheme={scheme}&dir={direction}")


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, path: str) -> None:
    found = []
    for style, scheme in LOOKS:
        open_in(page, path, style, scheme)
        found += violations(page) + small_targets(page)
    page.emulate_media(forced_colors="active")
    found += violations(page)
    assert found == []


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_cut_off(page: Page, path: str) -> None:
    """Neither right to left, nor at 320 px, which is 400 % zoom, nor with letters and lines apart."""
    found = []
    for style, direction in [("alone", "rtl"), ("bootstrap", "ltr"), ("legacy", "ltr")]:
        for width in (1280, 320):
            page.set_viewport_size({"width": width, "height": 720})
            open_in(page, path, style, "light", direction)
            found += clipped(page) + sideways(page)
            page.add_style_tag(content=TEXT_SPACING)
            found += clipped(page) + sideways(page)
    assert found == []
