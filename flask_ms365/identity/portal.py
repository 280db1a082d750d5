"""Where in Microsoft's admin center something is done, and the link with which an admin allows the app.

The addresses are not a documented interface: a portal that no longer knows one opens its start page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from flask_ms365.identity.clouds import Cloud
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.scopes import SCOPES
from flask_ms365.words import Words


@dataclass(frozen=True)
class PortalPage:
    """A page of the admin center as it is called there; ``path`` may have a place for the client id."""

    label: str
    path: str


_APP = "Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~"

PAGES: dict[str, PortalPage] = {
    "apps": PortalPage(Words("App registrations"), "Microsoft_AAD_RegisteredApps/ApplicationsListBlade"),
    "new_app": PortalPage(Words("New registration"), "Microsoft_AAD_RegisteredApps/CreateApplicationBlade"),
    "app": PortalPage(Words("Overview"), f"{_APP}/Overview/appId/{{client_id}}"),
    "authentication": PortalPage(Words("Authentication"), f"{_APP}/Authentication/appId/{{client_id}}"),
    "secrets": PortalPage(Words("Certificates & secrets"), f"{_APP}/Credentials/appId/{{client_id}}"),
    "permissions": PortalPage(Words("API permissions"), f"{_APP}/CallAnAPI/appId/{{client_id}}"),
    # a single enterprise application is addressed by its object id, which we do not know
    "enterprise_apps": PortalPage(
        Words("Enterprise applications"), "Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview"
    ),
    "conditional_access": PortalPage(
        Words("Conditional Access"), "Microsoft_AAD_ConditionalAccess/ConditionalAccessBlade/~/Policies"
    ),
    "tenant": PortalPage(Words("Tenant overview"), "Microsoft_AAD_IAM/TenantOverview.ReactView"),
}


def portal_url(page: str, cloud: Cloud, client_id: str = "") -> str:
    """Return the address of a page of :data:`PAGES`; where it needs a client id and there is none, of the list."""
    path = PAGES[page].path
    if "{client_id}" in path:
        path = path.format(client_id=quote(client_id, safe="")) if client_id else PAGES["apps"].path
    return f"{cloud.portal}/#view/{path}"


def admin_consent_url(
    registration: AppRegistration, redirect_uri: str, *, state: str | None = None, scopes: Iterable[str] = SCOPES
) -> str:
    """Return the link with which an admin allows the app for everybody in the tenant.

    Where the settings name no tenant it is ``organizations``: Microsoft then takes the one of the admin who signs in.
    """
    tenant = registration.tenant
    if tenant in {"", "common", "consumers"}:
        tenant = "organizations"
    query = {"client_id": registration.client_id, "scope": " ".join(scopes), "redirect_uri": redirect_uri}
    if state is not None:
        query["state"] = state
    return f"{registration.authority}/{quote(tenant, safe='')}/v2.0/adminconsent?{urlencode(query, quote_via=quote)}"
