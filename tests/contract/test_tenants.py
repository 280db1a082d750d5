"""Wrong tenants, clouds, apps and audiences. Over the simulator only."""

from __future__ import annotations

import uuid
from typing import get_args

import pytest

from flask_ms365.simulator.clouds import CLOUDS, CloudKey
from flask_ms365.simulator.directory import Audience

from .client import REDIRECT_URI, Desk, Graph, error_of, graph_error_of, page_error_of, post


@pytest.mark.parametrize("cloud", get_args(CloudKey))
def test_discovery_speaks_of_the_cloud(desk: Desk, cloud: CloudKey) -> None:
    desk.simulator.cloud = cloud
    found = desk.discovery().json()
    assert found["msgraph_host"] == CLOUDS[cloud].msgraph_host
    assert found["cloud_instance_name"] == CLOUDS[cloud].cloud_instance_name


def test_gcc_high_and_dod_differ_in_their_graph_alone(desk: Desk) -> None:
    high, dod = CLOUDS["usgov"], CLOUDS["usgov_dod"]
    assert (high.login_host, high.cloud_instance_name) == (dod.login_host, dod.cloud_instance_name)
    assert high.msgraph_host != dod.msgraph_host


def test_discovery_of_a_us_government_tenant_points_to_its_own_cloud(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant_of_another_cloud("fabrikam.onmicrosoft.us", "usgov")
    found = desk.discovery("fabrikam.onmicrosoft.us").json()
    assert found["issuer"] == f"https://login.microsoftonline.us/{tenant}/v2.0"
    assert (found["tenant_region_scope"], found["msgraph_host"]) == ("USGov", "graph.microsoft.us")


def test_a_secret_is_worth_nothing_in_another_cloud(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant_of_another_cloud(str(uuid.uuid4()), "usgov")
    assert error_of(desk.app_only(tenant)) == (400, "invalid_request", 900382)
    assert error_of(desk.token(tenant, grant_type="refresh_token", refresh_token="1.x")) == (
        400,
        "invalid_request",
        900432,
    )


def test_a_tenant_of_a_cloud_apart_is_90038(desk: Desk) -> None:
    desk.simulator.add_tenant_of_another_cloud("fabrikam.partner.onmschina.cn", "china")
    assert error_of(desk.discovery("fabrikam.partner.onmschina.cn")) == (400, "invalid_tenant", 90038)
    assert error_of(desk.app_only("fabrikam.partner.onmschina.cn")) == (400, "invalid_request", 90038)
    assert page_error_of(desk.authorize("fabrikam.partner.onmschina.cn")) == (True, 90038)


def test_an_app_of_another_tenant_is_unknown(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant("fabrikam.example")
    assert desk.discovery("fabrikam.example").json()["issuer"].endswith(f"/{tenant}/v2.0")
    assert error_of(desk.app_only(tenant)) == (400, "unauthorized_client", 700016)
    assert page_error_of(desk.authorize(tenant)) == (True, 700016)


def test_an_app_that_is_no_longer_for_other_tenants_is_650059_there(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant()
    desk.app.installed_in.add(tenant)
    assert desk.app_only(tenant).status == 200
    desk.app.sign_in_audience = "AzureADMyOrg"
    assert error_of(desk.app_only(tenant))[2] == 650059


def test_an_installed_app_can_do_nothing_where_nobody_consented(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant()
    desk.app.installed_in.add(tenant)
    graph = Graph(desk.simulator.url, desk.app_only(tenant).json()["access_token"])
    assert graph_error_of(graph.get(f"/users/{desk.user.upn}/messages"))[0] == 403


def test_a_code_of_another_tenant_is_700005(desk: Desk) -> None:
    code, tenant = desk.code(), desk.simulator.add_tenant()
    desk.app.installed_in.add(tenant)
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    assert error_of(desk.token(tenant, **fields)) == (400, "invalid_grant", 700005)


def test_a_user_of_another_tenant_is_50020(desk: Desk) -> None:
    tenant = desk.simulator.add_tenant()
    desk.app.installed_in.add(tenant)
    url = desk.authorize_url().replace(desk.simulator.tenant_id, tenant)
    assert page_error_of(post(url, {"username": desk.user.upn, "password": "ana"})) == (True, 50020)


def test_the_domains_of_the_users_name_the_tenant(desk: Desk) -> None:
    assert desk.discovery("contoso.example").json()["issuer"] == desk.discovery().json()["issuer"]


def test_a_deleted_app_is_700016(desk: Desk) -> None:
    desk.simulator.delete_app(desk.app)
    assert error_of(desk.app_only()) == (400, "unauthorized_client", 700016)
    assert page_error_of(desk.authorize()) == (True, 700016)


def test_a_disabled_app_is_7000112(desk: Desk) -> None:
    desk.app.is_enabled = False
    assert error_of(desk.app_only())[1:] == ("unauthorized_client", 7000112)
    assert page_error_of(desk.authorize()) == (True, 7000112)


def test_the_object_id_is_no_client_id(desk: Desk) -> None:
    assert error_of(desk.app_only(client_id=desk.app.object_id))[2] == 700016


def test_a_client_id_that_is_no_guid_stays_on_the_page(desk: Desk) -> None:
    assert page_error_of(desk.authorize(client_id="no-such-app")) == (True, 90112)


@pytest.mark.parametrize(
    ("audience", "tenant", "number"),
    [
        ("AzureADMyOrg", "common", 50194),
        ("AzureADMyOrg", "organizations", 50194),
        ("AzureADMyOrg", "consumers", 9002332),
        ("AzureADMyOrg", "contoso.example", 0),
        ("AzureADMultipleOrgs", "common", 0),
        ("AzureADMultipleOrgs", "consumers", 9002332),
        ("AzureADandPersonalMicrosoftAccount", "common", 0),
        ("AzureADandPersonalMicrosoftAccount", "consumers", 0),
        ("PersonalMicrosoftAccount", "consumers", 0),
        ("PersonalMicrosoftAccount", "common", 9002346),
        ("PersonalMicrosoftAccount", "contoso.example", 9002346),
    ],
)
def test_an_endpoint_serves_its_audience(desk: Desk, audience: Audience, tenant: str, number: int) -> None:
    desk.app.sign_in_audience = audience
    assert page_error_of(desk.authorize(tenant)) == (True, number)


def test_a_single_tenant_app_refreshes_at_its_tenant_alone(desk: Desk) -> None:
    token = desk.redeem(desk.code()).json()["refresh_token"]
    desk.app.sign_in_audience = "AzureADMyOrg"
    fields = {"grant_type": "refresh_token", "refresh_token": token}
    assert error_of(desk.token("common", **fields)) == (400, "invalid_request", 50194)
    assert desk.token(**fields).status == 200
