"""Chromium in front of the demo host, and an eye on everything that must not happen in a browser."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from demo.stage import Stage, open_stage
from flask_ms365.models import Folder
from flask_ms365.simulator import Attachment, Mailbox, Simulator
from tests.certificates import certificate
from tests.conftest import CALLBACK, configure
from tests.hosts.browser import serving
from tests.services import missing
from tests.styles.host import STYLES, styled_host
from tests.visitor import BASE_URL

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

_ARGUMENTS = [
    "--no-sandbox",  # Chromium's own does not work for root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

OpenPage = Callable[..., "Page"]


def chromium_program() -> str:
    """Return the path of Debian's Chromium; without it skip and say why."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("there is no Chromium here (Debian: apt-get install chromium)")
    return program


# for this folder only: Playwright keeps an event loop running in the main thread
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Yield Chromium; without it, or without Playwright, skip and say why."""
    program = chromium_program()
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("there is no Playwright here (pip install -e '.[test]')")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield the demo: the back office of Contoso Cycles, and a Microsoft 365 with two letters for Ana."""
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "bell.eml").write_bytes(
        b"From: Bob <bob@fabrikam.example>\nTo: ana@contoso.example\nSubject: The bell rings\n"
        b"Date: Mon, 07 Sep 2026 10:15:30 +0200\nContent-Type: text/html; charset=utf-8\n\n"
        b"<p>Ring! <script>document.title = 'broken'</script><img src='https://tracker.example/x.png'></p>\n"
    )
    with open_stage(port=0, data_dir=tmp_path / "data", mail_dir=letters, is_quiet=True) as opened:
        yield opened
        # the embedded worker must not outlive its database
        opened.app.extensions["ms365.state"].reconcile_job(False)


@pytest.fixture
def open_page(chromium: Browser, stage: Stage) -> Iterator[OpenPage]:
    """Yield a function that opens the host in a new browser, somebody logged in; in the end no browser complained."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(path: str = "/ms365/settings", *, javascript: bool = True, user: str = "ana") -> Page:
        context = chromium.new_context(java_script_enabled=javascript, base_url=stage.url)
        context.set_default_timeout(10_000)
        if javascript:
            context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        listen(page, stage.url, complaints)
        page.goto("/login")
        page.get_by_label("Name").fill(user)
        page.get_by_label("Password").fill(user)
        page.get_by_role("button", name="Log in").click()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def deliver_bells(mailbox: Mailbox) -> None:
    """Let a conversation come to somebody; its first message has all that the page of a message can show."""
    files = [
        Attachment(name="offer.pdf", content_type="application/pdf", content=b"%PDF"),
        Attachment(name="plan.docx", kind="reference"),
    ]
    mailbox.deliver(
        subject="The bell rings",
        html='<p>Ring! <a href="https://example.com">Here</a></p><img src="https://example.com/bell.png" alt="A bell">',
        sender=("Bob", "bob@fabrikam.example"),
        cc=[f"person{number}@contoso.example" for number in range(30)],
        importance="high",
        flag="flagged",
        categories=["Bells"],
        attachments=files,
        thread="bells",
    )
    mailbox.deliver(subject="Re: The bell rings", text="Again!", thread="bells")


@pytest.fixture(scope="package")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the address of the host of the six styles, configured and checked, Ana's mailbox and the team's read."""
    if not all(path.exists() for path in STYLES.values()):
        missing("the host styles are not here (npm ci, in tests/browser)")
    with Simulator(port=0) as simulator:
        host = styled_host(tmp_path_factory.mktemp("styles"), simulator, MS365_PUBLIC_BASE_URL=BASE_URL)
        configure(host, simulator, simulator.register_app(redirect_uris=[CALLBACK], name="Styles"))
        ana = simulator.add_user("ana@contoso.example", name="Ana Ruiz", password="ana")
        deliver_bells(ana.mailbox)
        host.visitor().connect(ana)
        simulator.add_user("support@contoso.example")
        team = {"label": "Support", "address": "support@contoso.example", "access": "application"}
        host.visitor().submit("/ms365/mailboxes/new", team)
        with host.app.app_context():
            host.ms365.settings.save({"client_certificate": certificate()}, actor="ana")
            host.ms365.tick()
            session = host.app.extensions["sqlalchemy"].session
            session.execute(update(Folder).where(Folder.id == 1).values(selected=False))
            session.commit()
        assert host.visitor().get("/ms365/mailboxes/1/folders/1/delete").status_code == 200
        host.visitor().submit("/ms365/check", {})
        with serving(host.app) as url:
            yield url


@pytest.fixture
def page(chromium: Browser, styled: str) -> Iterator[Page]:
    """Yield an empty page on that host; policies do not keep the tests' own style sheets out."""
    with chromium.new_context(base_url=styled, bypass_csp=True) as context:
        yield context.new_page()


def listen(page: Page, host: str, complaints: list[str]) -> None:
    """Collect what goes wrong on the host: console errors (a violated policy is one), script errors, bad answers."""

    def console(message: ConsoleMessage) -> None:
        where = message.location["url"] or page.url
        if message.type in {"error", "warning"} and where.startswith(host):
            complaints.append(f"{where}: {message.text}")

    def response(answer: Response) -> None:
        if answer.status >= 400 and answer.url.startswith(host):
            complaints.append(f"{answer.url} answered {answer.status}")

    page.on("console", console)
    page.on("response", response)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
