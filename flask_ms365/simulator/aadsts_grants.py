"""AADSTS errors about a request: codes and refresh tokens, what is malformed, and the service's own bad days."""

from __future__ import annotations

from .refusal import Refusal, Refusals

GRANTS: Refusals = {
    50089: Refusal(400, "invalid_grant", "Authentication failed because the flow token has expired."),
    50148: Refusal(
        400,
        "invalid_grant",
        "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.",
    ),
    50173: Refusal(
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password. The grant was issued on '{issued}' and the TokensValidFrom date (before "
        "which tokens are not valid) for this user is '{valid_from}'.",
        "bad_token",
    ),
    54005: Refusal(
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing "
        "refresh token.",
    ),
    70000: Refusal(400, "invalid_grant", "Provided grant is invalid or malformed."),
    70008: Refusal(
        400,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive "
        "authorization request for this user and resource.",
        "token_expired",
    ),
    70043: Refusal(
        400,
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access. The token "
        "was issued on {issued}.",
        "token_expired",
    ),
    501481: Refusal(
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    700005: Refusal(
        400,
        "invalid_grant",
        "The provided Authorization Code is intended to be used against another tenant, thus rejected. It must be "
        "redeemed against the same tenant that it was acquired for.",
    ),
    700082: Refusal(
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was inactive for "
        "90.00:00:00.",
        "token_expired",
    ),
    700084: Refusal(
        400,
        "invalid_grant",
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime of "
        "1.00:00:00, which cannot be extended. It is now expired and a new sign in request must be sent by the SPA to "
        "the sign in page. The token was issued on {issued}.",
        "token_expired",
    ),
}

REQUESTS: Refusals = {
    50147: Refusal(400, "invalid_request", "Invalid size of Code_Challenge parameter."),
    50149: Refusal(400, "invalid_request", "Invalid Code_Challenge_method parameter."),
    70003: Refusal(400, "unsupported_grant_type", "The app requested an unsupported grant type '{grant_type}'."),
    90005: Refusal(
        400, "invalid_request", "The request is not valid: the identifier and login hint cannot be used together."
    ),
    90014: Refusal(400, "invalid_request", "The required field '{parameter}' is missing from the credential."),
    501491: Refusal(400, "invalid_request", "Invalid size of Code_Challenge parameter."),
    700054: Refusal(
        400, "unsupported_response_type", "response_type '{response_type}' is not enabled for the application."
    ),
    900144: Refusal(400, "invalid_request", "The request body must contain the following parameter: '{parameter}'."),
    900561: Refusal(
        400,
        "invalid_request",
        "The endpoint only accepts {accepted} requests. Received a {received} request.",
        on_page=True,
    ),
    9002313: Refusal(400, "invalid_request", "Invalid request. Request is malformed or invalid."),
}

_BUSY = "temporarily_unavailable"

TROUBLE: Refusals = {
    50033: Refusal(503, _BUSY, "A transient error has occurred. Please try again."),
    50196: Refusal(
        400,
        "invalid_grant",
        "The server terminated an operation because it encountered a client request loop. Please contact your app "
        "vendor.",
    ),
    90006: Refusal(503, _BUSY, "The service is temporarily unavailable. Please retry later."),
    90012: Refusal(503, _BUSY, "The request has timed out."),
    90024: Refusal(503, _BUSY, "A transient error has occurred: the request took too long. Please try again."),
    90033: Refusal(503, _BUSY, "A transient error has occurred. Please try again."),
    90055: Refusal(429, _BUSY, "There are too many incoming requests. Please retry later."),
}
