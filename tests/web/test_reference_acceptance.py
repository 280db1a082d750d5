"""What the reference system promises of this page, scenario by scenario: OroPlatform's Microsoft Settings."""

from __future__ import annotations

import pytest

from tests.conftest import Host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, error_beside, redirect_uri_on, stored

THREE = [key.removesuffix("-value") for key in FILLED_IN]
ON = {**FILLED_IN, "email_sync-value": "y"}


def test_the_fields_are_there(visitor: Visitor) -> None:
    shown = controls(visitor.get(SETTINGS).text)
    assert [f"{key}-value" in shown for key in THREE] == [True, True, True]


def test_the_redirect_uri_is_there_to_be_read_only(visitor: Visitor) -> None:
    page = visitor.get(SETTINGS).text
    assert (redirect_uri_on(page), "redirect_uri-value" in controls(page)) == (
        "http://localhost/ms365/oauth/callback",
        False,
    )


def test_the_toggle_is_off_at_first(visitor: Visitor) -> None:
    assert "email_sync-value" not in controls(visitor.get(SETTINGS).text)


@pytest.mark.parametrize("left_out", [*FILLED_IN, None])
def test_the_toggle_is_refused_before_the_three_values(host: Host, visitor: Visitor, left_out: str | None) -> None:
    given = {name: text for name, text in FILLED_IN.items() if left_out and name != left_out}
    page = visitor.submit(SETTINGS, {**given, "email_sync-value": "y"}).text
    assert (error_beside(page, "email_sync")[:18], stored(host)) == ("Emails sync needs ", {})


def test_the_toggle_is_saved_with_the_three_values(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    assert {key: bool(value) for key, value in stored(host).items()} == dict.fromkeys([*THREE, "email_sync"], True)


def test_the_values_are_shown_again_after_a_reload(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    shown = controls(visitor.get(SETTINGS).text)
    visible = {name: text for name, text in ON.items() if text != SECRET}
    assert {name: shown.get(name) for name in visible} == visible


def test_the_secret_is_never_shown_again_not_even_its_length(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    page = visitor.get(SETTINGS).text
    assert (controls(page)["client_secret-value"], SECRET[:4] in page, "***" in page) == ("", False, False)


@pytest.mark.parametrize("name", ["client_id-value", "tenant_id-value"])
def test_emptying_a_value_with_the_toggle_on_is_refused(host: Host, visitor: Visitor, name: str) -> None:
    visitor.submit(SETTINGS, ON)
    before = stored(host)
    page = visitor.submit(SETTINGS, {name: ""}).text
    assert (bool(error_beside(page, name.removesuffix("-value"))), stored(host)) == (True, before)


def test_removing_the_secret_with_the_toggle_on_switches_it_off_and_says_so_first(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    said = visitor.get(f"{SETTINGS}/remove-secret").text
    visitor.submit(f"{SETTINGS}/remove-secret", {})
    assert ("Emails sync is switched off" in said, stored(host)["email_sync"]) == (True, "0")


def test_the_toggle_can_always_be_switched_off(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    visitor.submit(SETTINGS, {"email_sync-value": None})
    assert stored(host)["email_sync"] == "0"


def test_the_history_tells_who_saved_what(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    page = visitor.get("/ms365/audit").text
    assert ("contoso.com" in page, "ana" in page, SECRET[:4] in page) == (True, True, False)
