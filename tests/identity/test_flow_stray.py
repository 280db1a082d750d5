"""Answers of nobody, or whose visitor may see nothing: always a page in plain words, and nothing is done."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.conftest import Host
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back, counts
from tests.visitor import path_of, sign_in_at_microsoft

TOKEN = "/oauth2/v2.0/token"
STRAY = [
    "",
    "code=1&code=2&state=x",
    "code=%00&state=%00",
    "code=%FF%FE&state=%FF",
    "error=%ff&state=%C0%AF",
    "code=1.code&state=unknown",
    "error=access_denied&error_description=%3Cscript%3E%0AFAKE+LOG",
    "iss=x",
]


@pytest.mark.parametrize("query", STRAY)
def test_an_admin_without_a_mailbox_gets_a_page(host: Host, query: str) -> None:
    """fault 1"""
    host.permissions = {"manage_settings"}
    page = host.visitor().get(f"{CALLBACK_PATH}?{query}").text
    assert "The sign-in did not work" in page
    assert "begin again" in page
    assert "FAKE LOG" not in page


@pytest.mark.parametrize("query", STRAY)
def test_somebody_who_is_signed_out_gets_a_page(host: Host, query: str) -> None:
    """fault 1"""
    host.user_id, host.permissions = None, set()
    page = host.visitor().get(f"{CALLBACK_PATH}?{query}&ms365_again=1").text
    assert "The sign-in did not work" in page


@pytest.mark.parametrize("part", ["state=", "code=1&state=x&y=", "error=x&error_description="])
def test_ten_megabytes_are_not_even_read(host: Host, part: str) -> None:
    """fault 1"""
    assert "could not be read" in come_back(host.visitor(), part + "x" * 10_000_000)


def test_nor_are_a_million_parameters(begun: SignInBegun) -> None:
    """fault 1"""
    query = urlencode({"state": begun.asked["state"], "code": "1.code"}) + "&a=b" * 1_000_000
    assert "could not be read" in come_back(begun.visitor, query)
    assert CONNECTED in begun.return_with_tokens()


def test_who_only_looks_uses_nothing_up(begun: SignInBegun) -> None:
    """fault 1"""
    query = begun.sign_in()
    answer = begun.visitor.head(f"{CALLBACK_PATH}?{query}")
    assert (answer.status_code, answer.data) == (200, b"")
    assert CONNECTED in come_back(begun.visitor, query)


def test_an_answer_in_a_form_gets_a_page_and_is_no_answer(begun: SignInBegun) -> None:
    """fault 1"""
    sent = {"state": begun.asked["state"], "code": "1.code"}
    answer = begun.visitor.post(CALLBACK_PATH, data=sent)
    assert (answer.status_code, "could not be read" in answer.text) == (405, True)
    from_microsoft = begun.visitor.post(CALLBACK_PATH, data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert "came from another site" in from_microsoft.text
    assert begun.simulator.count("POST", TOKEN) == 0
    assert CONNECTED in begun.return_with_tokens()


@pytest.mark.parametrize("method", ["put", "delete"])
def test_an_answer_by_another_method_is_no_answer(begun: SignInBegun, method: str) -> None:
    assert getattr(begun.visitor, method)(f"{CALLBACK_PATH}?{begun.sign_in()}").status_code == 405
    assert begun.simulator.count("POST", TOKEN) == 0


def test_who_was_signed_out_meanwhile_is_told_on_a_page(begun: SignInBegun) -> None:
    """fault 7"""
    query = begun.sign_in()
    begun.host.user_id, begun.host.permissions = None, set()
    page = begun.visitor.get(f"{CALLBACK_PATH}?{query}&ms365_again=1").text
    assert "begun by another user" in page
    assert counts(begun.host) == (0, 0)


def test_another_admin_without_a_mailbox_is_told_on_a_page(begun: SignInBegun) -> None:
    """fault 7"""
    back = path_of(sign_in_at_microsoft(begun.url, begun.user))
    begun.host.user_id, begun.host.permissions = "bob", {"manage_settings"}
    page = begun.visitor.get(back).text
    assert ("begun by another user" in page, "ana@contoso.example" in page) == (True, False)
