"""What can be wrong with a look: what axe-core finds, and what it does not see. Findings are lines that say where."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.services import missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

_AXE = """() => axe.run({
  // the frame of a letter is sandboxed: nothing can look into it
  iframes: false,
  resultTypes: ["violations"],
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
})"""

# WCAG 1.4.12: what people may set, and nothing may be lost
TEXT_SPACING = """
* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
p { margin-block-end: 2em !important }
"""
# WCAG 1.4.4: text at 200 %
LARGE_TEXT = ":root { font-size: 200% !important }"

_CLIPPED = """() => [...document.querySelectorAll(".ms365 *")].filter((element) => {
  if (element.closest("svg, iframe, progress, .ms365-hidden, .ms365-clip")) return false;
  const { display, overflowX } = getComputedStyle(element);
  if (display.startsWith("inline") && display !== "inline-flex" || !element.clientHeight) return false;
  const isTooTall = element.scrollHeight > element.clientHeight + 1;
  // what is typed may be longer than its box, and a table may scroll
  const mayBeWider = overflowX === "auto" || element.matches("input");
  return isTooTall || !mayBeWider && element.scrollWidth > element.clientWidth + 1;
}).map((element) => element.outerHTML.slice(0, 160))"""

# a link inside a sentence may be as high as its line
_SMALL = """() => [...document.querySelectorAll(".ms365 :is(a, button, input, select, summary, textarea)")]
.map((element) => element.matches("[type=checkbox], [type=radio]") ? element.closest("label") || element : element)
.filter((element) => {
  const { width, height } = element.getBoundingClientRect();
  return width && getComputedStyle(element).display !== "inline" && (width < 24 || height < 24);
}).map((element) => element.outerHTML.slice(0, 160))"""

_FOCUSED = """() => {
  const element = document.activeElement;
  if (!element.closest(".ms365")) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return { html: element.outerHTML.slice(0, 160), hasRing: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
}"""

# forced colours take backgrounds away: what was a box by its background needs an edge
_BORDERLESS = """() => [...document.querySelectorAll(".ms365-notice, .ms365-chip, .ms365-btn, .ms365-input")]
.filter((element) => element.offsetWidth && getComputedStyle(element).borderTopStyle !== "solid")
.map((element) => element.outerHTML.slice(0, 160))"""


@cache
def _axe_source() -> str:
    try:
        from axe_playwright_python.base import AXE_SCRIPT
    except ImportError:
        missing("there is no axe-core here (pip install -e '.[test]')")
    return str(AXE_SCRIPT)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, once nothing moves any more."""
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    if not page.evaluate("'axe' in window"):
        page.evaluate(_axe_source())
    found = page.evaluate(_AXE)["violations"]
    return [f"{page.url} {each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def sideways(page: Page) -> list[str]:
    """Return the page if it has to be scrolled sideways."""
    width, room = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    return [f"{page.url} is {width} px wide in {room}"] if width > room else []


def clipped(page: Page) -> list[str]:
    """Return the boxes whose content is larger than they are."""
    return [f"{page.url} cut off: {html}" for html in page.evaluate(_CLIPPED)]


def small_targets(page: Page) -> list[str]:
    """Return what is to be pressed and smaller than 24 by 24 px (WCAG 2.5.8)."""
    return [f"{page.url} too small: {html}" for html in page.evaluate(_SMALL)]


def without_border(page: Page) -> list[str]:
    """Return the boxes that cannot be told from what is around them where backgrounds are gone."""
    return [f"{page.url} no border: {html}" for html in page.evaluate(_BORDERLESS)]


def without_ring(page: Page) -> list[str]:
    """Walk through the page with the Tab key; return what does not show that it has the focus."""
    seen: set[str] = set()
    found = []
    for _ in range(200):
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None and seen:
            break
        if focused is not None:
            seen.add(focused["html"])
            found += [] if focused["hasRing"] else [f"{page.url} no ring: {focused['html']}"]
    assert seen, f"nothing on {page.url} can be reached by keyboard"
    return found
