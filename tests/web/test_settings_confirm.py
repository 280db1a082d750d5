"""Removing the secret and giving up all values: said first, done after."""

from __future__ import annotations

import pytest

from tests.conftest import Host, HostFactory
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, stored, words

REMOVE, RESET = f"{SETTINGS}/remove-secret", f"{SETTINGS}/reset"
ON = {**FILLED_IN, "email_sync-value": "y"}


def test_the_settings_lead_to_both(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    page = visitor.get(SETTINGS).text
    assert (f'href="{REMOVE}"' in page, f'href="{RESET}"' in page) == (True, True)


@pytest.mark.parametrize("path", [REMOVE, RESET])
def test_looking_changes_nothing(host: Host, visitor: Visitor, path: str) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    before = stored(host)
    visitor.get(path)
    assert stored(host) == before


@pytest.mark.parametrize("path", [REMOVE, RESET])
def test_where_nothing_is_stored_there_is_nothing_to_ask(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, SETTINGS)


@pytest.mark.parametrize("path", [REMOVE, RESET])
def test_a_post_without_a_token_changes_nothing(host: Host, visitor: Visitor, path: str) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    before = stored(host)
    visitor.post(path, data={"version": "1"})
    assert stored(host) == before


def test_removing_says_that_the_sync_stops(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    assert "Emails sync is switched off, and nobody can sign in" in visitor.get(REMOVE).text


def test_removing_names_the_secret_that_is_used_instead(make_host: HostFactory) -> None:
    visitor = make_host(MS365_CLIENT_SECRET=SECRET).visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "client_secret-use_default": None})
    assert "the client secret of the deployment" in visitor.get(REMOVE).text


def test_a_removed_secret_is_gone_and_the_sync_is_off(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    visitor.submit(REMOVE, {})
    assert ("client_secret" in stored(host), stored(host)["email_sync"]) == (False, "0")


def test_removing_leads_back_to_the_settings(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    answer = visitor.submit(REMOVE, {})
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, SETTINGS)


def test_resetting_lists_what_changes(make_host: HostFactory) -> None:
    visitor = make_host(MS365_TENANT_ID="fabrikam.com").visitor()
    visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-use_default": None, "sync_interval-use_default": None})
    rows = words(visitor.get(RESET).text, r"<tbody(.*?)</tbody>")
    assert "Directory (Tenant) ID Now contoso.com Afterwards fabrikam.com" in rows
    assert "Client Secret Now Stored, starts with can Afterwards Not set" in rows
    assert "Sync interval Now 5 min Afterwards 5 min" in rows


def test_resetting_never_shows_the_secret(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    assert SECRET[:4] not in visitor.get(RESET).text


def test_a_reset_leaves_no_value_of_ones_own(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, ON)
    visitor.submit(RESET, {})
    assert stored(host) == {}


def test_a_reset_is_refused_where_somebody_saved_meanwhile(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    opened = controls(visitor.get(RESET).text)
    visitor.submit(SETTINGS, {"tenant_id-value": "fabrikam.com"})
    page = visitor.post(RESET, data=opened).text
    assert ("Somebody else saved the settings meanwhile" in page, stored(host)["tenant_id"]) == (True, "fabrikam.com")


def test_a_reset_that_would_leave_the_sync_without_credentials_is_refused(make_host: HostFactory) -> None:
    host = make_host(MS365_EMAIL_SYNC=True)
    host.visitor().submit(SETTINGS, FILLED_IN)
    page = host.visitor().submit(RESET, {}).text
    assert ("Switch it off first" in page, "client_id" in stored(host)) == (True, True)
