"""Two admins save at once: nothing is lost in silence, and each choice is theirs."""

from __future__ import annotations

import pytest

from tests.conftest import Host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, stored, words

Opened = dict[str, str]


def details(page: str) -> str:
    return words(page, r"<summary.*?</summary>(.*?)</details>")


@pytest.fixture
def opened(host: Host, visitor: Visitor) -> Opened:
    """Return the page as Ana opened it, before Ben saved another tenant and another interval."""
    visitor.submit(SETTINGS, FILLED_IN)
    page = controls(visitor.get(SETTINGS).text)
    host.user_id = "ben"
    theirs = {"tenant_id-value": "fabrikam.com", "sync_interval-use_default": None, "sync_interval-value": "15"}
    host.visitor().submit(SETTINGS, theirs)
    host.user_id = "ana"
    return page


def refused(visitor: Visitor, opened: Opened, **changes: str) -> str:
    """Save the page that was opened before, with changes; return what comes back."""
    return visitor.post(SETTINGS, data={**opened, **{f"{key}-value": text for key, text in changes.items()}}).text


def test_of_two_open_pages_the_second_is_refused(host: Host, visitor: Visitor) -> None:
    opened = {"version": controls(visitor.get(SETTINGS).text)["version"]}
    visitor.submit(SETTINGS, FILLED_IN)
    answer = visitor.submit(SETTINGS, {**opened, "tenant_id-value": "fabrikam.com"})
    assert (answer.status_code, stored(host)["tenant_id"]) == (200, "contoso.com")


def test_a_conflict_shows_what_the_other_one_saved(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    page = visitor.submit(SETTINGS, {"version": "0", "tenant_id-value": "fabrikam.com"}).text
    assert "Directory (Tenant) ID is now contoso.com, saved by ana" in details(page)


def test_after_a_conflict_one_may_save_all_the_same(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    page = visitor.submit(SETTINGS, {"version": "0", "tenant_id-value": "fabrikam.com"}).text
    assert (visitor.post(SETTINGS, data=controls(page)).status_code, stored(host)["tenant_id"]) == (303, "fabrikam.com")


def test_a_version_that_is_none_is_a_conflict(visitor: Visitor) -> None:
    junk = ["", "x", "-1", "9" * 5000, "\u0661"]
    answers = [visitor.submit(SETTINGS, {**FILLED_IN, "version": text}).text for text in junk]
    assert ["Nothing was saved yet" in page for page in answers] == [True] * 5


def test_what_only_the_other_one_changed_is_shown_as_it_is_now(visitor: Visitor, opened: Opened) -> None:
    shown = controls(refused(visitor, opened, sync_since="30"))
    assert (shown["tenant_id-value"], shown["sync_interval-value"]) == ("fabrikam.com", "15")


def test_what_only_this_one_changed_is_kept(visitor: Visitor, opened: Opened) -> None:
    assert controls(refused(visitor, opened, client_id="0" * 8 + FILLED_IN["client_id-value"][8:]))[
        "client_id-value"
    ].startswith("00000000-")


def test_saving_again_keeps_the_changes_of_both(host: Host, visitor: Visitor, opened: Opened) -> None:
    page = visitor.post(SETTINGS, data={**opened, "cloud-value": "usgov", "cloud-use_default": ""}).text
    visitor.post(SETTINGS, data=controls(page))
    saved = stored(host)
    assert (saved["tenant_id"], saved["sync_interval"], saved["cloud"]) == ("fabrikam.com", "15", "usgov")


def test_what_both_changed_is_to_be_chosen(visitor: Visitor, opened: Opened) -> None:
    page = refused(visitor, opened, tenant_id="adatum.com")
    choice = words(page, r"<fieldset(.*?)</fieldset>")
    assert ("What ben saved: fabrikam.com" in choice, "What you entered: adatum.com" in choice) == (True, True)


@pytest.mark.parametrize(("take", "held"), [("theirs", "fabrikam.com"), ("mine", "adatum.com")])
def test_the_choice_holds(host: Host, visitor: Visitor, opened: Opened, take: str, held: str) -> None:
    page = refused(visitor, opened, tenant_id="adatum.com")
    visitor.post(SETTINGS, data={**controls(page), "tenant_id-take": take})
    assert stored(host)["tenant_id"] == held


def test_what_was_typed_wrongly_can_be_chosen_against(host: Host, visitor: Visitor, opened: Opened) -> None:
    opened.pop("sync_interval-use_default")
    page = refused(visitor, opened, sync_interval="often")
    assert "What you entered: often" in words(page, r"<fieldset(.*?)</fieldset>")


def test_a_use_default_against_a_value_is_a_choice_too(host: Host, visitor: Visitor, opened: Opened) -> None:
    page = visitor.post(SETTINGS, data={**opened, "tenant_id-use_default": "y"}).text
    assert "What you entered: Not set" in words(page, r"<fieldset(.*?)</fieldset>")


def test_a_secret_is_never_offered_to_choose(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    opened = controls(visitor.get(SETTINGS).text)
    visitor.submit(SETTINGS, {"client_secret-value": "another" * 6})
    page = refused(visitor, opened, client_secret=SECRET[::-1])
    assert ("client_secret-take" in page, SECRET[::-1] in page, "Client Secret is now" in details(page)) == (
        False,
        False,
        True,
    )


def test_each_save_is_told_with_who_it_was(visitor: Visitor, opened: Opened) -> None:
    told = details(refused(visitor, opened, cloud="china"))
    assert told == ("Directory (Tenant) ID is now fabrikam.com, saved by ben Sync interval is now 15 min, saved by ben")
