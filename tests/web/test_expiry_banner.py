"""The banner that counts a secret's last days: on the pages of admins, until put aside, and at the next threshold."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.conftest import Clock, Host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, words

SETTINGS, DISMISS = "/ms365/settings", "/ms365/dismiss"
ADMIN_PAGES = ["/ms365/", SETTINGS, "/ms365/setup", "/ms365/check", "/ms365/audit"]


@pytest.fixture
def expiring(host: Host, clock: Clock) -> Host:
    """Return a host whose secret expires in twelve days."""
    expires_on = (clock() + timedelta(days=12)).date().isoformat()
    filled_in = {key.removesuffix("-value"): value for key, value in FILLED_IN.items()}
    with host.app.app_context():
        host.ms365.settings.save({**filled_in, "client_secret_expires_on": expires_on}, actor="ana")
    return host


def banner(visitor: Visitor, path: str = SETTINGS) -> str:
    """Return what the banner of a page says; empty without one."""
    return words(visitor.get(path).text, r'<h2 class="ms365-h3">(The client secret expire[^<]*)</h2>')


def dismiss(visitor: Visitor, path: str = SETTINGS, **changes: str) -> str:
    """Press *Dismiss* on a page; return the address that it leads to."""
    answer = visitor.submit(path, changes, to=DISMISS)
    assert answer.status_code == 303
    return str(answer.headers["Location"])


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_every_page_of_admins_says_when_the_secret_expires(expiring: Host, path: str) -> None:
    assert banner(expiring.visitor(), path) == "The client secret expires in 12 days"


@pytest.mark.parametrize("path", ["/ms365/my-email", "/ms365/messages"])
def test_other_pages_do_not(expiring: Host, path: str) -> None:
    assert banner(expiring.visitor(), path) == ""


def test_nor_does_a_page_that_is_refused(expiring: Host) -> None:
    expiring.permissions = set()
    assert "expires in" not in expiring.visitor().get(SETTINGS).text


def test_it_leads_to_the_place_where_the_secret_is_replaced(expiring: Host) -> None:
    page = expiring.visitor().get("/ms365/audit").text
    assert f'href="{SETTINGS}#client_secret-value">Replace it now</a>' in page


def test_it_counts_down(expiring: Host, clock: Clock) -> None:
    said = []
    for _ in range(15):
        said.append(banner(expiring.visitor()).removeprefix("The client secret "))
        clock.advance(days=1)
    assert said[9:] == ["expires in 3 days", "expires in 2 days", "expires tomorrow", "expires today", *said[13:]]
    assert said[13:] == ["expired 1 day ago", "expired 2 days ago"]


def test_far_from_the_end_there_is_none(expiring: Host) -> None:
    with expiring.app.app_context():
        expiring.ms365.settings.save({"client_secret_expires_on": "2999-01-01"})
    assert banner(expiring.visitor()) == ""


# putting it aside


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_dismissed_it_is_gone_from_all_pages_and_leads_back(expiring: Host, path: str) -> None:
    visitor = expiring.visitor()
    assert dismiss(visitor, path) == path
    assert [banner(visitor, each) for each in ADMIN_PAGES] == [""] * len(ADMIN_PAGES)


def test_each_admin_dismisses_for_themselves(expiring: Host) -> None:
    dismiss(expiring.visitor())
    expiring.user_id = "kim"
    assert banner(expiring.visitor()) != ""


def test_the_next_threshold_shows_it_again(expiring: Host, clock: Clock) -> None:
    shown = []
    for _ in range(14):
        if banner(expiring.visitor()):
            shown.append(banner(expiring.visitor()))
            dismiss(expiring.visitor())
        clock.advance(days=1)
    assert shown == [f"The client secret expires {when}" for when in ("in 12 days", "in 7 days", "tomorrow", "today")]


def test_dismissing_twice_is_fine(expiring: Host) -> None:
    visitor = expiring.visitor()
    sent = controls(visitor.get(SETTINGS).text)
    assert [visitor.post(DISMISS, data=sent).status_code for _ in range(2)] == [303, 303]


def test_a_page_that_was_open_for_a_week_dismisses_nothing_new(expiring: Host, clock: Clock) -> None:
    visitor = expiring.visitor()
    sent = controls(visitor.get(SETTINGS).text)
    clock.advance(days=6)
    visitor.post(DISMISS, data=sent)
    assert banner(visitor) == "The client secret expires in 6 days"


def test_dismissing_tells_nothing_to_the_host(expiring: Host) -> None:
    dismiss(expiring.visitor())
    with expiring.app.app_context():
        expiring.ms365.tick()
    expiring.user_id = "kim"
    assert banner(expiring.visitor()) != ""


def test_who_has_no_name_cannot_put_it_aside(expiring: Host) -> None:
    expiring.user_id = None
    page = expiring.visitor().get(SETTINGS).text
    assert ("expires in 12 days" in page, DISMISS in page) == (True, False)


# what others may try


@pytest.mark.parametrize("page", ["https://evil.example/", "//evil.example", "", "oauth_callback", "dismiss"])
def test_it_leads_nowhere_else(expiring: Host, page: str) -> None:
    assert dismiss(expiring.visitor(), page=page) == "/ms365/"


def test_without_the_pages_token_it_stays(expiring: Host) -> None:
    visitor = expiring.visitor()
    dismiss(visitor, csrf_token="forged")
    assert banner(visitor) != ""


def test_another_site_cannot_dismiss_it(expiring: Host) -> None:
    visitor = expiring.visitor()
    sent = controls(visitor.get(SETTINGS).text)
    answer = visitor.post(DISMISS, data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, banner(visitor) != "") == (403, True)


def test_only_admins_dismiss(expiring: Host) -> None:
    visitor = expiring.visitor()
    sent = controls(visitor.get(SETTINGS).text)
    expiring.permissions = {"own_mailbox"}
    assert visitor.post(DISMISS, data=sent).status_code == 403


def test_the_settings_are_still_saved_below_it(expiring: Host) -> None:
    visitor = expiring.visitor()
    visitor.submit(SETTINGS, {"tenant_id-value": "fabrikam.com"})
    assert re.search(r'value="fabrikam\.com"', visitor.get(SETTINGS).text)
