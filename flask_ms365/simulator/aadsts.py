"""The AADSTS errors, by number.

Numbers and meanings are Microsoft's. Texts are as its servers print them where that is known, else in our own words.
"""

from __future__ import annotations

from .aadsts_accounts import ACCOUNTS, POLICIES
from .aadsts_apps import APPS, REDIRECT_URIS, TENANTS
from .aadsts_consent import CONSENT, SCOPES
from .aadsts_credentials import CREDENTIALS
from .aadsts_grants import GRANTS, REQUESTS, TROUBLE
from .refusal import Refusals

AADSTS: Refusals = {
    **TENANTS,
    **APPS,
    **REDIRECT_URIS,
    **CREDENTIALS,
    **CONSENT,
    **SCOPES,
    **ACCOUNTS,
    **POLICIES,
    **GRANTS,
    **REQUESTS,
    **TROUBLE,
}
