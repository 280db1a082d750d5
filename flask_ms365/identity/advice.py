"""What an AADSTS code means for an admin, and what to do about it.

Microsoft asks that nobody decides by these numbers, since they change: they only choose the words here. What the code
does is decided by the OAuth ``error``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CODE = re.compile(r"AADSTS(\d{4,8})")
_TRACE = re.compile(r"(?:Correlation|Trace) ID:\s*([0-9a-f-]{8,36})", re.IGNORECASE)

_NEW_SECRET = "Create a new client secret in Entra and paste its Value on the settings page."
_SIGN_IN = "Sign in again."
_ASK_ADMIN = "Ask a Microsoft 365 admin of your organisation to approve this app, then try again."
_TENANT = "Correct the Directory (Tenant) ID on the settings page."
_WEB_PLATFORM = "In Entra, Authentication, register the redirect URI under the platform Web."
_POLICY = "Ask the Microsoft 365 admin which Conditional Access policy applies to this account."

# code -> (what happened, what to do)
_TABLE: dict[str, tuple[str, str]] = {
    "7000215": ("The client secret is wrong.", "Paste the Value of a client secret, not its Secret ID."),
    "7000222": ("The client secret has expired.", _NEW_SECRET),
    "7000218": ("Microsoft expected a client secret.", _WEB_PLATFORM),
    "700025": ("The app is registered as a public client.", _WEB_PLATFORM),
    "9002325": ("The redirect URI is registered for a single-page app.", _WEB_PLATFORM),
    "9002326": ("The redirect URI is registered for a single-page app.", _WEB_PLATFORM),
    "700016": ("Microsoft does not know this client ID in this tenant.", "Check client ID, tenant and cloud."),
    "7000112": ("The app is disabled in Entra.", "Enable sign-in under Enterprise applications."),
    "650059": ("The app belongs to another organisation.", "Use its home tenant, or make the app multi-tenant."),
    "50194": ("The app is for one tenant only.", "Enter that tenant's ID instead of common on the settings page."),
    "90002": ("Microsoft does not know this tenant.", _TENANT),
    "900023": ("The tenant is neither an ID nor a domain.", _TENANT),
    "90038": ("The tenant belongs to another Microsoft cloud.", "Choose the right cloud on the settings page."),
    "900382": ("The tenant belongs to another Microsoft cloud.", "Choose the right cloud on the settings page."),
    "900432": ("The tenant belongs to another Microsoft cloud.", "Choose the right cloud on the settings page."),
    "50011": ("The redirect URI is not registered.", "Copy it from the settings page into Entra, Authentication, Web."),
    "500113": ("No redirect URI is registered.", "Copy it from the settings page into Entra, Authentication, Web."),
    "65001": ("Nobody has agreed to this app reading mail yet.", "Sign in again and accept, or ask an admin to."),
    "65004": ("The permissions were declined.", "Connect again and choose Accept. Nothing was stored."),
    "90094": ("An admin must approve this app.", _ASK_ADMIN),
    "90095": ("An admin was asked to approve this app.", "Try again once they did."),
    "90093": ("Your organisation does not let you approve this app.", _ASK_ADMIN),
    "50076": ("Microsoft wants a second factor.", _SIGN_IN),
    "50079": ("Microsoft wants a second factor to be set up.", _SIGN_IN),
    "50105": ("This account is not assigned to the app.", "Assign it under Enterprise applications, Users and groups."),
    "50057": ("This account is disabled.", "Use another account, or ask the Microsoft 365 admin."),
    "50034": ("Microsoft does not know this account in this tenant.", "Use an account of the tenant in the settings."),
    "50020": ("This account belongs to another tenant.", "Use an account of the tenant in the settings."),
    "50053": ("This account is locked.", "Wait a while, or ask the Microsoft 365 admin."),
    "50126": ("User name or password is wrong.", _SIGN_IN),
    "50173": ("The sign-in was revoked, for example because the password changed.", _SIGN_IN),
    "700082": ("The sign-in was not used for 90 days.", _SIGN_IN),
    "70008": ("The sign-in has expired.", _SIGN_IN),
    "70043": ("A sign-in frequency policy ended the sign-in.", _SIGN_IN),
    "54005": ("This sign-in was finished already.", "If the mailbox is not connected, connect again."),
    "70000": ("Microsoft no longer accepts this sign-in.", _SIGN_IN),
    "53003": ("A Conditional Access policy blocked the sign-in.", _POLICY),
    "53000": ("A Conditional Access policy wants a managed device.", _POLICY),
    "90033": ("Microsoft's sign-in service is busy.", "Try again in a few minutes."),
    "50196": ("Too many identical sign-ins in a short time.", "Wait ten minutes, then try again."),
}

# OAuth error -> the same, where the code is unknown
_BY_ERROR: dict[str, tuple[str, str]] = {
    "access_denied": ("The sign-in was declined.", "Connect again and accept the permissions."),
    "consent_required": ("Consent is missing.", _ASK_ADMIN),
    "interaction_required": ("Microsoft wants you to sign in again.", _SIGN_IN),
    "invalid_client": ("Microsoft refused the client ID or secret.", "Check both on the settings page."),
    "unauthorized_client": ("Microsoft refused the app registration.", "Check client ID and tenant."),
    "invalid_grant": ("Microsoft no longer accepts this sign-in.", _SIGN_IN),
    "temporarily_unavailable": ("Microsoft's sign-in service is busy.", "Try again in a few minutes."),
    "server_error": ("Microsoft's sign-in service is out of order.", "Try again in a few minutes."),
}


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Plain words for a failure, a next step, and what support at Microsoft will ask for."""

    message: str
    next_step: str
    code: str
    trace: str


def advise(error: str, description: str) -> Advice:
    """Return advice for an OAuth error; Microsoft's own text is only searched, never shown."""
    found, trace = _CODE.search(description), _TRACE.search(description)
    code = found.group(1) if found else ""
    words = _TABLE.get(code) or _BY_ERROR.get(error) or _unknown(code)
    return Advice(message=words[0], next_step=words[1], code=code, trace=trace.group(1) if trace else "")


def _unknown(code: str) -> tuple[str, str]:
    look_up = f"Look it up at https://login.microsoftonline.com/error?code={code}" if code else _SIGN_IN
    return "Microsoft refused the sign-in.", look_up
