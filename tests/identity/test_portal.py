"""Links into the admin center of the right cloud, and the link for an admin's consent."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.portal import PAGES, admin_consent_url, portal_url
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.scopes import SCOPES

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
REDIRECT_URI = "https://app.contoso.com/ms365/oauth/callback"


def registration(tenant: str = "contoso.com", cloud: str = "global") -> AppRegistration:
    return AppRegistration(
        client_id=CLIENT_ID,
        credential=None,
        tenant=tenant,
        authority=CLOUDS[cloud].login,
        graph=CLOUDS[cloud].graph,
    )


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_in_the_portal_of_its_cloud(page: str, cloud: str) -> None:
    url = portal_url(page, CLOUDS[cloud], CLIENT_ID)
    assert url.startswith(f"{CLOUDS[cloud].portal}/#view/Microsoft_AAD_")
    assert "{" not in url


def test_pages_of_the_app_are_opened_by_its_client_id() -> None:
    assert portal_url("secrets", CLOUDS["global"], CLIENT_ID) == (
        "https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials"
        f"/appId/{CLIENT_ID}"
    )


def test_before_there_is_an_app_its_pages_lead_to_the_list() -> None:
    assert portal_url("secrets", CLOUDS["usgov"]) == portal_url("apps", CLOUDS["usgov"])


def test_a_strange_client_id_stays_one_part_of_the_address() -> None:
    assert portal_url("app", CLOUDS["global"], "../x?y#z").endswith("/appId/..%2Fx%3Fy%23z")


@pytest.mark.parametrize(
    ("tenant", "asked"),
    [
        ("contoso.com", "contoso.com"),
        ("organizations", "organizations"),
        ("common", "organizations"),
        ("consumers", "organizations"),
        ("", "organizations"),
        ("../evil", "..%2Fevil"),
    ],
)
def test_the_consent_link_names_a_tenant_that_can_consent(tenant: str, asked: str) -> None:
    assert urlsplit(admin_consent_url(registration(tenant), REDIRECT_URI)).path == f"/{asked}/v2.0/adminconsent"


def test_the_consent_link_asks_for_all_permissions_and_comes_back_here() -> None:
    parts = urlsplit(admin_consent_url(registration(cloud="china"), REDIRECT_URI, state="begun"))
    assert parts.netloc == "login.partner.microsoftonline.cn"
    assert parse_qs(parts.query) == {
        "client_id": [CLIENT_ID],
        "scope": [" ".join(SCOPES)],
        "redirect_uri": [REDIRECT_URI],
        "state": ["begun"],
    }
