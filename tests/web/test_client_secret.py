"""The client secret goes in and never comes out again."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import select

from flask_ms365.crypto import generate_key
from flask_ms365.models import AuditEvent
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, error_beside, stored, words


def state_of(page: str) -> str:
    return words(page, r'id="client_secret-value-stored">(.*?)</p>')


@pytest.fixture
def kept(host: Host, visitor: Visitor) -> str:
    """Store the secret; return what lies in the database."""
    visitor.submit(SETTINGS, FILLED_IN)
    return str(stored(host)["client_secret"])


def test_the_secret_is_sealed_in_the_database(kept: str) -> None:
    assert (kept.startswith("ms1."), SECRET in kept) == (True, False)


def test_the_box_is_always_empty(visitor: Visitor, kept: str) -> None:
    assert controls(visitor.get(SETTINGS).text)["client_secret-value"] == ""


def test_the_page_never_holds_the_secret(visitor: Visitor, kept: str) -> None:
    page = visitor.get(SETTINGS).text
    assert (SECRET in page, kept in page, SECRET[:4] in page) == (False, False, False)


def test_a_refused_save_does_not_give_the_typed_secret_back(visitor: Visitor) -> None:
    assert SECRET not in visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-value": ".."}).text


def test_an_empty_box_keeps_the_secret(host: Host, visitor: Visitor, kept: str) -> None:
    visitor.submit(SETTINGS, {"client_secret-value": "", "tenant_id-value": "fabrikam.com"})
    assert stored(host)["client_secret"] == kept


def test_a_post_without_the_box_keeps_the_secret(host: Host, visitor: Visitor, kept: str) -> None:
    visitor.submit(SETTINGS, {"client_secret-value": None})
    assert stored(host)["client_secret"] == kept


def test_a_new_secret_takes_the_old_ones_place(host: Host, visitor: Visitor, kept: str) -> None:
    visitor.submit(SETTINGS, {"client_secret-value": "new~" * 10})
    with host.app.app_context():
        assert host.ms365.settings.effective("client_secret").value == "new~" * 10


def test_use_default_gives_the_secret_up(host: Host, visitor: Visitor, kept: str) -> None:
    visitor.submit(SETTINGS, {"client_secret-use_default": "y"})
    assert "client_secret" not in stored(host)


@pytest.mark.parametrize("guid", [FILLED_IN["client_id-value"], f" {FILLED_IN['client_id-value'].upper()} "])
def test_the_secret_id_is_refused_in_plain_words(visitor: Visitor, guid: str) -> None:
    page = visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-value": guid}).text
    assert error_beside(page, "client_secret") == (
        "This looks like the Secret ID. Paste the Value of the client secret instead"
    )


@pytest.mark.parametrize("secret", ["a&=%+;" * 4, "пароль-密码-🔑-и-ещё-немного", "<b>&amp;\"'" * 3])
def test_a_secret_with_any_character_arrives_as_it_is(host: Host, visitor: Visitor, secret: str) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-value": secret})
    with host.app.app_context():
        assert host.ms365.settings.effective("client_secret").value == secret


def test_the_page_shows_three_characters_who_stored_it_and_when(visitor: Visitor, kept: str) -> None:
    shown = state_of(visitor.get(SETTINGS).text)
    assert (shown.startswith("Stored starts with can , replaced "), shown.endswith(" by ana")) == (True, True)


def test_a_short_secret_shows_none_of_its_characters(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-value": "canary-of-15-ch"})
    assert "starts with" not in state_of(visitor.get(SETTINGS).text)


def test_the_deployment_may_hide_even_three_characters(tmp_path: Path) -> None:
    host = bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key(), MS365_SHOW_SECRET_PREFIX=False)
    host.visitor().submit(SETTINGS, FILLED_IN)
    assert state_of(host.visitor().get(SETTINGS).text).startswith("Stored replaced ")


def test_a_secret_of_the_deployment_is_not_shown_either(make_host: HostFactory) -> None:
    page = make_host(MS365_CLIENT_SECRET=SECRET).visitor().get(SETTINGS).text
    assert ("starts with can" in page, SECRET[:4] in page) == (True, False)


def test_a_name_that_is_markup_is_shown_as_text(host: Host) -> None:
    host.user_id = "<script>alert(1)</script>"
    host.visitor().submit(SETTINGS, FILLED_IN)
    assert "<script>alert" not in host.visitor().get(SETTINGS).text


def test_neither_log_nor_audit_hold_the_secret(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        host.visitor().submit(SETTINGS, FILLED_IN)
    with host.app.app_context():
        events = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent)).all()
        audit = [(event.target, event.detail) for event in events]
    assert SECRET not in f"{caplog.text} {audit}"
