"""Reading mail as people do: with or without a mouse, with or without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.stage import Stage
from flask_ms365.simulator import Attachment
from tests.browser.conftest import OpenPage
from tests.browser.test_hostile_mail import PIXEL
from tests.browser.test_journey import both, connect, fill_settings, save, toggle, wait_for_letter
from tests.browser.test_keyboard import press_enter, tab_to

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def open_letter(open_page: OpenPage, stage: Stage, subject: str) -> Page:
    """Connect Ana's mailbox, and open a letter that came to her."""
    page = open_page()
    fill_settings(page, stage)
    toggle(page).check()
    save(page)
    connect(page, "ana")
    wait_for_letter(page, subject)
    page.get_by_role("link", name=subject).click()
    return page


def test_an_image_that_came_with_the_message_is_seen_without_asking(open_page: OpenPage, stage: Stage) -> None:
    """The frame is sandboxed, so it is asked for without cookies: who is logged in is not known there."""
    logo = Attachment(name="logo.png", content_type="image/png", content=PIXEL, is_inline=True, content_id="logo@1")
    stage.people["ana"].mailbox.deliver(
        subject="Our logo", html='<img src="cid:logo@1" alt="Logo">', attachments=[logo]
    )
    page = open_letter(open_page, stage, "Our logo")
    image = page.frame_locator("iframe").get_by_role("img", name="Logo")
    image.wait_for()
    with page.expect_response("**/inline/**") as answer:
        page.reload()
    assert (answer.value.status, answer.value.headers["content-type"]) == (200, "image/png")
    assert "cookie" not in answer.value.request.all_headers()


def test_a_link_opens_a_page_that_knows_nothing_of_ours(open_page: OpenPage, stage: Stage) -> None:
    stage.people["ana"].mailbox.deliver(subject="A link", html='<a href="https://example.com/there">There</a>')
    page = open_letter(open_page, stage, "A link")
    page.context.route("https://example.com/**", lambda route: route.fulfill(body="<title>There</title>"))
    with page.context.expect_page() as opened:
        page.frame_locator("iframe").get_by_role("link", name="There").click()
    there = opened.value
    there.wait_for_load_state()
    assert (there.url, there.evaluate("[window.opener, document.referrer, origin]")) == (
        "https://example.com/there",
        [None, "", "https://example.com"],
    )


@both
def test_images_from_elsewhere_come_when_they_are_asked_for(
    open_page: OpenPage, stage: Stage, javascript: bool
) -> None:
    stage.people["ana"].mailbox.deliver(subject="Hats", html='<img src="https://example.com/hat.png" alt="A hat">')
    open_letter(open_page, stage, "Hats").close()
    page = open_page("/ms365/messages", javascript=javascript)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "example.com/" in request.url else None)
    page.route("https://example.com/**", lambda route: route.fulfill(body=PIXEL))
    page.get_by_role("link", name="Hats").click()
    page.frame_locator("iframe").get_by_text("A hat").or_(
        page.frame_locator("iframe").get_by_alt_text("A hat")
    ).wait_for()
    assert asked == []
    page.get_by_role("link", name="Show images").click()
    page.get_by_role("link", name="Hide images").wait_for()
    page.frame_locator("iframe").get_by_alt_text("A hat").wait_for()
    assert asked == ["https://example.com/hat.png"]


@both
def test_a_conversation_is_read_by_keyboard_alone(open_page: OpenPage, stage: Stage, javascript: bool) -> None:
    mailbox = stage.people["ana"].mailbox
    mailbox.deliver(subject="Bells", html='<p>One</p><img src="https://example.com/x.png">', thread="t")
    mailbox.deliver(subject="Re: Bells", text="Two", thread="t")
    open_letter(open_page, stage, "Re: Bells").close()
    page = open_page("/ms365/messages", javascript=javascript)
    page.route("https://example.com/**", lambda route: route.fulfill(body=PIXEL))
    tab_to(page, "Bells")
    press_enter(page)
    tab_to(page, "Show images")
    press_enter(page)
    page.get_by_role("link", name="Hide images").wait_for()
    tab_to(page, "Read the whole conversation")
    press_enter(page)
    page.frame_locator("iframe >> nth=1").get_by_text("Two").wait_for()
    assert page.locator("iframe").first.is_hidden()  # with script it is not even loaded
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.frame_locator("iframe >> nth=0").get_by_text("One").wait_for()
    tab_to(page, "Back to the message")
    press_enter(page)
    assert page.get_by_role("heading", level=1).inner_text() == "Bells"
