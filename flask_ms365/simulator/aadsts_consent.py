"""AADSTS errors about what an app may have: consent, permissions, scopes."""

from __future__ import annotations

from .refusal import Refusal, Refusals

CONSENT: Refusals = {
    50105: Refusal(
        400,
        "access_denied",
        "Your administrator has configured the application {name} ('{client_id}') to block users unless they are "
        "specifically granted ('assigned') access to the application.",
        on_page=True,
    ),
    65001: Refusal(
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}' named '{name}'. "
        "Send an interactive authorization request for this user and resource.",
        "consent_required",
    ),
    65004: Refusal(400, "access_denied", "User declined to consent to access the app."),
    90008: Refusal(
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}'. This happened "
        "because application is misconfigured: it must require access to Windows Azure Active Directory by specifying "
        "at least 'Sign in and read user profile' permission.",
    ),
    90093: Refusal(
        400,
        "access_denied",
        "This operation can only be performed by an administrator. Sign out and sign in as an administrator or "
        "contact one of your organization's administrators.",
        on_page=True,
    ),
    90094: Refusal(
        400,
        "access_denied",
        "{name} needs permission to access resources in your organization that only an admin can grant. Please ask "
        "an admin to grant permission to this app before you can use it.",
        on_page=True,
    ),
    90095: Refusal(
        400,
        "access_denied",
        "Admin consent is required for {name}. Request approval, and an admin of your organization will review it.",
        on_page=True,
    ),
    500011: Refusal(
        400,
        "invalid_resource",
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You might have sent your authentication request to the wrong tenant.",
    ),
    650052: Refusal(
        400,
        "invalid_client",
        "The app needs access to a service ('{resource}') that your organization '{tenant}' has not subscribed to or "
        "enabled. Contact your IT Admin to review the configuration of your service subscriptions.",
    ),
    650056: Refusal(
        400,
        "invalid_client",
        "Misconfigured application. This could be due to one of the following: the client has not listed any "
        "permissions for '{resource}' in the requested permissions in the client's application registration. Or, the "
        "admin has not consented in the tenant. Client app ID: {client_id}. Please contact your admin to fix the "
        "configuration or consent on behalf of the tenant.",
    ),
    650057: Refusal(
        400,
        "invalid_resource",
        "Invalid resource. The client has requested access to a resource which is not listed in the requested "
        "permissions in the client's application registration. Client app ID: {client_id}({name}). Resource value from "
        "request: {resource}.",
    ),
}

SCOPES: Refusals = {
    28002: Refusal(
        400,
        "invalid_scope",
        "Provided value for the input parameter scope '{scope}' is not valid when requesting an access token. "
        "Please specify a valid scope.",
    ),
    28003: Refusal(
        400,
        "invalid_scope",
        "Provided value for the input parameter scope cannot be empty when requesting an access token using the "
        "provided authorization code. Please specify a valid scope.",
    ),
    70011: Refusal(
        400,
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
        "'scope' is not valid. The scope {scope} is not valid.",
    ),
    700022: Refusal(
        400,
        "invalid_scope",
        "The provided value for the input parameter scope '{scope}' is not valid because it contains more than one "
        "resource.",
    ),
    700023: Refusal(
        400,
        "invalid_scope",
        "The provided value for the input parameter scope '{scope}' is not valid when requesting an access token.",
    ),
}
