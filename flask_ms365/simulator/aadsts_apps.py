"""AADSTS errors about what an admin has entered: the tenant, the app, its audience, its redirect URIs."""

from __future__ import annotations

from .refusal import Refusal, Refusals

TENANTS: Refusals = {
    90002: Refusal(
        400,
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
        on_page=True,
    ),
    90038: Refusal(
        400,
        "invalid_request",
        "Tenant '{tenant}' request is being redirected to the National Cloud '{cloud}'.",
        on_page=True,
    ),
    900023: Refusal(
        400,
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
        on_page=True,
    ),
    900382: Refusal(400, "invalid_request", "Confidential Client is not supported in Cross Cloud request."),
    900432: Refusal(400, "invalid_request", "Confidential Client is not supported in Cross Cloud request."),
    9001023: Refusal(
        400,
        "invalid_request",
        "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
}

APPS: Refusals = {
    50194: Refusal(
        400,
        "invalid_request",
        "Application '{client_id}'({name}) is not configured as a multi-tenant application. Usage of the /common "
        "endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or "
        "configure the application to be multi-tenant.",
        on_page=True,
    ),
    70001: Refusal(
        400,
        "unauthorized_client",
        "The application named {name} was not found in the tenant named {tenant}.",
        on_page=True,
    ),
    90027: Refusal(
        400,
        "invalid_request",
        "We are unable to issue tokens from this API version on the MSA tenant. Please contact the application vendor "
        "as they need to use version 2.0 of the protocol to support this.",
    ),
    90112: Refusal(400, "invalid_request", "Application identifier is expected to be a GUID.", on_page=True),
    90124: Refusal(
        400,
        "invalid_request",
        "The resource is not supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
    90130: Refusal(
        400,
        "invalid_request",
        "Application '{client_id}'({name}) is not supported over the /common or /consumers endpoints. Please use the "
        "/organizations or tenant-specific endpoint.",
        on_page=True,
    ),
    650059: Refusal(
        400,
        "unauthorized_client",
        "The application (appId:{client_id}) is not configured for use in tenant (tenantId:{tenant}). The value "
        "AzureADMyOrg set for application property SignInAudience does not allow it.",
        on_page=True,
    ),
    700016: Refusal(
        400,
        "unauthorized_client",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
        on_page=True,
    ),
    7000112: Refusal(401, "unauthorized_client", "Application '{client_id}'({name}) is disabled.", on_page=True),
    9002332: Refusal(
        400,
        "invalid_request",
        "Application '{client_id}'({name}) is configured for use by Azure Active Directory users only. Please do not "
        "use the /consumers endpoint to serve this request.",
        on_page=True,
    ),
    9002346: Refusal(
        400,
        "invalid_request",
        "Application '{client_id}'({name}) is configured for use by Microsoft Account users only. Please use the "
        "/consumers endpoint to serve this request.",
        on_page=True,
    ),
}

REDIRECT_URIS: Refusals = {
    50011: Refusal(
        400,
        "invalid_request",
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for "
        "the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your "
        "application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how "
        "to troubleshoot this error.",
        on_page=True,
    ),
    500112: Refusal(
        400,
        "invalid_client",
        "The reply address '{redirect_uri}' does not match the reply address '{expected}' provided when requesting "
        "Authorization code.",
    ),
    500113: Refusal(400, "invalid_request", "No reply address is registered for the application.", on_page=True),
    900971: Refusal(400, "invalid_request", "No reply address provided.", on_page=True),
    9002325: Refusal(
        400,
        "invalid_request",
        "Proof Key for Code Exchange is required for cross-origin authorization code redemption.",
    ),
    9002326: Refusal(
        400,
        "invalid_request",
        "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request "
        "origin: '{origin}'.",
    ),
    9002327: Refusal(
        400,
        "invalid_request",
        "Tokens issued for the 'Single-Page Application' client-type may only be redeemed via cross-origin requests.",
    ),
}
