"""The steps that ask the sign-in service: is it there, does it know the tenant, does it take the credentials?

They look at a registration alone, so that new values can be checked before they are saved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.errors import AppRefused, TokenError, TokenUnavailable
from flask_ms365.identity.advice import Advice, said
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.credentials import FederatedToken
from flask_ms365.identity.discovery import Answer, fetch
from flask_ms365.identity.keys import is_issuer_of
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import prove_credentials
from flask_ms365.settings.checks import ANY_TENANT
from flask_ms365.words import Words

_CLOCK_IS_OFF, _CLOCK_IS_WRONG = 60, 300  # seconds; a token is valid from now on, give or take a minute

_SET_CLOCK = Words("Set this server's clock, best by NTP. Tokens and sign-ins depend on it.")
_LATER = Words("Try again in a few minutes.")
_CHOOSE_CLOUD = Words("Choose the right Microsoft cloud on the settings page.")
_THE_OLD_SERVES = {
    "secret": Words("The new client secret does not work; the one it replaced still serves."),
    "certificate": Words("Microsoft does not take the new certificate yet; the one it replaced still serves."),
}
_TAKEN = {
    "secret": Words("Microsoft takes client ID and client secret."),
    "certificate": Words("Microsoft takes client ID and client certificate."),
    "federated": Words("Microsoft takes client ID and federated token."),
}
_CLAIMS = (("iss", Words("Issuer")), ("sub", Words("Subject")), ("aud", Words("Audience")))


@dataclass(frozen=True)
class _TenantDocument:
    issuer: str
    msgraph_host: str = ""


def reach(authority: str, clock: Callable[[], datetime]) -> Outcome:
    """Read a document that is there for everybody, and compare clocks."""
    host = urlsplit(authority).netloc
    try:
        answer = fetch(f"{authority}/common/v2.0/.well-known/openid-configuration")
    except TokenUnavailable as exc:
        return failed(exc.words, Words("Let this server reach %(host)s over https.", host=host))
    if answer.status >= 500:
        return warning(Words("%(host)s answered %(status)s.", host=host, status=answer.status), _LATER)
    return _interception(answer, host) or _clock(answer, host, clock())


def tenant(registration: AppRegistration) -> Outcome:
    """Read the tenant's own document: does it exist, and is it in the chosen cloud?"""
    try:
        document = fetch(registration.discovery_url).decode(_TenantDocument)
    except TokenUnavailable as exc:
        return refused(exc)
    if document.msgraph_host not in ("", _graph_host(registration.cloud)):
        return _in_another_cloud(document.msgraph_host)
    if not is_issuer_of(registration, document.issuer):
        next_step = Words("Does MS365_AUTHORITY_URL, or a proxy, lead to another sign-in service?")
        details = ((Words("Issuer"), document.issuer),)
        return failed(Words("The sign-in service names another issuer than expected."), next_step, details=details)
    if registration.tenant in ANY_TENANT:
        return passed(Words("%(tenant)s: accounts of any tenant may sign in.", tenant=registration.tenant))
    return passed(registration.tenant)


def credentials(registration: AppRegistration) -> Outcome:
    """Ask for an app-only token with the newest credential; where that fails, see whether the one before it serves."""
    if registration.tenant in ANY_TENANT:
        return not_checked(Words("Name your tenant: Microsoft checks credentials only for one tenant."))
    try:
        prove_credentials(replace(registration, previous=None))
    except AppRefused as exc:
        return _told_of(registration, _with_the_old_one(registration, refused(exc)))
    except TokenError as exc:
        return refused(exc)
    return passed(_TAKEN[registration.credential.kind] if registration.credential else "")


def refused(error: TokenError) -> Outcome:
    """Return what an error of the sign-in service says; its own trouble is a warning, all else wants a person."""
    advice = error.advice
    if not isinstance(advice, Advice):  # nobody was asked, or somebody else answered
        return (
            failed(error.words, endpoint="settings") if isinstance(error, AppRefused) else warning(error.words, _LATER)
        )
    is_transient = error.error in {"temporarily_unavailable", "server_error"}
    return (warning if is_transient else failed)(
        advice.message,
        advice.next_step,
        page=advice.page,
        endpoint="settings",
        code=advice.code,
        look_up=advice.look_up,
        trace=advice.trace,
        details=_details(error.error, advice),
    )


def _interception(answer: Answer, host: str) -> Outcome | None:
    """Notice what stands between: the sign-in page of a network, a proxy that wants a password, a redirect."""
    try:
        answer.decode(dict[str, Any])
    except TokenUnavailable as exc:
        if exc.advice is None:
            said = Words(
                "Something else answered in the place of %(host)s (HTTP %(status)s).", host=host, status=answer.status
            )
            next_step = Words(
                "Let this server reach %(host)s without a proxy or firewall that answers itself.", host=host
            )
            return failed(said, next_step)
    return None


def _clock(answer: Answer, host: str, now: datetime) -> Outcome:
    off = abs(round((now - answer.date).total_seconds())) if answer.date else 0
    took = round(answer.seconds * 1000)
    said = Words("%(host)s in %(took)s ms, clock %(off)s s off", host=host, took=took, off=off)
    if off >= _CLOCK_IS_WRONG:
        return failed(said, _SET_CLOCK)
    return warning(said, _SET_CLOCK) if off >= _CLOCK_IS_OFF else passed(said)


def _in_another_cloud(graph_host: str) -> Outcome:
    homes = [cloud.label for key, cloud in CLOUDS.items() if _graph_host(key) == graph_host]
    next_step = Words("Choose %(cloud)s as Microsoft cloud.", cloud=homes[0]) if homes else _CHOOSE_CLOUD
    details = ((Words("Microsoft Graph of the tenant"), graph_host),)
    return failed(Words("The tenant is in another Microsoft cloud."), next_step, endpoint="settings", details=details)


def _told_of(registration: AppRegistration, outcome: Outcome) -> Outcome:
    """Add what a federated token says of itself: what Entra has registered must match it, letter by letter."""
    credential = registration.credential
    if not isinstance(credential, FederatedToken):
        return outcome
    claims = credential.claims
    shown = tuple((label, said(str(claims[name]))) for name, label in _CLAIMS if name in claims)
    return replace(outcome, details=(*shown, *outcome.details))


def _with_the_old_one(registration: AppRegistration, outcome: Outcome) -> Outcome:
    if registration.previous is None:
        return outcome
    try:
        prove_credentials(registration)
    except TokenError:
        return outcome
    return replace(outcome, state="warning", message=_THE_OLD_SERVES[registration.previous.kind])


def _details(error: str, advice: Advice) -> tuple[tuple[str, str], ...]:
    """Return what support will ask for."""
    found = (
        (Words("Error"), error),
        (Words("AADSTS code"), advice.code),
        (Words("Trace ID"), advice.trace),
        (Words("Correlation ID"), advice.correlation),
        (Words("Time"), advice.timestamp),
        (Words("Microsoft said"), advice.said),
    )
    return tuple((label, value) for label, value in found if value)


def _graph_host(cloud: str) -> str:
    return urlsplit(CLOUDS[cloud].graph).netloc
