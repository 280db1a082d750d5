"""What Microsoft's refusals mean and what to do about them: one row a code, grouped by who can mend it."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ms365.words import Words


@dataclass(frozen=True)
class Row:
    """What happened, what to do, and where in Entra: a key of ``portal.PAGES``, or empty."""

    message: str
    next_step: str
    page: str = ""


_NEW_SECRET = Words("Create a new client secret in Entra and paste its Value on the settings page.")
_CERTIFICATE = Words("Upload the matching certificate to the app in Entra.")
_WEB_PLATFORM = Words("In Entra, Authentication, register the redirect URI under the platform Web.")
_COPY_URI = Words("Copy the redirect URI from the settings page into Entra, Authentication, Web.")
_ENABLE = Words("Enable sign-in of the app in Entra under Enterprise applications, Properties.")
_TENANT = Words("Correct the Directory (Tenant) ID on the settings page.")
_OWN_TENANT = Words("Enter the ID of one tenant as Directory (Tenant) ID on the settings page.")
_CLOUD = Words("Choose the right cloud on the settings page.")
_ADD_PERMISSIONS = Words("Add the permissions of the setup guide to the app in Entra, then grant admin consent.")
_CONSENT_LINK = Words("Send the admin-consent link of the setup guide to a Microsoft 365 admin, then try again.")
_SIGN_IN = Words("Sign in again.")
_SECOND_FACTOR = Words("Sign in again and finish what Microsoft asks for.")
_POLICY = Words("Ask the Microsoft 365 admin which Conditional Access policy applies to this account and this app.")
_DEVICE = Words(
    "Sign in from a device that your organisation manages, or ask the Microsoft 365 admin for an exception."
)
_OTHER_ACCOUNT = Words("Sign in with an account of the tenant in the settings.")
_ASK_ADMIN = Words("Ask the Microsoft 365 admin of your organisation.")
_PASSWORD = Words("Set a new password at Microsoft, then sign in again.")
_LATER = Words("Try again in a few minutes. Nothing was lost.")
_AGAIN = Words("Start the sign-in again from the page where you began.")
_REPORT = Words("This is a mistake in the program. Please report it with the details below.")

_OUT_OF_TIME = Words("The signed request was outside its time of validity.")
_CLOCK = Words(
    "Set the clock of the server right. With a federated credential, see that the file of its token is kept fresh."
)

_EXPIRED = Words("The sign-in has expired.")
_OTHER_CLOUD = Words("The tenant belongs to another Microsoft cloud.")
_SPA = Words("The redirect URI is registered for a single-page app.")
_BAD_SCOPE = Words("Microsoft did not understand which permissions were asked for.")
_BUSY = Words("Microsoft's sign-in service is busy.")
_NOT_THIS_TENANT = Words("This kind of sign-in needs one named tenant instead of common or consumers.")

TABLE: dict[str, Row] = {
    # the credentials of the app
    "7000215": Row(
        Words("The client secret is wrong."),
        Words("Paste the Value of a client secret, not its Secret ID, on the settings page."),
        "secrets",
    ),
    "7000222": Row(Words("The client secret has expired."), _NEW_SECRET, "secrets"),
    "7000218": Row(
        Words("Microsoft expected a client secret."),
        Words("Enter the client secret on the settings page, and register the redirect URI under the platform Web."),
        "authentication",
    ),
    "700025": Row(
        Words("The app is registered as a public client, which may not send a secret."), _WEB_PLATFORM, "authentication"
    ),
    "700027": Row(Words("Microsoft could not verify the signature of the certificate."), _CERTIFICATE, "secrets"),
    "50048": Row(Words("The signed request names another app than the one that signed it."), _CERTIFICATE, "secrets"),
    "700030": Row(Words("The subject of the certificate is not allowed for this app."), _CERTIFICATE, "secrets"),
    "70021": Row(
        Words("No federated credential of the app matches the token."),
        Words(
            "Compare issuer, subject and audience below with Entra, Certificates & secrets, Federated credentials: "
            "they must be the same, letter case included."
        ),
        "secrets",
    ),
    "50013": Row(_OUT_OF_TIME, _CLOCK),
    "500133": Row(_OUT_OF_TIME, _CLOCK),
    "700024": Row(_OUT_OF_TIME, _CLOCK),
    # the registration of the app
    "7000112": Row(Words("The app is disabled in Entra."), _ENABLE, "enterprise_apps"),
    "70001": Row(Words("The app is disabled in this tenant, or was never allowed in it."), _ENABLE, "enterprise_apps"),
    "700016": Row(
        Words("Microsoft does not know this client ID in this tenant."),
        Words("Compare client ID, tenant and cloud on the settings page with the app's Overview in Entra."),
        "apps",
    ),
    "90112": Row(
        Words("The client ID is not an ID."),
        Words("Copy the Application (client) ID from the app's Overview in Entra into the settings page."),
        "apps",
    ),
    "650059": Row(
        Words("The app is meant for another organisation."),
        Words("Enter the app's home tenant on the settings page, or make the app multi-tenant in Entra."),
        "authentication",
    ),
    "50194": Row(
        Words("The app is for one tenant only."),
        Words("Enter that tenant's ID instead of common on the settings page."),
        "tenant",
    ),
    "9002346": Row(
        Words("The app is for personal Microsoft accounts only."),
        Words("In Entra, Authentication, let accounts of your organisation use the app, or register another one."),
        "authentication",
    ),
    "90002": Row(Words("Microsoft does not know this tenant."), _TENANT, "tenant"),
    "900023": Row(Words("The tenant is neither an ID nor a domain."), _TENANT, "tenant"),
    "9001023": Row(_NOT_THIS_TENANT, _OWN_TENANT, "tenant"),
    "90124": Row(_NOT_THIS_TENANT, _OWN_TENANT, "tenant"),
    "90130": Row(_NOT_THIS_TENANT, _OWN_TENANT, "tenant"),
    "90027": Row(Words("Personal Microsoft accounts cannot be used this way."), _OWN_TENANT, "tenant"),
    "9002332": Row(
        Words("The app is for work accounts only, and consumers names personal ones."), _OWN_TENANT, "tenant"
    ),
    "90038": Row(_OTHER_CLOUD, _CLOUD),
    "900382": Row(_OTHER_CLOUD, _CLOUD),
    "900432": Row(_OTHER_CLOUD, _CLOUD),
    # the redirect URI
    "50011": Row(Words("The redirect URI is not registered."), _COPY_URI, "authentication"),
    "500113": Row(Words("No redirect URI is registered."), _COPY_URI, "authentication"),
    "900971": Row(Words("The app has no address to come back to."), _COPY_URI, "authentication"),
    "9002325": Row(_SPA, _WEB_PLATFORM, "authentication"),
    "9002326": Row(_SPA, _WEB_PLATFORM, "authentication"),
    "9002327": Row(_SPA, _WEB_PLATFORM, "authentication"),
    # permissions and consent
    "65001": Row(Words("Nobody has agreed to this app reading mail yet."), _CONSENT_LINK, "permissions"),
    "65004": Row(
        Words("The permissions were declined."), Words("Connect again and choose Accept. Nothing was stored.")
    ),
    "90094": Row(Words("An admin must approve this app."), _CONSENT_LINK, "permissions"),
    "90095": Row(
        Words("An admin was asked to approve this app."),
        Words("Try again once they did. The admin-consent link of the setup guide is the quickest way to do it."),
        "permissions",
    ),
    "90093": Row(Words("Your organisation does not let you approve this app."), _CONSENT_LINK, "permissions"),
    "90008": Row(Words("The app lacks the permission to sign people in."), _ADD_PERMISSIONS, "permissions"),
    "650056": Row(Words("The app asks for no permission in its registration."), _ADD_PERMISSIONS, "permissions"),
    "650057": Row(Words("The app's registration does not list what it asks for."), _ADD_PERMISSIONS, "permissions"),
    "650052": Row(
        Words("Your organisation has no subscription for the service that the app needs."),
        Words("Check that the tenant has Exchange Online, then grant admin consent again."),
        "permissions",
    ),
    "500011": Row(
        Words("Microsoft Graph is not known in this tenant."),
        Words("Check the tenant and the cloud on the settings page."),
        "tenant",
    ),
    "70011": Row(_BAD_SCOPE, _REPORT),
    "28002": Row(_BAD_SCOPE, _REPORT),
    "28003": Row(Words("Microsoft missed the permissions in the request."), _REPORT),
    "700022": Row(Words("Permissions of two services were asked for at once."), _REPORT),
    "700023": Row(Words("The permissions in the request belong to no service."), _REPORT),
    # a second factor
    "50076": Row(Words("Microsoft wants a second factor."), _SECOND_FACTOR),
    "50074": Row(Words("The second factor was not given."), _SECOND_FACTOR),
    "50079": Row(Words("Microsoft wants a second factor to be set up."), _SECOND_FACTOR),
    "50072": Row(Words("Microsoft wants a second factor to be registered for this account."), _SECOND_FACTOR),
    "50078": Row(Words("The second factor was given too long ago."), _SECOND_FACTOR),
    "50158": Row(Words("Your organisation asks for one more proof of who you are."), _SECOND_FACTOR),
    # policies of the organisation
    "53000": Row(Words("A Conditional Access policy wants a managed device."), _DEVICE, "conditional_access"),
    "53001": Row(Words("A Conditional Access policy wants a device of the domain."), _DEVICE, "conditional_access"),
    "53002": Row(Words("A Conditional Access policy allows approved apps only."), _POLICY, "conditional_access"),
    "53003": Row(Words("A Conditional Access policy blocked the sign-in."), _POLICY, "conditional_access"),
    "53004": Row(
        Words("Microsoft blocked the setting up of a second factor, since the sign-in looked risky."),
        _ASK_ADMIN,
        "conditional_access",
    ),
    "530032": Row(Words("A security policy of your organisation blocked the sign-in."), _POLICY, "conditional_access"),
    "530035": Row(
        Words("The security defaults of your organisation blocked the sign-in."), _ASK_ADMIN, "conditional_access"
    ),
    "50131": Row(Words("A Conditional Access policy was not met."), _POLICY, "conditional_access"),
    "50005": Row(
        Words("A Conditional Access policy does not allow this kind of device."), _DEVICE, "conditional_access"
    ),
    "50097": Row(Words("Microsoft wants the device to prove itself."), _DEVICE, "conditional_access"),
    # the account
    "50105": Row(
        Words("This account is not assigned to the app."),
        Words("Assign it in Entra under Enterprise applications, Users and groups."),
        "enterprise_apps",
    ),
    "50057": Row(Words("This account is disabled."), Words("Use another account, or ask the Microsoft 365 admin.")),
    "50034": Row(Words("Microsoft does not know this account in this tenant."), _OTHER_ACCOUNT),
    "51004": Row(Words("This account is not in the tenant's directory."), _OTHER_ACCOUNT),
    "50020": Row(Words("This account belongs to another tenant."), _OTHER_ACCOUNT),
    "90072": Row(Words("This account is not a guest of the tenant."), _OTHER_ACCOUNT),
    "50053": Row(Words("This account is locked."), Words("Wait a while, or ask the Microsoft 365 admin.")),
    "50126": Row(Words("User name or password is wrong."), _SIGN_IN),
    "50055": Row(Words("The password of this account has expired."), _PASSWORD),
    "50144": Row(Words("The password of this account has expired in its own directory."), _PASSWORD),
    # the sign-in and its tokens
    "50173": Row(Words("The sign-in was revoked, for example because the password changed."), _SIGN_IN),
    "70008": Row(_EXPIRED, _SIGN_IN),
    "700082": Row(Words("The sign-in was not used for 90 days."), _SIGN_IN),
    "70043": Row(
        Words("A sign-in frequency policy ended the sign-in."),
        Words("Sign in again. To stay connected, have the Microsoft 365 admin exclude this app from the policy."),
        "conditional_access",
    ),
    "700084": Row(
        Words("The sign-in was made for a single-page app and ends after 24 hours."), _WEB_PLATFORM, "authentication"
    ),
    "50089": Row(Words("The sign-in took too long."), _AGAIN),
    "54005": Row(Words("This sign-in was finished already."), Words("If the mailbox is not connected, connect again.")),
    "70000": Row(Words("Microsoft no longer accepts this sign-in."), _SIGN_IN),
    "700005": Row(Words("The sign-in was made in another tenant."), _OTHER_ACCOUNT),
    "501481": Row(Words("The sign-in was finished by another program than began it."), _AGAIN),
    "9002313": Row(Words("Microsoft could not read the request."), _AGAIN),
    "900144": Row(Words("Microsoft missed something in the request."), _REPORT),
    "90014": Row(Words("Microsoft missed a field in the request."), _REPORT),
    "900561": Row(
        Words("An old page of the sign-in was opened again."), Words("If the mailbox is not connected, connect again.")
    ),
    # Microsoft itself
    "50196": Row(Words("Too many identical sign-ins in a short time."), Words("Wait ten minutes, then try again.")),
    "90033": Row(_BUSY, _LATER),
    "90024": Row(_BUSY, _LATER),
    "50033": Row(_BUSY, _LATER),
    "90006": Row(_BUSY, _LATER),
    "90012": Row(Words("Microsoft's sign-in service took too long."), _LATER),
    "90055": Row(Words("Microsoft asked this tenant to slow down."), _LATER),
}

# OAuth error -> the same, where the code is unknown
BY_ERROR: dict[str, Row] = {
    "access_denied": Row(Words("The sign-in was declined."), Words("Connect again and accept the permissions.")),
    "permission_denied": Row(Words("The admin declined the permissions."), _CONSENT_LINK),
    "consent_required": Row(Words("Consent is missing."), _CONSENT_LINK, "permissions"),
    "interaction_required": Row(Words("Microsoft wants you to sign in again."), _SIGN_IN),
    "login_required": Row(Words("Microsoft wants you to sign in."), _SIGN_IN),
    "invalid_client": Row(
        Words("Microsoft refused the client ID or secret."), Words("Check both on the settings page."), "secrets"
    ),
    "unauthorized_client": Row(
        Words("Microsoft refused the app registration."),
        Words("Check client ID and tenant on the settings page."),
        "apps",
    ),
    "invalid_grant": Row(Words("Microsoft no longer accepts this sign-in."), _SIGN_IN),
    "invalid_scope": Row(_BAD_SCOPE, _REPORT),
    "invalid_tenant": Row(Words("Microsoft does not know this tenant."), _TENANT, "tenant"),
    "temporarily_unavailable": Row(_BUSY, _LATER),
    "server_error": Row(Words("Microsoft's sign-in service is out of order."), _LATER),
}
