"""Mailboxes in a browser: pages that show by themselves what changes, and everything by keyboard and without script."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo.stage import Stage
from flask_ms365.models import Folder, Mailbox, SetAside, SyncRun, write_transaction
from tests.browser.conftest import OpenPage
from tests.browser.looks import without_ring
from tests.browser.test_accessibility import looks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

LIST, TEAM = "/ms365/mailboxes", "/ms365/mailboxes/2"
SOON, LATE = 6_000, 61_000  # milliseconds after which a page has asked again


@pytest.fixture
def boxes(stage: Stage) -> Stage:
    """Return the demo with a mailbox in trouble, one that is well, and Kim's own; nothing is synced."""
    now = datetime.now(timezone.utc)
    of_team = {"kind": "system", "created_at": now, "next_due_at": now + timedelta(hours=1), "access": "application"}
    with stage.app.app_context():
        state = stage.app.extensions["ms365.state"]
        with write_transaction(state.session):
            add = state.session.add_all
            failed = {"fail_count": 2, "last_result": "failed", "last_error": "It was refused.", "failing_since": now}
            add([Mailbox(address="it@contoso.example", label="IT", **of_team, **failed)])
            add([Mailbox(address="sales@contoso.example", label="Sales", last_success_at=now, **of_team)])
            add(
                [
                    Mailbox(
                        address="kim@contoso.example",
                        last_success_at=now,
                        **of_team | {"kind": "user", "owner_id": "kim"},
                    )
                ]
            )
            state.session.flush()
            add([Folder(mailbox_id=2, graph_id="inbox", name="Inbox", delta_link="link", total_count=3)])
            state.session.flush()
            aside = {"mailbox_id": 2, "folder_id": 1, "code": "tooLarge", "first_at": now, "next_try_at": now}
            add(
                [
                    SetAside(graph_id="one", subject="A film", **aside),
                    SetAside(graph_id="two", subject="A song", **aside),
                ]
            )
            counts = {"pages": 1, "created": 3, "updated": 0, "moved": 0, "removed": 0}
            add([SyncRun(mailbox_id=2, started_at=now, finished_at=now, result="done", **counts)])
    return stage


def change(stage: Stage, mailbox_id: int, **columns: Any) -> None:
    with stage.app.app_context():
        session = stage.app.extensions["ms365.state"].session
        with write_transaction(session):
            for name, value in columns.items():
                setattr(session.get_one(Mailbox, mailbox_id), name, value)


def open_with_clock(open_page: OpenPage, path: str) -> Page:
    """Open a page whose timers run when the test says so."""
    page = open_page(path)
    page.clock.install()
    page.goto(path)
    return page


def listen(page: Page) -> list[str]:
    """Return the addresses that the page asks again from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live" in request.url else None)
    return asked


def answered(page: Page, ms: int = SOON) -> int:
    """Let time pass until the page has asked again; return the status of the answer."""
    with page.expect_response("**/live**") as answer:
        page.clock.run_for(ms)
    return answer.value.status


@pytest.mark.parametrize("path", [LIST, TEAM])
def test_what_changes_shows_by_itself(open_page: OpenPage, boxes: Stage, path: str) -> None:
    page = open_with_clock(open_page, path)
    change(boxes, 2, state="paused", paused_at=datetime.now(timezone.utc), paused_by="kim")
    assert answered(page) == 200
    page.get_by_text("Paused by Kim Osei since").wait_for()


def test_a_change_of_state_is_told_politely_and_to_the_host(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, TEAM)
    page.evaluate("document.addEventListener('ms365:state', () => { document.title = 'told' })")
    change(boxes, 2, state="paused")
    answered(page)
    page.wait_for_function("document.title === 'told'")
    assert page.locator("[data-ms365-live] + p [role=status]").text_content() == "Paused"


def test_figures_that_change_are_not_told(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, TEAM)
    change(boxes, 2, stored_bytes=3 * 2**20)
    answered(page)
    page.get_by_text("3 MB").wait_for()
    assert page.locator("[data-ms365-live] + p [role=status]").text_content() == ""


def test_focus_and_ticks_stay_where_they_are(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, LIST)
    page.get_by_role("checkbox", name="Select Sales").check()
    page.get_by_role("link", name="Sales").focus()
    change(boxes, 2, state="paused")
    answered(page)
    page.get_by_role("row", name="Sales").get_by_text("Paused").wait_for()
    assert page.get_by_role("checkbox", name="Select Sales").is_checked()
    assert page.evaluate("document.activeElement.textContent") == "Sales"


def test_while_nothing_changes_it_asks_less_and_less_often(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, TEAM)
    asked = listen(page)
    assert answered(page) == 304
    page.wait_for_timeout(200)
    page.clock.run_for(SOON)
    assert len(asked) == 1
    assert answered(page, LATE) == 304


def test_it_can_be_paused(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, TEAM)
    asked = listen(page)
    page.get_by_role("button", name="Pause updates of this page").click()
    page.clock.run_for(LATE)
    assert asked == []
    with page.expect_response("**/live"):
        page.get_by_role("button", name="Go on updating this page").click()
        page.clock.run_for(SOON)


def test_a_tab_that_nobody_sees_asks_nothing(open_page: OpenPage, boxes: Stage) -> None:
    page = open_with_clock(open_page, TEAM)
    asked = listen(page)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away, configurable: true })")
    page.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.run_for(LATE)
    assert asked == []
    with page.expect_response("**/live"):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.run_for(SOON)


def test_whoever_was_signed_out_is_not_asked_for(open_page: OpenPage, boxes: Stage) -> None:
    """The host's sign-in page is no mailbox: it is not put in its place."""
    page = open_with_clock(open_page, TEAM)
    page.context.clear_cookies()
    with page.expect_response("**/login**"):
        page.clock.run_for(SOON)
    page.get_by_role("button", name="Pause updates of this page").wait_for(state="hidden")
    assert page.get_by_text("sales@contoso.example").first.is_visible()


@pytest.mark.parametrize("path", [LIST, TEAM, "/ms365/mailboxes/1", "/ms365/mailboxes/3"])
def test_everybody_can_use_them(open_page: OpenPage, boxes: Stage, path: str) -> None:
    assert looks(open_page(path)) == []


@pytest.mark.parametrize("path", [LIST, TEAM])
def test_the_keyboard_shows_where_it_is(open_page: OpenPage, boxes: Stage, path: str) -> None:
    assert without_ring(open_page(path)) == []


@pytest.mark.parametrize("javascript", [True, False])
def test_several_are_paused_and_go_on(open_page: OpenPage, boxes: Stage, javascript: bool) -> None:
    page = open_page(LIST, javascript=javascript)
    for name in ("Select Sales", "Select kim@contoso.example"):
        page.get_by_role("checkbox", name=name).focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Pause", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="2 mailboxes paused.").wait_for()
    page.get_by_role("checkbox", name="Select Sales").check()
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_role("heading", name="1 mailbox resumed.").wait_for()


def test_without_script_the_journey_is_the_same(open_page: OpenPage, boxes: Stage) -> None:
    page = open_page(LIST, javascript=False)
    assert page.get_by_role("button", name="Pause updates of this page").count() == 0
    page.get_by_role("combobox", name="State").select_option("off")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Sales").click()
    page.get_by_text("Show as table").click()
    page.get_by_role("table", name="Messages a day").wait_for()
    page.get_by_role("row", name="A film").get_by_role("button", name="Skip").click()
    page.get_by_role("heading", name="It is skipped").wait_for()
    page.get_by_role("row", name="A song").get_by_role("button", name="Try now").click()
    page.get_by_role("heading", name="They are tried again").wait_for()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Resume", exact=True).wait_for()
