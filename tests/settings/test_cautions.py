"""What is pointed out, and never refused."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from flask_ms365.settings.cautions import cautions
from tests.conftest import Host

GUID = "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c"
SECRET = "aB38Q~" + "x" * 34


def pointed_out(host: Host, **changes: str) -> dict[str, list[str]]:
    with host.app.app_context():
        host.ms365.settings.save(changes)
        found = cautions(host.ms365.settings.read(), datetime.now(timezone.utc))
        return {key: [str(each) for each in words] for key, words in found.items()}


def test_usual_values_are_no_cause_for_caution(host: Host) -> None:
    assert pointed_out(host, client_id=GUID, client_secret=SECRET, tenant_id="contoso.com") == {}


@pytest.mark.parametrize("secret", ["aB38Q~" + "x" * 31, "x" * 34, "Zm9v+/b2==" * 4, "[abc]:?@" * 4])
def test_secrets_of_every_year_look_usual(host: Host, secret: str) -> None:
    assert pointed_out(host, client_secret=secret) == {}


@pytest.mark.parametrize("secret", ["aB38Q~short", "x" * 31, "aB38Q~with space" + "x" * 24, SECRET * 2])
def test_an_unusual_secret_is_pointed_out(host: Host, secret: str) -> None:
    assert "does not look like the Value" in pointed_out(host, client_secret=secret)["client_secret"][0]


def test_one_id_in_both_boxes_is_pointed_out(host: Host) -> None:
    assert "pasted twice" in pointed_out(host, client_id=GUID, tenant_id=GUID)["client_id"][0]


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_a_tenant_of_everybody_is_pointed_out(host: Host, tenant: str) -> None:
    assert pointed_out(host, tenant_id=tenant)["tenant_id"][0].startswith(f"With {tenant} the credentials cannot")


@pytest.mark.parametrize(
    ("tenant", "cloud", "fits"),
    [
        ("contoso.onmicrosoft.us", "usgov", True),
        ("contoso.onmicrosoft.us", "usgov_dod", True),
        ("contoso.onmicrosoft.us", "global", False),
        ("contoso.partner.onmschina.cn", "china", True),
        ("contoso.partner.onmschina.cn", "global", False),
        ("contoso.onmicrosoft.com", "china", False),
        ("contoso.com", "china", True),
    ],
)
def test_a_cloud_that_does_not_fit_the_tenant_is_pointed_out(host: Host, tenant: str, cloud: str, fits: bool) -> None:
    assert ("cloud" not in pointed_out(host, tenant_id=tenant, cloud=cloud)) is fits


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_a_sign_in_that_would_be_open_to_anybody_is_pointed_out(host: Host, tenant: str) -> None:
    assert "until you name the tenants" in pointed_out(host, tenant_id=tenant, sign_in="1")["sign_in_tenants"][0]


def test_tenants_that_leave_nobody_are_pointed_out(host: Host) -> None:
    words = pointed_out(host, tenant_id=GUID, sign_in="1", sign_in_tenants=GUID.replace("7", "8"))
    assert "nobody may" in words["sign_in_tenants"][0]


@pytest.mark.parametrize("tenant", [GUID, "contoso.com", "common"])
def test_named_tenants_are_no_cause_for_caution(host: Host, tenant: str) -> None:
    assert "sign_in_tenants" not in pointed_out(host, tenant_id=tenant, sign_in="1", sign_in_tenants=GUID)
