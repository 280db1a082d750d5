"""AADSTS errors about the person who signs in: the account, its second factor, Conditional Access."""

from __future__ import annotations

from .refusal import Refusal, Refusals

_MOVED = (
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must {} "
    "multi-factor authentication to access '00000003-0000-0000-c000-000000000000'."
)

ACCOUNTS: Refusals = {
    50020: Refusal(
        400,
        "invalid_grant",
        "User account '{username}' from identity provider '{issuer}' does not exist in tenant '{tenant}' and cannot "
        "access the application '{client_id}'({name}) in that tenant. The account needs to be added as an external "
        "user in the tenant first. Sign out and sign in again with a different Azure Active Directory user account.",
        on_page=True,
    ),
    50034: Refusal(
        400,
        "invalid_grant",
        "The user account '{username}' does not exist in the {tenant} directory. To sign into this application, the "
        "account must be added to the directory.",
        on_page=True,
    ),
    50053: Refusal(
        400,
        "invalid_grant",
        "The account is locked, you've tried to sign in too many times with an incorrect user ID or password.",
        on_page=True,
    ),
    50055: Refusal(400, "invalid_grant", "The password is expired.", "user_password_expired", on_page=True),
    50057: Refusal(400, "invalid_grant", "The user account is disabled.", on_page=True),
    50058: Refusal(
        400,
        "login_required",
        "Session information is not sufficient for single-sign-on: a silent sign-in request was sent but no user is "
        "signed in.",
    ),
    50126: Refusal(
        400, "invalid_grant", "Error validating credentials due to invalid username or password.", on_page=True
    ),
    50144: Refusal(400, "invalid_grant", "The user's Active Directory password has expired.", on_page=True),
    51004: Refusal(
        400,
        "invalid_grant",
        "The user account '{username}' does not exist in the {tenant} directory. To sign into this application, the "
        "account must be added to the directory.",
        on_page=True,
    ),
    90072: Refusal(
        400,
        "invalid_grant",
        "User account '{username}' from identity provider '{issuer}' does not exist in tenant '{tenant}' and cannot "
        "access the application '{client_id}'({name}) in that tenant. The account needs to be added as an external "
        "user in the tenant first.",
        on_page=True,
    ),
}

_BLOCKED = "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance."

POLICIES: Refusals = {
    50005: Refusal(
        400, "interaction_required", "The device's platform is not supported by the Conditional Access policy."
    ),
    50072: Refusal(400, "interaction_required", _MOVED.format("enroll in"), "basic_action"),
    50074: Refusal(
        400,
        "interaction_required",
        "Strong Authentication is required, and the user did not pass the challenge.",
        "basic_action",
    ),
    50076: Refusal(400, "interaction_required", _MOVED.format("use"), "basic_action"),
    50078: Refusal(
        400,
        "interaction_required",
        "Presented multi-factor authentication has expired due to policies configured by your administrator, you must "
        "refresh your multi-factor authentication to access '00000003-0000-0000-c000-000000000000'.",
        "basic_action",
    ),
    50079: Refusal(400, "interaction_required", _MOVED.format("enroll in"), "basic_action"),
    50097: Refusal(400, "interaction_required", "Device authentication is required.", "device_authentication_failed"),
    50131: Refusal(
        400, "interaction_required", "The device or the sign-in does not meet the Conditional Access policy."
    ),
    50158: Refusal(400, "interaction_required", "External security challenge not satisfied.", "basic_action"),
    53000: Refusal(
        400, "interaction_required", "The device is not in the state that Conditional Access requires: compliant."
    ),
    53001: Refusal(
        400, "interaction_required", "The device is not in the state that Conditional Access requires: domain joined."
    ),
    53002: Refusal(400, "interaction_required", "The application used is not an approved app for Conditional Access."),
    53003: Refusal(400, "interaction_required", _BLOCKED),
    53004: Refusal(
        400,
        "interaction_required",
        "The user must register for multi-factor authentication before accessing this content.",
    ),
    530032: Refusal(400, "access_denied", "A security policy of the tenant's admin blocks this request."),
    530035: Refusal(400, "access_denied", "Access has been blocked by security defaults."),
}
