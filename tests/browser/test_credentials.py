"""The credentials on the settings page: with JavaScript only the chosen kind, without it all of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.test_journey import both
from tests.certificates import certificate

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

pytestmark = pytest.mark.browser

NAMES = ("client_secret", "client_secret_expires_on", "client_certificate")


def shown(page: Page) -> list[str]:
    return [name for name in NAMES if page.locator(f"#{name}-value").is_visible()]


def choose(page: Page, kind: str) -> None:
    page.get_by_role("checkbox", name="Use default (Credential)").uncheck()
    page.locator("#credential-value").select_option(kind)


def test_only_the_fields_of_the_chosen_kind_are_shown(open_page: OpenPage) -> None:
    page = open_page()
    assert shown(page) == ["client_secret", "client_secret_expires_on"]
    choose(page, "certificate")
    assert shown(page) == ["client_certificate"]
    choose(page, "federated")
    assert shown(page) == []
    page.get_by_role("checkbox", name="Use default (Credential)").check()
    assert shown(page) == ["client_secret", "client_secret_expires_on"]
    assert not page.get_by_text("Not in use while").is_visible()


def test_without_javascript_all_are_shown_and_say_which_are_not_in_use(open_page: OpenPage) -> None:
    page = open_page(javascript=False)
    assert shown(page) == list(NAMES)
    assert page.get_by_text("Not in use while the credential is: Client secret.").is_visible()


@both
def test_a_file_that_was_chosen_is_stored(open_page: OpenPage, tmp_path: Path, javascript: bool) -> None:
    (tmp_path / "app.pem").write_text(certificate())
    page = open_page(javascript=javascript)
    page.get_by_label("Application (Client) ID").first.fill("7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c")
    page.get_by_label("Directory (Tenant) ID").first.fill("contoso.com")
    choose(page, "certificate")
    page.locator("#client_certificate-value").set_input_files(tmp_path / "app.pem")
    page.get_by_role("button", name="Save Settings").click()
    page.get_by_text("Settings saved").wait_for()
    assert "CN=Host" in page.locator(".ms365-dl").inner_text()


def test_leaving_with_a_file_that_was_chosen_warns(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text(certificate())
    page = open_page()
    choose(page, "secret")  # a value of one's own, then as it was: nothing to lose yet
    page.get_by_role("checkbox", name="Use default (Credential)").check()
    page.locator("#client_certificate-value").set_input_files(tmp_path / "app.pem")
    warned: list[str] = []

    def answer(dialog: Dialog) -> None:
        warned.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.goto("/ms365/audit")
    assert warned == ["beforeunload"]


@both
def test_a_certificate_is_made_and_its_public_half_downloaded(open_page: OpenPage, javascript: bool) -> None:
    page = open_page("/ms365/settings/certificate", javascript=javascript)
    page.get_by_role("button", name="Make a new certificate").click()
    page.get_by_text("A new certificate is stored").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the public half").click()
    text = download.value.path().read_text()
    assert (text.startswith("-----BEGIN CERTIFICATE-----"), "PRIVATE" in text) == (True, False)
