"""Letters of people who mean harm, in a real browser: nothing runs, nobody is asked for anything, the page answers."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from flask_ms365.models import Message
from flask_ms365.simulator import Attachment, Simulator
from tests.browser.hostile import LETTERS
from tests.conftest import CALLBACK, Clock, configure, new_host
from tests.hosts.browser import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Route

pytestmark = pytest.mark.browser

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SECONDS = 10  # of the server's work, for the page and its frame


@dataclass
class Watch:
    """What a browser did that it might have been talked into."""

    host: str
    happened: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("console", lambda message: self._note_words(message.location["url"], message.text))
        page.on("pageerror", lambda error: self.happened.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("popup", lambda popup: self.happened.append(f"popup: {popup.url}"))
        page.on("download", lambda download: self.happened.append(f"download: {download.url}"))
        page.on("framenavigated", lambda frame: self._note_place(frame.url))
        page.route("**/*", self._answer)

    def _dismiss(self, dialog: Dialog) -> None:
        self.happened.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_words(self, url: str, text: str) -> None:
        # an image that is not there is said so
        if "/inline/" not in url:
            self.happened.append(f"console: {text}")

    def _note_place(self, url: str) -> None:
        if not url.startswith(self.host) and url not in {"about:blank", ""}:
            self.happened.append(f"went to {url}")

    def _answer(self, route: Route) -> None:
        request = route.request
        if request.url.startswith(self.host) and not _is_elsewhere(request.url):
            route.continue_()
            return
        if request.resource_type == "image" and request.url.startswith("https://"):
            self.images.append(request.url)
        else:
            self.happened.append(f"asked for {request.url[:200]} ({request.resource_type})")
        route.fulfill(status=200, content_type="image/png", body=PIXEL)


def _is_elsewhere(url: str) -> bool:
    """Tell whether a letter led the browser to one of our places that is none of its own."""
    path = url.partition("?")[0].partition("/ms365/")[2]
    kind = path.partition("/")[0]
    return kind not in {"messages", "static"} or ("secret" in path and not path.endswith("/inline/secret@1"))


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, int]]]:
    """Yield the address of a host where all letters came to Ana, with their ids; the secret came to Ben."""
    with Simulator(port=0) as simulator:
        host = new_host(tmp_path_factory.mktemp("hostile") / "host", simulator, Clock())
        configure(host, simulator, simulator.register_app(redirect_uris=[CALLBACK], name="Hostile"))
        secret = Attachment(name="s.png", content_type="image/png", content=PIXEL, content_id="secret@1")
        ben = simulator.add_user("ben@contoso.example", name="Ben", password="ben")
        ben.mailbox.deliver(subject="Secret", html='<img src="cid:secret@1">', attachments=[secret])
        ana = simulator.add_user("ana@contoso.example", name="Ana Ruiz", password="ana")
        for name, text in LETTERS.items():
            ana.mailbox.deliver(subject=name, html=f"<p>Dear Ana,</p>{text}")
        for user_id, user in (("ben", ben), ("ana", ana)):
            host.user_id = user_id
            host.visitor().connect(user)
        with host.app.app_context():
            host.ms365.tick()
            rows = host.app.extensions["sqlalchemy"].session.execute(select(Message.subject, Message.id)).all()
        with serving(host.app) as url:
            yield url, {str(row.subject): int(row.id) for row in rows}


@pytest.mark.parametrize("query", ["", "?images=1"], ids=["as it is", "with images"])
def test_no_letter_runs_a_script_or_asks_anybody_for_anything(
    chromium: Browser, letters: tuple[str, dict[str, int]], query: str
) -> None:
    url, ids = letters
    found: dict[str, object] = {}
    watch = Watch(url)
    with chromium.new_context(base_url=url) as context:
        page = context.new_page()
        watch.listen(page)
        for name in LETTERS:
            began = time.process_time()
            page.goto(f"/ms365/messages/{ids[name]}{query}", timeout=60_000)
            page.frame_locator("iframe").get_by_text("Dear Ana,").wait_for(timeout=60_000)
            if watch.happened or page.title() != f"{name} - Microsoft 365" or time.process_time() - began > _SECONDS:
                found[name] = (list(watch.happened), page.title(), time.process_time() - began)
            watch.happened.clear()
    assert (len(LETTERS) >= 40, found) == (True, {})
    assert {each.partition("//")[0] for each in watch.images} == ({"https:"} if query else set())
