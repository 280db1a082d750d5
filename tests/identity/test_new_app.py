"""The ready commands: what they say, and that no value breaks out of its quotes."""

from __future__ import annotations

import json
import re
import shlex

import pytest

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.new_app import NewApp
from flask_ms365.identity.scopes import GRAPH_APP_ID, PERMISSIONS

REDIRECT_URI = "https://app.contoso.com/ms365/oauth/callback"
HOSTILE = 'https://x.example/\'; rm -rf ~; $(id) `id` "$HOME" \u2019; Remove-Item * ‘ ‚ ‛ #</code>\n& whoami'
# a string of PowerShell: any quotation mark ends it, two of them stand for one
STRING = re.compile("'((?:[^'\u2018\u2019\u201a\u201b]|['\u2018\u2019\u201a\u201b]{2})*)'")


def new_app(redirect_uri: str = REDIRECT_URI, *, cloud: str = "global", tenant: str = "contoso.com") -> NewApp:
    return NewApp(name=f"Mail of {redirect_uri}", redirect_uri=redirect_uri, cloud=CLOUDS[cloud], tenant=tenant)


def created(app: NewApp) -> dict[str, str]:
    """Return the options of ``az ad app create`` as bash would read them."""
    line = re.search(r"APP_ID=\$\((.*)\)\naz ad sp", app.azure_cli, re.DOTALL)
    assert line is not None
    words = shlex.split(line[1])
    assert words[:4] == ["az", "ad", "app", "create"]
    return dict(zip(words[4::2], words[5::2], strict=True))


@pytest.mark.parametrize("uri", [REDIRECT_URI, HOSTILE])
def test_the_manifest_is_json_with_uri_and_permissions(uri: str) -> None:
    manifest = json.loads(new_app(uri).manifest)
    (graph,) = manifest["requiredResourceAccess"]
    assert manifest["web"]["redirectUris"] == [uri]
    assert manifest["displayName"] == f"Mail of {uri}"
    assert graph["resourceAppId"] == GRAPH_APP_ID
    assert graph["resourceAccess"] == [{"id": permission.id, "type": "Scope"} for permission in PERMISSIONS]


@pytest.mark.parametrize("uri", [REDIRECT_URI, HOSTILE])
def test_bash_reads_each_value_as_it_is(uri: str) -> None:
    options = created(new_app(uri))
    assert options["--web-redirect-uris"] == uri
    assert options["--display-name"] == f"Mail of {uri}"
    (graph,) = json.loads(options["--required-resource-accesses"])
    assert [access["id"] for access in graph["resourceAccess"]] == [permission.id for permission in PERMISSIONS]


@pytest.mark.parametrize("uri", [REDIRECT_URI, HOSTILE])
def test_powershell_reads_each_value_as_it_is(uri: str) -> None:
    script = new_app(uri).powershell
    strings = [re.sub("(['\u2018\u2019\u201a\u201b])\\1", r"\1", string) for string in STRING.findall(script)]
    assert uri in strings
    assert f"Mail of {uri}" in strings
    assert {permission.id for permission in PERMISSIONS} <= set(strings)
    outside = STRING.sub("", script)
    assert not any(word in outside for word in ("rm -rf", "Remove-Item", "whoami"))


@pytest.mark.parametrize(
    ("cloud", "azure_cli", "powershell"),
    [
        ("global", "AzureCloud", "Global"),
        ("usgov", "AzureUSGovernment", "USGov"),
        ("usgov_dod", "AzureUSGovernment", "USGovDoD"),
        ("china", "AzureChinaCloud", "China"),
    ],
)
def test_commands_go_to_the_right_cloud(cloud: str, azure_cli: str, powershell: str) -> None:
    app = new_app(cloud=cloud)
    assert app.azure_cli.startswith(f"az cloud set --name {azure_cli}\n")
    assert app.powershell.startswith(f"Connect-MgGraph -Environment {powershell} ")


@pytest.mark.parametrize(
    ("tenant", "audience"),
    [
        ("", "AzureADMyOrg"),
        ("contoso.com", "AzureADMyOrg"),
        ("organizations", "AzureADMultipleOrgs"),
        ("common", "AzureADandPersonalMicrosoftAccount"),
        ("consumers", "PersonalMicrosoftAccount"),
    ],
)
def test_the_audience_fits_the_tenant_of_the_settings(tenant: str, audience: str) -> None:
    app = new_app(tenant=tenant)
    assert json.loads(app.manifest)["signInAudience"] == audience
    assert created(app)["--sign-in-audience"] == audience
    assert f"-SignInAudience {audience} " in app.powershell


def test_one_named_tenant_is_where_the_commands_sign_in() -> None:
    assert "--tenant contoso.com\n" in new_app().azure_cli
    assert " -TenantId 'contoso.com' " in new_app().powershell
    for tenant in ("", "common"):
        assert "--tenant" not in new_app(tenant=tenant).azure_cli
        assert "-TenantId" not in new_app(tenant=tenant).powershell
