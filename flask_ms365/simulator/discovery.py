"""What the sign-in service publishes about itself."""

from __future__ import annotations

from werkzeug import Request, Response

from .clouds import Cloud
from .errors import SignInError
from .responses import json_response
from .tenant import SHARED_ENDPOINTS, Tenant

_CLAIMS = [
    "sub",
    "iss",
    "cloud_instance_name",
    "cloud_instance_host_name",
    "cloud_graph_host_name",
    "msgraph_host",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "acr",
    "nonce",
    "preferred_username",
    "name",
    "tid",
    "ver",
    "at_hash",
    "c_hash",
    "email",
]


def origin_of(request: Request) -> str:
    """The scheme and host that the caller used."""
    return request.host_url.rstrip("/")


def issuer_of(origin: str, tenant_id: str) -> str:
    """Who signs: the tenant, or the literal that a client fills in for /common."""
    return f"{origin}/{tenant_id}/v2.0"


def openid_configuration(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """The discovery document. A domain comes back as the GUID; an unknown tenant is a 400.

    For a tenant of another cloud it is that cloud's, where the clouds know of each other.
    """
    try:
        is_federated = tenant.is_federated(tenant_name)
        if not is_federated:
            tenant.check_cloud(tenant_name)
        tenant_id = tenant.tenant_of(tenant_name)
    except SignInError as error:
        error.error = "invalid_tenant"
        raise
    cloud = tenant.cloud_of(tenant_name)
    origin = f"https://{cloud.login_host}" if is_federated else origin_of(request)
    path = tenant_name.lower() if tenant_name.lower() in SHARED_ENDPOINTS else tenant_id
    response = json_response(_document(cloud, origin, path, issuer_of(origin, tenant_id)))
    response.headers["Cache-Control"] = "max-age=86400, private"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def keys(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """The key set; each key names its issuer."""
    issuer = issuer_of(origin_of(request), tenant.tenant_of(tenant_name))
    return json_response({"keys": [key.jwk(issuer) for key in tenant.signing_keys]})


def instance(tenant: Tenant, request: Request) -> Response:
    """Instance discovery: this host is the only one of its cloud."""
    host = request.host
    return json_response(
        {
            "tenant_discovery_endpoint": f"{origin_of(request)}/common/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }
    )


def _document(cloud: Cloud, origin: str, path: str, issuer: str) -> dict[str, object]:
    login = f"{origin}/{path}"
    sub_scope = {"tenant_region_sub_scope": cloud.region_sub_scope} if cloud.region_sub_scope else {}
    return {
        "token_endpoint": f"{login}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{login}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{origin}/oidc/userinfo",
        "authorization_endpoint": f"{login}/oauth2/v2.0/authorize",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{login}/oauth2/v2.0/logout",
        "claims_supported": _CLAIMS,
        "tenant_region_scope": None if path in SHARED_ENDPOINTS else cloud.region_scope,
        **sub_scope,
        "cloud_instance_name": cloud.cloud_instance_name,
        "cloud_graph_host_name": cloud.cloud_graph_host_name,
        "msgraph_host": cloud.msgraph_host,
        "rbac_url": "https://pas.windows.net",
    }
