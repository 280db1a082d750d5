"""The AADSTS errors: the number, how the token endpoint answers, and the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Refusal(NamedTuple):
    """Status and `error` at /token, the text with its blanks, and the suberror."""

    status: int
    error: str
    text: str
    suberror: str | None = None


AADSTS: Mapping[int, Refusal] = {
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
    50011: Refusal(
        400,
        "invalid_request",
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs configured for "
        "the application '{client_id}'. Make sure the redirect URI sent in the request matches one added to your "
        "application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how "
        "to troubleshoot this error.",
    ),
    50013: Refusal(400, "invalid_client", "Assertion failed signature validation or is outside its validity period."),
    50034: Refusal(
        400,
        "invalid_grant",
        "The user account '{username}' does not exist in the {tenant} directory. To sign into this application, the "
        "account must be added to the directory.",
    ),
    50048: Refusal(401, "invalid_client", "Subject must match Issuer claim in the client assertion."),
    50057: Refusal(400, "invalid_grant", "The user account is disabled."),
    50058: Refusal(
        400,
        "login_required",
        "Session information is not sufficient for single-sign-on: a silent sign-in request was sent but no user is "
        "signed in.",
    ),
    50076: Refusal(
        400,
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50079: Refusal(
        400,
        "interaction_required",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "enroll in multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50105: Refusal(
        400,
        "access_denied",
        "Your administrator has configured the application {name} ('{client_id}') to block users unless they are "
        "specifically granted ('assigned') access to the application.",
    ),
    50126: Refusal(400, "invalid_grant", "Error validating credentials due to invalid username or password."),
    50147: Refusal(400, "invalid_request", "Invalid size of Code_Challenge parameter."),
    50148: Refusal(
        400,
        "invalid_grant",
        "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
    ),
    50149: Refusal(400, "invalid_request", "Invalid Code_Challenge_method parameter."),
    50173: Refusal(
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before "
        "which tokens are not valid) for this user is '{valid_from}'.",
        "bad_token",
    ),
    53003: Refusal(
        400,
        "interaction_required",
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    54005: Refusal(
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
        "refresh token.",
    ),
    65001: Refusal(
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application with ID '{client_id}' named '{name}'. "
        "Send an interactive authorization request for this user and resource.",
        "consent_required",
    ),
    65004: Refusal(
        400,
        "access_denied",
        "User declined to consent to access the app.",
    ),
    70000: Refusal(400, "invalid_grant", "Provided grant is invalid or malformed."),
    70001: Refusal(
        400,
        "unauthorized_client",
        "The application named {name} was not found in the tenant named {tenant}.",
    ),
    70003: Refusal(400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant_type}'."),
    70008: Refusal(
        400,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive "
        "authorization request for this user and resource.",
        "token_expired",
    ),
    70011: Refusal(
        400,
        "invalid_scope",
        "The provided request must include a 'scope' input parameter. The provided value for the input parameter "
        "'scope' is not valid. The scope {scope} is not valid.",
    ),
    90002: Refusal(
        400,
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud. Check with your subscription administrator, this may happen if there are no active "
        "subscriptions for the tenant.",
    ),
    90094: Refusal(
        400,
        "access_denied",
        "{name} needs permission to access resources in your organization that only an admin can grant. Please ask "
        "an admin to grant permission to this app before you can use it.",
    ),
    501481: Refusal(
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    700016: Refusal(
        400,
        "unauthorized_client",
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    700027: Refusal(
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found.]",
    ),
    700054: Refusal(
        400,
        "unsupported_response_type",
        "response_type '{response_type}' is not enabled for the application.",
    ),
    700082: Refusal(
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for "
        "90.00:00:00.",
        "token_expired",
    ),
    500112: Refusal(
        400,
        "invalid_client",
        "The reply address '{redirect_uri}' does not match the reply address '{expected}' provided when requesting "
        "Authorization code.",
    ),
    500011: Refusal(
        400,
        "invalid_resource",
        "The resource principal named {scope} was not found in the tenant named {tenant}.",
    ),
    900023: Refusal(
        400,
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
    ),
    900144: Refusal(
        400,
        "invalid_request",
        "The request body must contain the following parameter: '{parameter}'.",
    ),
    7000112: Refusal(
        401,
        "unauthorized_client",
        "Application '{client_id}'({name}) is disabled.",
    ),
    7000215: Refusal(
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the client secret ID, for a secret added to app '{client_id}'.",
    ),
    7000218: Refusal(
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    7000222: Refusal(
        401,
        "invalid_client",
        "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys "
        "for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
        "https://aka.ms/certCreds.",
    ),
    9001023: Refusal(
        400,
        "invalid_request",
        "The grant type isn't supported over the /common or /consumers endpoints. Please use the /organizations or "
        "tenant-specific endpoint.",
    ),
    9002313: Refusal(400, "invalid_request", "Invalid request. Request is malformed or invalid."),
    50020: Refusal(400, "invalid_grant", "User account '{username}' does not exist in tenant '{tenant}'."),
    50053: Refusal(400, "invalid_grant", "The account is locked, you've tried to sign in too many times."),
    50055: Refusal(400, "invalid_grant", "The password is expired.", "user_password_expired"),
    50072: Refusal(400, "interaction_required", "The user must enroll in multi-factor authentication.", "basic_action"),
    50074: Refusal(400, "interaction_required", "Strong Authentication is required.", "basic_action"),
    50158: Refusal(400, "interaction_required", "External security challenge not satisfied.", "basic_action"),
    50194: Refusal(
        400,
        "invalid_request",
        "Application '{client_id}'({name}) is not configured as a multi-tenant application. Usage of the /common "
        "endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or "
        "configure the application to be multi-tenant.",
    ),
    50196: Refusal(400, "invalid_grant", "The request was refused as a client request loop was detected."),
    70043: Refusal(400, "invalid_grant", "The refresh token is invalid due to sign-in frequency checks."),
    90033: Refusal(503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    90095: Refusal(400, "access_denied", "Admin consent is required. The request was sent to the admin."),
}
