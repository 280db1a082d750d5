"""AADSTS errors about how an app proves that it is the app: secrets, certificates, federated credentials."""

from __future__ import annotations

from .refusal import Refusal, Refusals

CREDENTIALS: Refusals = {
    50013: Refusal(401, "invalid_client", "Assertion failed signature validation or is outside its validity period."),
    50048: Refusal(401, "invalid_client", "Subject must match Issuer claim in the client assertion."),
    70021: Refusal(
        401,
        "unauthorized_client",
        "No matching federated identity record found for presented assertion.",
    ),
    500133: Refusal(401, "invalid_client", "Assertion is not within its valid time range."),
    700024: Refusal(401, "invalid_client", "Client assertion is not within its valid time range."),
    700025: Refusal(
        401,
        "invalid_client",
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    ),
    700027: Refusal(
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is {state} on application. "
        "[Reason - {reason}]",
    ),
    700030: Refusal(401, "invalid_client", "Invalid certificate - subject name in certificate is not authorized."),
    7000215: Refusal(
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the client secret ID, for a secret added to app '{client_id}'.",
    ),
    7000216: Refusal(
        401,
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
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
}
