"""*Save and check the connection*: new values are tried before they replace what works."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from flask_ms365.simulator import App, Simulator
from tests.check.conftest import Desk, desk, last_run
from tests.conftest import Host
from tests.hosts.bare import bare_host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, error_beside, stored

__all__ = ["desk"]

NOT_SAVED = "Nothing was saved: the new values do not work"
WRONG: dict[str, str | None] = {"client_secret-value": SECRET, "then": "check"}


@pytest.fixture
def admin(desk: Desk) -> Visitor:
    return desk.host.visitor()


@pytest.fixture
def refused(admin: Visitor) -> str:
    """Return the page after a secret was tried that Microsoft does not take."""
    return admin.submit(SETTINGS, WRONG).text


def draft_on(page: str) -> str:
    found = re.search(r'name="draft" value="(\w+)"', page)
    return found[1] if found else ""


def save_anyway(visitor: Visitor, page: str) -> tuple[int, str]:
    before_the_fields = controls(page[: page.index("Save anyway")])
    answer = visitor.post(SETTINGS, data={**before_the_fields, "then": "anyway"})
    return answer.status_code, answer.text


def secret_of(host: Host) -> object:
    with host.app.app_context():
        return host.ms365.settings.effective("client_secret").value


def test_good_values_are_saved_and_lead_to_their_check(desk: Desk, admin: Visitor) -> None:
    fresh = desk.app.add_secret()
    answer = admin.submit(SETTINGS, {"client_secret-value": fresh, "then": "check"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ms365/check?run=1")
    assert secret_of(desk.host) == fresh
    assert last_run(desk.host).counts["failed"] == 0


def test_bad_values_are_not_saved_and_the_page_says_why(desk: Desk, refused: str) -> None:
    assert (NOT_SAVED in refused, "The client secret is wrong." in refused, "7000215" in refused) == (True, True, True)
    assert secret_of(desk.host) == desk.app.client_secret


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tenant_id-value": "contso.onmicrosoft.com"}, "Microsoft does not know this tenant."),
        ({"client_id-value": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"}, "Microsoft does not know this client ID"),
        ({"cloud-value": "usgov", "cloud-use_default": None}, "The tenant is in another Microsoft cloud."),
    ],
)
def test_each_value_is_tried(admin: Visitor, changes: dict[str, str | None], why: str) -> None:
    page = admin.submit(SETTINGS, {**changes, "then": "check"}).text
    assert (NOT_SAVED in page, why in page) == (True, True)


def test_a_service_that_cannot_be_reached_saves_nothing(desk: Desk, admin: Visitor) -> None:
    desk.simulator.drop_connection(Simulator.SIGN_IN, times=None)
    assert "could not be reached" in admin.submit(SETTINGS, {**WRONG, "tenant_id-value": "contoso.com"}).text
    assert stored(desk.host)["tenant_id"] == desk.simulator.tenant_id


def test_what_was_typed_stays_but_the_secret(admin: Visitor) -> None:
    page = admin.submit(SETTINGS, {**WRONG, "sync_interval-value": "17", "sync_interval-use_default": None}).text
    assert (controls(page)["sync_interval-value"], SECRET in page) == ("17", False)


def test_save_anyway_saves_them(desk: Desk, admin: Visitor, refused: str) -> None:
    status, _ = save_anyway(admin, refused)
    assert (status, secret_of(desk.host)) == (303, SECRET)


def test_save_anyway_works_once(desk: Desk, admin: Visitor, refused: str) -> None:
    save_anyway(admin, refused)
    desk.save(client_secret=desk.app.client_secret)
    status, page = save_anyway(admin, refused)
    assert (status, "Enter the new values again." in page, secret_of(desk.host)) == (200, True, desk.app.client_secret)


def test_save_anyway_confirms_the_redirect_uri_that_was_confirmed_with_them(desk: Desk) -> None:
    desk.restart(MS365_PUBLIC_BASE_URL=None)
    visitor = desk.host.visitor()
    page = visitor.submit(SETTINGS, {**WRONG, "confirm_redirect_uri": "y"}).text
    assert save_anyway(visitor, page)[0] == 303
    with desk.host.app.app_context():
        assert desk.host.ms365.settings.read().confirmed_base_url == "http://localhost"


def test_the_old_values_are_kept_by_leaving(desk: Desk, admin: Visitor, refused: str) -> None:
    assert re.search(rf'<a [^>]*href="{SETTINGS}"[^>]*>Keep the old values</a>', refused)
    admin.get(SETTINGS)
    assert secret_of(desk.host) == desk.app.client_secret


def test_nobody_else_can_save_them(desk: Desk, refused: str) -> None:
    desk.host.user_id = "ben"
    other = desk.host.visitor()
    token = controls(other.get(SETTINGS).text)["csrf_token"]
    answer = other.post(SETTINGS, data={"csrf_token": token, "draft": draft_on(refused), "then": "anyway"})
    assert (answer.status_code, secret_of(desk.host)) == (200, desk.app.client_secret)


def test_a_quarter_of_an_hour_later_they_are_forgotten(desk: Desk, admin: Visitor, refused: str) -> None:
    desk.clock.advance(minutes=16)
    assert save_anyway(admin, refused)[0] == 200
    assert secret_of(desk.host) == desk.app.client_secret


def test_the_secret_is_in_no_page_on_the_way(admin: Visitor, refused: str) -> None:
    assert [SECRET in page for page in (refused, save_anyway(admin, refused)[1], admin.get(SETTINGS).text)] == [
        False
    ] * 3


def test_a_save_by_somebody_else_in_between_is_told(desk: Desk, admin: Visitor) -> None:
    page = admin.submit(SETTINGS, {**WRONG, "tenant_id-value": desk.simulator.tenant_domain}).text
    desk.save(tenant_id="fabrikam.com")
    status, conflict = save_anyway(admin, page)
    assert (status, "Nothing was saved yet" in conflict) == (200, True)
    assert stored(desk.host)["tenant_id"] == "fabrikam.com"


def test_a_conflict_is_told_after_a_good_check_too(desk: Desk, admin: Visitor) -> None:
    opened = controls(admin.get(SETTINGS).text)
    desk.save(sync_interval="15")
    page = admin.post(
        SETTINGS, data={**opened, "sync_since-value": "30", "sync_since-use_default": "", "then": "check"}
    )
    assert "Nothing was saved yet" in page.text


def test_values_of_the_wrong_shape_never_reach_microsoft(desk: Desk, admin: Visitor) -> None:
    page = admin.submit(SETTINGS, {"client_id-value": "my app", "then": "check"}).text
    assert "must look like 0000" in error_beside(page, "client_id")
    assert len(desk.simulator.requests) == 0


def test_what_is_missing_is_told_before_microsoft_is_asked(host: Host, simulator: Simulator) -> None:
    typed = {"client_id-value": FILLED_IN["client_id-value"], "tenant_id-value": "contoso.com"}
    page = host.visitor().submit(SETTINGS, {**typed, "then": "check"}).text
    assert ("Nothing was saved" in page, "Client Secret is missing" in page) == (True, True)
    assert len(simulator.requests) == 0


def test_without_an_encryption_key_there_is_nothing_to_save_anyway(
    tmp_path: Path, simulator: Simulator, registration: App
) -> None:
    addresses = {"MS365_AUTHORITY_URL": simulator.url, "MS365_GRAPH_URL": simulator.url}
    visitor = bare_host(tmp_path, **addresses).visitor()
    typed = {"client_id-value": registration.client_id, "tenant_id-value": simulator.tenant_id}
    page = visitor.submit(SETTINGS, {**typed, **WRONG}).text
    assert (draft_on(page), "No encryption key is set" in html.unescape(page)) == ("", True)
