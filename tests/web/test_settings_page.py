"""The settings page, as an admin without JavaScript uses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_ms365.crypto import generate_key
from flask_ms365.settings import CATALOG
from tests.certificates import certificate
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host
from tests.visitor import Visitor, controls
from tests.web.conftest import FILLED_IN, SECRET, SETTINGS, error_beside, stored, words


def source_of(page: str, key: str) -> str:
    return words(page, rf'id="{key}-value-inherited">(.*?)</p>')


LABELS = [
    "Application (Client) ID",
    "Client Secret",
    "Directory (Tenant) ID",
    "Redirect URI",
    "Enable Emails Sync",
    "Use default",
    "Save Settings",
]


def test_the_page_speaks_the_words_of_the_contract(visitor: Visitor) -> None:
    page = visitor.get(SETTINGS).text
    assert [label for label in LABELS if label in page] == LABELS


DEFAULTS = {
    "MS365_CLIENT_ID": FILLED_IN["client_id-value"],
    "MS365_CLIENT_SECRET": SECRET,
    "MS365_CLIENT_SECRET_EXPIRES_ON": "2027-03-01",
    "MS365_CLIENT_CERTIFICATE": certificate(),
    "MS365_TENANT_ID": "contoso.com",
    "MS365_SIGN_IN_TENANTS": [FILLED_IN["client_id-value"]],
    "MS365_SIGN_IN_DOMAINS": ["contoso.com"],
}


def boxes_on(page: str) -> list[str]:
    return [spec.key for spec in CATALOG if f'name="{spec.key}-use_default" value="y"' in page]


def test_each_setting_has_its_own_use_default_box(make_host: HostFactory) -> None:
    page = make_host(**DEFAULTS).visitor().get(SETTINGS).text
    assert boxes_on(page) == [spec.key for spec in CATALOG]


def test_there_is_no_box_where_there_is_nothing_to_inherit(visitor: Visitor) -> None:
    assert boxes_on(visitor.get(SETTINGS).text) == [
        "credential",
        "cloud",
        "email_sync",
        "sync_interval",
        "sync_since",
        "store_bodies",
        "store_attachments",
        "keep_removed",
        "sign_in",
    ]


def test_a_day_is_shown_as_a_day(make_host: HostFactory) -> None:
    page = make_host(**DEFAULTS).visitor().get(SETTINGS).text
    assert source_of(page, "client_secret_expires_on") == "1 Mar 2027 (MS365_CLIENT_SECRET_EXPIRES_ON in app.config)"


def test_a_save_leads_back_to_the_page(visitor: Visitor) -> None:
    answer = visitor.submit(SETTINGS, FILLED_IN)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, SETTINGS)


def test_the_page_after_a_save_says_so_once(visitor: Visitor) -> None:
    address = visitor.submit(SETTINGS, FILLED_IN).headers["Location"]
    assert ["Settings saved" in visitor.get(each).text for each in (address, SETTINGS)] == [True, False]


def test_what_was_saved_is_in_its_box(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    assert controls(visitor.get(SETTINGS).text)["tenant_id-value"] == "contoso.com"


def test_a_page_sent_back_untouched_stores_nothing(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    before = stored(host)
    visitor.submit(SETTINGS, {})
    assert stored(host) == before


def test_the_page_shows_where_a_value_of_the_deployment_comes_from(make_host: HostFactory) -> None:
    page = make_host(MS365_TENANT_ID="contoso.com").visitor().get(SETTINGS).text
    assert source_of(page, "tenant_id") == "contoso.com (MS365_TENANT_ID in app.config)"


def test_the_page_shows_a_built_in_default(visitor: Visitor) -> None:
    assert source_of(visitor.get(SETTINGS).text, "sync_interval") == "5 min (built-in)"


def test_the_box_is_ticked_while_the_deployments_value_holds(make_host: HostFactory) -> None:
    visitor = make_host(MS365_TENANT_ID="contoso.com").visitor()
    assert controls(visitor.get(SETTINGS).text)["tenant_id-use_default"] == "y"


def test_unticking_the_box_makes_the_value_ones_own(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com", MS365_CLIENT_ID=FILLED_IN["client_id-value"])
    host.visitor().submit(SETTINGS, {"tenant_id-use_default": None, "tenant_id-value": "fabrikam.com"})
    assert stored(host) == {"tenant_id": "fabrikam.com"}


def test_ticking_the_box_gives_ones_own_value_up(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    visitor.submit(SETTINGS, {"tenant_id-use_default": "y"})
    assert "tenant_id" not in stored(host)


def test_what_is_typed_beside_a_ticked_box_is_not_looked_at(host: Host, visitor: Visitor) -> None:
    answer = visitor.submit(SETTINGS, {**FILLED_IN, "sync_interval-use_default": "y", "sync_interval-value": "junk"})
    assert (answer.status_code, "sync_interval" in stored(host)) == (303, False)


def test_a_toggle_of_the_deployment_can_be_switched_off_here(make_host: HostFactory) -> None:
    host = make_host(MS365_EMAIL_SYNC=True, MS365_TENANT_ID="contoso.com", MS365_CLIENT_ID=FILLED_IN["client_id-value"])
    host.visitor().submit(SETTINGS, {"email_sync-use_default": None, "email_sync-value": None})
    assert stored(host) == {"email_sync": "0"}


def test_the_toggle_goes_on_in_the_save_that_brings_the_credentials(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "email_sync-value": "y"})
    assert stored(host)["email_sync"] == "1"


def test_what_is_on_by_itself_can_be_switched_off(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "store_bodies-use_default": None, "store_bodies-value": None})
    assert stored(host)["store_bodies"] == "0"


def test_what_is_on_by_itself_stays_on_where_a_post_does_not_mention_it(host: Host, visitor: Visitor) -> None:
    unmentioned = dict.fromkeys(("store_bodies-use_default", "store_bodies-value", "store_bodies-shown"))
    visitor.submit(SETTINGS, {**FILLED_IN, **unmentioned})
    assert "store_bodies" not in stored(host)


def test_unticking_the_toggle_switches_off(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "email_sync-value": "y"})
    visitor.submit(SETTINGS, {"email_sync-value": None})
    assert stored(host)["email_sync"] == "0"


def test_a_refused_save_answers_200_and_stores_nothing(host: Host, visitor: Visitor) -> None:
    answer = visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-value": "common/../evil"})
    assert (answer.status_code, stored(host)) == (200, {})


def test_a_refused_save_links_each_problem_to_its_field(visitor: Visitor) -> None:
    page = visitor.submit(SETTINGS, {**FILLED_IN, "client_id-value": "x", "tenant_id-value": "x"}).text
    summary = words(page, r"There is a problem</h2>(.*?)</ul>")
    assert ("must look like" in summary, "must be a GUID" in summary, 'href="#client_id-value"' in page) == (True,) * 3


def test_a_refused_save_is_told_in_the_title(visitor: Visitor) -> None:
    assert "<title>Error:" in visitor.submit(SETTINGS, {"client_id-value": "x"}).text


def test_a_refused_tenant_is_told_beside_its_box(visitor: Visitor) -> None:
    junk = ["a@b", "x\r\nY: z", "\uff0e\uff0e", "x" * 300, "\U0001f514", "..", "%2e%2e", "common/../evil", ""]
    pages = [visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-value": text}).text for text in junk]
    assert [text for text, page in zip(junk, pages, strict=True) if not error_beside(page, "tenant_id")] == []


def test_the_toggle_without_credentials_is_refused_beside_the_toggle(visitor: Visitor) -> None:
    page = visitor.submit(SETTINGS, {"email_sync-value": "y"}).text
    assert error_beside(page, "email_sync") == (
        "Emails sync needs Application (Client) ID, Client Secret, Directory (Tenant) ID first"
    )


def test_a_refused_toggle_keeps_what_was_typed(visitor: Visitor) -> None:
    typed = {
        "tenant_id-value": "fabrikam.com",
        "email_sync-value": "y",
        "cloud-value": "china",
        "sync_interval-value": "7",
    }
    unticked = {"cloud-use_default": None, "sync_interval-use_default": None}
    page = visitor.submit(SETTINGS, {**typed, **unticked}).text
    assert typed.items() <= controls(page).items()


def test_giving_credentials_up_while_the_toggle_is_on_is_refused(host: Host, visitor: Visitor) -> None:
    visitor.submit(SETTINGS, {**FILLED_IN, "email_sync-value": "y"})
    page = visitor.submit(SETTINGS, {"client_secret-use_default": "y"}).text
    assert error_beside(page, "client_secret") == "Emails sync is on and needs the Client Secret. Switch it off first"


def test_emptying_a_credential_is_refused(visitor: Visitor) -> None:
    visitor.submit(SETTINGS, FILLED_IN)
    page = visitor.submit(SETTINGS, {"client_id-value": ""}).text
    assert error_beside(page, "client_id") == "Enter the Application (Client) ID"


def test_emptying_what_could_be_inherited_names_the_box(make_host: HostFactory) -> None:
    page = make_host(**DEFAULTS).visitor().submit(SETTINGS, {"tenant_id-use_default": None, "tenant_id-value": ""}).text
    assert error_beside(page, "tenant_id") == "Enter the Directory (Tenant) ID, or tick Use default"


def test_a_locked_setting_is_shown_with_the_reason(make_host: HostFactory) -> None:
    page = make_host(MS365_TENANT_ID="contoso.com", MS365_LOCKED_SETTINGS=["tenant_id"]).visitor().get(SETTINGS).text
    assert ("tenant_id-value" in controls(page), "MS365_LOCKED_SETTINGS" in page) == (False, True)


@pytest.mark.parametrize("forged", [{"tenant_id-value": "evil.example"}, {"tenant_id-use_default": "y"}])
def test_a_forged_post_cannot_change_a_locked_setting(make_host: HostFactory, forged: dict[str, str]) -> None:
    host = make_host(MS365_TENANT_ID="contoso.com", MS365_LOCKED_SETTINGS=["tenant_id"])
    host.visitor().submit(SETTINGS, {**FILLED_IN, **forged})
    assert "tenant_id" not in stored(host)


def test_without_an_encryption_key_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    assert "flask ms365 keys generate" in bare_host(tmp_path).visitor().get(SETTINGS).text


def test_without_an_encryption_key_a_secret_is_refused_beside_its_box(tmp_path: Path) -> None:
    host = bare_host(tmp_path)
    page = host.visitor().submit(SETTINGS, FILLED_IN).text
    assert (error_beside(page, "client_secret")[:24], stored(host)) == ("No encryption key is set", {})


@pytest.fixture
def other_key(tmp_path: Path) -> Host:
    """Return a host whose secret was sealed with a key that it no longer has."""
    first = bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())
    first.visitor().submit(SETTINGS, FILLED_IN)
    return bare_host(tmp_path, MS365_ENCRYPTION_KEYS=generate_key())


def test_with_another_key_the_page_says_that_it_is_locked_and_which_key_is_missing(other_key: Host) -> None:
    page = other_key.visitor().get(SETTINGS).text
    assert "Locked: this database was used with the encryption key" in page


@pytest.mark.parametrize("change", [{"tenant_id-value": "fabrikam.com"}, {"client_secret-value": SECRET}])
def test_with_another_key_nothing_is_saved(other_key: Host, change: dict[str, str]) -> None:
    before = stored(other_key)
    page = other_key.visitor().submit(SETTINGS, change).text
    assert ("Locked: this database" in page, stored(other_key)) == (True, before)


def test_what_an_admin_typed_is_never_markup(visitor: Visitor) -> None:
    page = visitor.submit(SETTINGS, {"tenant_id-value": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page
