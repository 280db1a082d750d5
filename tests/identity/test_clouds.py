"""Microsoft's clouds: nothing of one is ever asked for, or shown, in the name of another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from flask_ms365.identity.advice import advise
from flask_ms365.identity.clouds import CLOUDS, Cloud, cloud_of, is_same_service, origin_of
from flask_ms365.identity.keys import is_issuer_of
from flask_ms365.identity.new_app import NewApp
from flask_ms365.identity.portal import PAGES, admin_consent_url, portal_url
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import authorize_url
from flask_ms365.models import Connection, write_transaction
from flask_ms365.settings.catalog import spec_of
from flask_ms365.simulator.clouds import CLOUDS as MICROSOFTS
from flask_ms365.sync.report import Result
from flask_ms365.web.csp import csp_sources
from tests.conftest import CALLBACK, Host, HostFactory
from tests.identity.conftest import session_of
from tests.web.conftest import FILLED_IN, SETTINGS

CLIENT_ID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dae"


def hosts_of(cloud: Cloud) -> set[str]:
    """Return every host of a cloud."""
    addresses = (*cloud.logins, cloud.graph, cloud.portal, cloud.my_apps)
    return {origin_of(address).partition("://")[2] for address in addresses}


def registration_in(cloud: Cloud, tenant: str = TENANT_ID) -> AppRegistration:
    return AppRegistration(
        client_id=CLIENT_ID, credential=None, tenant=tenant, authority=cloud.login, graph=cloud.graph, cloud=cloud.key
    )


def urls_of(cloud: Cloud) -> Iterator[str]:
    """Yield every address and command that is made of a cloud."""
    registration = registration_in(cloud)
    yield from (registration.authorize_url, registration.token_url, registration.discovery_url)
    yield authorize_url(
        registration, redirect_uri=CALLBACK, scopes=["openid"], state="s", nonce="n", verifier="v" * 64, login_hint="a"
    )
    yield admin_consent_url(registration, CALLBACK, state="state")
    yield from (portal_url(page, cloud, CLIENT_ID) for page in PAGES)
    yield from (cloud.my_apps, advise("invalid_client", "AADSTS99999999: New.", login=cloud.login).look_up)
    app = NewApp(name="Mail", redirect_uri=CALLBACK, cloud=cloud, tenant=TENANT_ID)
    yield from (app.azure_cli, app.powershell)


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_no_address_of_one_cloud_leads_into_another(cloud: Cloud) -> None:
    foreign = set().union(*(hosts_of(other) for other in CLOUDS.values())) - hosts_of(cloud)
    found = {host for url in urls_of(cloud) for host in re.findall(r"https://([\w.-]+)", url)}
    assert found & hosts_of(cloud)
    assert found & foreign == set()


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_the_table_agrees_with_what_discovery_says_of_a_cloud(cloud: Cloud) -> None:
    theirs = MICROSOFTS[cloud.key]
    assert (cloud.login, cloud.graph) == (f"https://{theirs.login_host}", f"https://{theirs.msgraph_host}")


@pytest.mark.parametrize(
    ("cloud", "audience"),
    [
        ("global", "api://AzureADTokenExchange"),
        ("usgov", "api://AzureADTokenExchangeUSGov"),
        ("usgov_dod", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
    ],
)
def test_a_federated_token_is_made_for_its_cloud(cloud: str, audience: str) -> None:
    assert CLOUDS[cloud].token_audience == audience


def test_every_cloud_can_be_chosen() -> None:
    assert [key for key, _ in spec_of("cloud").choices] == list(CLOUDS)


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_forms_may_lead_to_the_sign_in_of_the_chosen_cloud_alone(host: Host, cloud: Cloud) -> None:
    host.app.config["MS365_AUTHORITY_URL"] = None
    with host.app.test_request_context():
        host.ms365.settings.save({"cloud": cloud.key})
        sources = csp_sources(host.app.extensions["ms365.state"])
    assert sources["form-action"] == ["'self'", cloud.login]


# names of one service


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://login.microsoftonline.com", "https://login.windows.net"),
        ("https://sts.windows.net", "https://login.microsoft.com"),
        ("https://login.microsoftonline.us", "https://login.usgovcloudapi.net"),
        ("https://login.partner.microsoftonline.cn", "https://login.chinacloudapi.cn"),
        ("http://127.0.0.1:8365", "http://127.0.0.1:8365"),
    ],
)
def test_names_of_one_service_count_as_one(one: str, other: str) -> None:
    assert is_same_service(one, other)
    assert is_same_service(other, one)


@pytest.mark.parametrize(
    "other",
    [
        "https://login.microsoftonline.us",
        "https://login.chinacloudapi.cn",
        "https://login-us.microsoftonline.com",
        "http://login.microsoftonline.com",
        "https://login.microsoftonline.com.evil.example",
        "https://login.microsoftonline.com@evil.example",
        "https://login.microsoftonline.com:8443",
        "",
    ],
)
def test_other_services_do_not(other: str) -> None:
    assert not is_same_service(CLOUDS["global"].login, other)


@pytest.mark.parametrize(
    ("issuer", "is_its"),
    [
        ("https://login.microsoftonline.com/{tenant}/v2.0", True),
        ("https://login.windows.net/{tenant}/v2.0", True),
        ("https://login.microsoftonline.us/{tenant}/v2.0", False),
        ("https://login.windows.net.evil.example/{tenant}/v2.0", False),
        ("https://login.windows.net/x/{tenant}/v2.0", False),
    ],
)
def test_an_issuer_may_go_by_another_name_of_its_service(issuer: str, is_its: bool) -> None:
    assert is_issuer_of(registration_in(CLOUDS["global"]), issuer.format(tenant=TENANT_ID)) is is_its


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_a_grant_is_at_home_where_it_was_given(cloud: Cloud) -> None:
    for login in cloud.logins:
        assert cloud_of(login, settings=cloud.key) is cloud
        assert cloud_of(login, settings="global").login == cloud.login


def test_a_grant_of_a_simulator_is_at_home_in_the_cloud_of_the_settings() -> None:
    assert cloud_of("http://127.0.0.1:8365", settings="china") is CLOUDS["china"]


# mistakes across clouds


@pytest.mark.parametrize("code", ["90038", "900382", "900432"])
def test_a_mistake_across_clouds_is_named_with_what_to_do(code: str) -> None:
    advice = advise("invalid_request", f"AADSTS{code}: Confidential Client is not supported in Cross Cloud request.")
    assert (advice.code, "cloud" in advice.message, "right cloud" in advice.next_step) == (code, True, True)


def change_authority(host: Host, authority: str) -> None:
    """Let the connection be given elsewhere, as if the cloud of the settings were changed since."""
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(Connection).values(authority=authority))


def sync_report(host: Host) -> Any:
    with host.app.app_context():
        return host.ms365.tick().runs[0]


def test_a_mailbox_of_another_cloud_is_told_and_no_token_goes_there(connected: Host) -> None:
    change_authority(connected, CLOUDS["usgov"].login)
    report = sync_report(connected)
    assert (report.result, report.error) == (
        Result.APP_REFUSED,
        "This mailbox was connected in another Microsoft cloud than the settings name now.",
    )


def test_a_changed_cloud_says_how_many_mailboxes_it_concerns(connected: Host) -> None:
    page = connected.visitor().get(SETTINGS).text
    assert "1 mailbox is connected in this cloud, and cannot be read from another one" in page


def test_without_mailboxes_a_cloud_is_changed_without_a_word(make_host: HostFactory) -> None:
    host = make_host()
    visitor = host.visitor()
    visitor.submit(SETTINGS, FILLED_IN)
    assert "connected in this cloud" not in visitor.get(SETTINGS).text
