"""Commands that limit an app to some mailboxes: Exchange Online's role-based access control for applications.

The addresses come from forms, so each is quoted twice: for the filter that Exchange reads, and for PowerShell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_ms365.identity.clouds import Cloud
from flask_ms365.identity.powershell import EXCHANGE_ENVIRONMENTS, GRAPH_ENVIRONMENTS, quoted

_ROLE = "Application Mail.Read"
_NAME = "Flask-MS365"


@dataclass(frozen=True, kw_only=True)
class MailboxScope:
    """The mailboxes that an app may read with its own permission. ``tenant`` names it or is empty."""

    client_id: str
    addresses: Sequence[str]
    cloud: Cloud
    tenant: str = ""

    @property
    def first_time(self) -> str:
        """Commands that make the app known to Exchange and let it read these mailboxes alone; one a line.

        The object id that Exchange wants is the enterprise application's, not the app registration's: it is looked up.
        """
        return "\n".join(
            [
                f"Connect-MgGraph -Environment {GRAPH_ENVIRONMENTS[self.cloud.key]}{self._tenant_option}"
                " -Scopes 'Application.Read.All'",
                f"$app = Get-MgServicePrincipal -Filter {quoted(f'appId eq {_in_filter(self.client_id)}')}",
                self._connect,
                f"New-ServicePrincipal -AppId $app.AppId -ObjectId $app.Id -DisplayName {quoted(_NAME)}",
                f"New-ManagementScope -Name {self._scope} -RecipientRestrictionFilter {self._filter}",
                f"New-ManagementRoleAssignment -App {quoted(self.client_id)} -Role {quoted(_ROLE)}"
                f" -CustomResourceScope {self._scope}",
                *self._tests,
            ]
        )

    @property
    def once_more(self) -> str:
        """Commands for when the mailboxes are others than before."""
        change = f"Set-ManagementScope -Identity {self._scope} -RecipientRestrictionFilter {self._filter}"
        return "\n".join([self._connect, change, *self._tests])

    @property
    def _connect(self) -> str:
        return f"Connect-ExchangeOnline -ExchangeEnvironmentName {EXCHANGE_ENVIRONMENTS[self.cloud.key]}"

    @property
    def _tenant_option(self) -> str:
        return f" -TenantId {quoted(self.tenant)}" if self.tenant else ""

    @property
    def _scope(self) -> str:
        # several apps of one organisation may each have a scope
        return quoted(f"{_NAME} {self.client_id}")

    @property
    def _filter(self) -> str:
        return quoted(" -or ".join(f"PrimarySmtpAddress -eq {_in_filter(address)}" for address in self.addresses))

    @property
    def _tests(self) -> list[str]:
        identity = quoted(self.client_id)
        return [
            f"Test-ServicePrincipalAuthorization -Identity {identity} -Resource {quoted(address)}"
            for address in self.addresses
        ]


def _in_filter(text: str) -> str:
    """Return ``text`` as a string of a filter, OData's and Exchange's alike."""
    return "'" + text.replace("'", "''") + "'"
