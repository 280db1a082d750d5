"""An app as it should be registered in Entra, ready to be run: Azure CLI, PowerShell, or the app's manifest.

The values come from settings and from the address of a request, so each is quoted for the shell that will read it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_ms365.identity.clouds import Cloud
from flask_ms365.identity.powershell import GRAPH_ENVIRONMENTS, quoted
from flask_ms365.identity.scopes import GRAPH_APP_ID, PERMISSIONS
from flask_ms365.words import Words

# who may sign in, by what the settings name as tenant: Microsoft's key for it, and how Entra calls it. A GUID or a
# domain stands for one organisation.
_ONE_TENANT = ("AzureADMyOrg", Words("Accounts in this organizational directory only"))
_AUDIENCES = {
    "organizations": ("AzureADMultipleOrgs", Words("Accounts in any organizational directory")),
    "common": (
        "AzureADandPersonalMicrosoftAccount",
        Words("Accounts in any organizational directory and personal Microsoft accounts"),
    ),
    "consumers": ("PersonalMicrosoftAccount", Words("Personal Microsoft accounts only")),
}
# cloud -> what Azure CLI calls it
_AZURE = {
    "global": "AzureCloud",
    "usgov": "AzureUSGovernment",
    "usgov_dod": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
_MONTHS = 12  # Microsoft advises less than this for a secret, and allows 24


@dataclass(frozen=True, kw_only=True)
class NewApp:
    """An app that is yet to be registered. ``tenant`` is what the settings name, or empty."""

    name: str
    redirect_uri: str
    cloud: Cloud
    tenant: str = ""

    @property
    def audience(self) -> str:
        """Who may sign in, as ``signInAudience``."""
        return _AUDIENCES.get(self.tenant, _ONE_TENANT)[0]

    @property
    def account_types(self) -> str:
        """Who may sign in, as the form *New registration* calls it."""
        return _AUDIENCES.get(self.tenant, _ONE_TENANT)[1]

    @property
    def manifest(self) -> str:
        """The app in the manifest format of Microsoft Graph, as JSON."""
        return json.dumps(
            {
                "displayName": self.name,
                "signInAudience": self.audience,
                "api": {"requestedAccessTokenVersion": 2},
                "web": {"redirectUris": [self.redirect_uri]},
                "requiredResourceAccess": _required_access(),
            },
            indent=2,
        )

    @property
    def azure_cli(self) -> str:
        """Commands for bash, such as Azure Cloud Shell: they register the app and print id, secret and tenant."""
        for_bash = shlex.quote
        create = [
            "az ad app create",
            f"--display-name {for_bash(self.name)}",
            f"--sign-in-audience {self.audience}",
            "--requested-access-token-version 2",
            f"--web-redirect-uris {for_bash(self.redirect_uri)}",
            f"--required-resource-accesses {for_bash(json.dumps(_required_access()))}",
            "--query appId --output tsv",
        ]
        return "\n".join(
            [
                f"az cloud set --name {_AZURE[self.cloud.key]}",
                f"az login --allow-no-subscriptions{self._tenant_option('--tenant', for_bash)}",
                f"APP_ID=$({' '.join(create)})",
                'az ad sp create --id "$APP_ID" --output none',
                'az ad app credential reset --id "$APP_ID" --append --years 1',
            ]
        )

    @property
    def powershell(self) -> str:
        """Commands for the Microsoft.Graph module: they register the app and print id, secret and tenant."""
        access = "; ".join(f"@{{ Id = '{permission.id}'; Type = 'Scope' }}" for permission in PERMISSIONS)
        tenant = self._tenant_option("-TenantId", quoted)
        return "\n".join(
            [
                f"Connect-MgGraph -Environment {GRAPH_ENVIRONMENTS[self.cloud.key]}{tenant}"
                " -Scopes 'Application.ReadWrite.All'",
                f"$access = @{{ ResourceAppId = '{GRAPH_APP_ID}'; ResourceAccess = @({access}) }}",
                f"$web = @{{ RedirectUris = @({quoted(self.redirect_uri)}) }}",
                "$api = @{ RequestedAccessTokenVersion = 2 }",
                f"$app = New-MgApplication -DisplayName {quoted(self.name)} -SignInAudience {self.audience}"
                " -Api $api -Web $web -RequiredResourceAccess $access",
                "New-MgServicePrincipal -AppId $app.AppId | Out-Null",
                f"$credential = @{{ EndDateTime = (Get-Date).AddMonths({_MONTHS}) }}",
                "$secret = Add-MgApplicationPassword -ApplicationId $app.Id -PasswordCredential $credential",
                '"Application (client) ID: $($app.AppId)"',
                '"Directory (tenant) ID:   $((Get-MgContext).TenantId)"',
                '"Client secret, Value:    $($secret.SecretText)"',
                "\"Client secret, expires:  $($secret.EndDateTime.ToString('yyyy-MM-dd'))\"",
            ]
        )

    def _tenant_option(self, option: str, quoted: Callable[[str], str]) -> str:
        """Return the option that signs in to the one organisation that the settings name."""
        return f" {option} {quoted(self.tenant)}" if self.tenant and self.tenant not in _AUDIENCES else ""


def _required_access() -> list[dict[str, Any]]:
    access = [{"id": permission.id, "type": "Scope"} for permission in PERMISSIONS]
    return [{"resourceAppId": GRAPH_APP_ID, "resourceAccess": access}]
