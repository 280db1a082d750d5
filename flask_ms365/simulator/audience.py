"""Which app an endpoint serves: its client id, its audience, and the tenants that know it."""

from __future__ import annotations

from .directory import App
from .errors import SignInError
from .tenant import Tenant

_MANY_TENANTS = ("common", "organizations")


def app_at(tenant: Tenant, tenant_name: str, client_id: str | None) -> App:
    """The app of a client id, where the endpoint of that tenant serves it."""
    tenant.check_cloud(tenant_name)
    tenant_id = tenant.tenant_of(tenant_name)
    app = tenant.app_of(client_id)
    code = _refusal_of_endpoint(app, tenant_name.lower())
    if code is None and tenant_id in tenant.neighbours:
        code = _refusal_of_neighbour(app, tenant_id)
    if code is not None:
        raise SignInError(code, client_id=app.client_id, name=app.name, tenant=tenant_id)
    return app


def _refusal_of_endpoint(app: App, name: str) -> int | None:
    if app.sign_in_audience == "PersonalMicrosoftAccount":
        return None if name == "consumers" else 9002346
    if name == "consumers":
        return None if app.sign_in_audience == "AzureADandPersonalMicrosoftAccount" else 9002332
    return 50194 if name in _MANY_TENANTS and app.sign_in_audience == "AzureADMyOrg" else None


def _refusal_of_neighbour(app: App, tenant_id: str) -> int | None:
    """An app comes to another tenant by the consent of somebody there, and stays when its audience narrows."""
    if tenant_id not in app.installed_in:
        return 700016
    return 650059 if app.sign_in_audience == "AzureADMyOrg" else None
