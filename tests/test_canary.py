"""The canary sings: what the test run relies on to notice a leak does notice one."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from flask_ms365.crypto import Keyring, generate_key
from flask_ms365.errors import MS365Error
from tests.canary import watched
from tests.conftest import Host
from tests.web.conftest import FILLED_IN, SETTINGS

SECRET = "aB38Q~Zz9-qW_eRt.Yu7iOpAsDfGhJkLzXcVbNm1"
TOKEN = "eyJ0eXAi" + "".join(chr(97 + n * 7 % 26) + str(n) for n in range(300))


@pytest.fixture(autouse=True)
def _no_secret_comes_out() -> None:
    """Take the place of the watch over all tests: here secrets come out on purpose."""


def leaks(monkeypatch: pytest.MonkeyPatch, secret: str, say: Callable[[], object]) -> list[str]:
    with monkeypatch.context() as patch, watched(patch) as watch:
        Keyring([generate_key()]).seal(secret, "somewhere")
        say()
        return watch.leaks()


@pytest.mark.parametrize("part", [SECRET, SECRET[:8], SECRET[5:14], TOKEN, TOKEN[100:140]])
def test_a_part_in_a_log_is_noticed(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    secret = TOKEN if part in TOKEN else SECRET
    assert leaks(monkeypatch, secret, lambda: logging.getLogger("flask_ms365.x").debug("got %s", part))


def test_a_part_beside_the_message_of_a_log_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("flask_ms365.x")
    assert leaks(monkeypatch, SECRET, lambda: log.info("event", extra={"secret": SECRET}))


def test_a_part_in_an_error_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaks(monkeypatch, SECRET, lambda: MS365Error(f"Could not use {SECRET}"))


def test_a_part_on_a_page_is_noticed(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    visitor = host.visitor()
    assert leaks(monkeypatch, "Application (Client) ID", lambda: visitor.get(SETTINGS))


def test_three_characters_are_no_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    assert leaks(monkeypatch, SECRET, lambda: MS365Error(f"Stored, starts with {SECRET[:3]}")) == []


def test_what_a_save_says_is_no_leak(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    visitor = host.visitor()
    assert (
        leaks(monkeypatch, SECRET, lambda: visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-value": SECRET})) == []
    )
