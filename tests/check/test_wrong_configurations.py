"""What an admin can get wrong, row by row, and that the check names it: by the right step, and by no other."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from flask_ms365.check import Outcome, StepResult
from flask_ms365.crypto import generate_key
from flask_ms365.settings import USE_DEFAULT
from flask_ms365.simulator import Simulator
from tests.check.arrange import (
    Arrange,
    another_tenant,
    client_id_pasted_twice,
    consent_withdrawn,
    days_from_now,
    first_secret_is_wrong,
    gcc_high_instead_of_dod,
    graph_is_blocked,
    half_a_secret,
    mistyped_secret,
    no_mailbox_any_more,
    registered,
    restarted,
    settings,
    sign_in_of_a_disabled_user,
    sign_in_revoked,
    silent_worker,
    single_tenant_app_elsewhere,
    sync_without_worker,
    tenant_of_another_cloud,
    tenant_of_china,
)
from tests.check.conftest import Desk, look, states


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A wrong configuration. ``step`` names it by ``says``: Microsoft's code, or words.

    ``also`` are the steps after it that see the same and may say so.
    """

    name: str
    arrange: Arrange
    step: str
    says: str
    state: str = "failed"
    also: tuple[str, ...] = ()


WRONG = (
    # the address of the app
    Wrong(
        name="nobody has said what the public address is",
        arrange=restarted(MS365_PUBLIC_BASE_URL=None),
        step="address",
        says="only a guess",
    ),
    Wrong(
        name="the public address is plain http",
        arrange=restarted(MS365_PUBLIC_BASE_URL="http://app.contoso.example"),
        step="address",
        says="accepts only https",
    ),
    Wrong(
        name="the public address is another than the browser's",
        arrange=restarted(MS365_PUBLIC_BASE_URL="https://app.contoso.example"),
        step="address",
        says="http://localhost",
        state="warning",
    ),
    # the settings
    Wrong(
        name="no client id",
        arrange=settings(client_id=USE_DEFAULT),
        step="settings",
        says="Application (Client) ID is missing",
    ),
    Wrong(
        name="no client secret",
        arrange=settings(client_secret=USE_DEFAULT),
        step="settings",
        says="Client Secret is missing",
    ),
    Wrong(
        name="no tenant",
        arrange=settings(tenant_id=USE_DEFAULT),
        step="settings",
        says="Directory (Tenant) ID is missing",
    ),
    Wrong(
        name="the tenant id pasted as client id",
        arrange=client_id_pasted_twice,
        step="settings",
        says="pasted twice",
        state="warning",
        also=("credentials",),
    ),
    Wrong(
        name="half of the secret pasted",
        arrange=half_a_secret,
        step="settings",
        says="Was all of it copied?",
        state="warning",
        also=("credentials",),
    ),
    Wrong(
        name="the secret ends soon",
        arrange=settings(client_secret_expires_on=days_from_now(12)),
        step="settings",
        says="expires",
        state="warning",
    ),
    Wrong(
        name="the secret has ended by its date",
        arrange=settings(client_secret_expires_on=days_from_now(-2)),
        step="settings",
        says="expired",
    ),
    # the encryption keys
    Wrong(
        name="the encryption key was lost",
        arrange=restarted(MS365_ENCRYPTION_KEYS=generate_key()),
        step="keyring",
        says="was used with the encryption key",
    ),
    Wrong(
        name="no encryption key is set",
        arrange=restarted(MS365_ENCRYPTION_KEYS=None),
        step="keyring",
        says="No encryption key is set",
    ),
    # the way to Microsoft
    Wrong(
        name="a firewall lets nothing through",
        arrange=lambda desk: desk.simulator.drop_connection(Simulator.SIGN_IN, times=None),
        step="reach",
        says="could not be reached",
    ),
    Wrong(
        name="a proxy answers in Microsoft's place",
        arrange=lambda desk: desk.simulator.intercept(Simulator.SIGN_IN, times=None),
        step="reach",
        says="in the place of",
    ),
    Wrong(
        name="a proxy sends everybody to its own sign-in page",
        arrange=lambda desk: desk.simulator.redirect_next(Simulator.SIGN_IN, "https://proxy.example/", times=None),
        step="reach",
        says="in the place of",
    ),
    Wrong(
        name="a proxy spoils the token requests alone",
        arrange=lambda desk: desk.simulator.intercept(Simulator.TOKEN, times=None),
        step="credentials",
        says="did not answer as expected",
        state="warning",
    ),
    Wrong(
        name="a proxy sends the token requests elsewhere",
        arrange=lambda desk: desk.simulator.redirect_next(Simulator.TOKEN, "https://proxy.example/", 307, times=None),
        step="credentials",
        says="did not answer as expected",
        state="warning",
    ),
    Wrong(
        name="MS365_AUTHORITY_URL names nobody",
        arrange=restarted(MS365_AUTHORITY_URL="http://127.0.0.1:9"),
        step="reach",
        says="could not be reached",
    ),
    Wrong(
        name="the clock is two minutes off",
        arrange=lambda desk: setattr(desk.simulator, "date_skew", timedelta(minutes=2)),
        step="reach",
        says="clock 1",
        state="warning",
    ),
    Wrong(
        name="the clock is twelve minutes off",
        arrange=lambda desk: setattr(desk.simulator, "date_skew", timedelta(minutes=-12)),
        step="reach",
        says="clock 7",
    ),
    Wrong(
        name="Microsoft has a bad day",
        arrange=lambda desk: desk.simulator.refuse_token(90033, times=None),
        step="credentials",
        says="Try again in a few minutes",
        state="warning",
    ),
    # the tenant and its cloud
    Wrong(
        name="a tenant that does not exist",
        arrange=settings(tenant_id=str(uuid.uuid4())),
        step="tenant",
        says="90002",
    ),
    Wrong(
        name="a mistyped domain",
        arrange=settings(tenant_id="contso.onmicrosoft.com"),
        step="tenant",
        says="90002",
    ),
    Wrong(
        name="a tenant of the US Government",
        arrange=tenant_of_another_cloud,
        step="tenant",
        says="another Microsoft cloud",
    ),
    Wrong(name="a tenant in China", arrange=tenant_of_china, step="tenant", says="90038"),
    Wrong(
        name="the US Government cloud for a tenant of the global one",
        arrange=settings(cloud="usgov"),
        step="tenant",
        says="Choose Global",
    ),
    Wrong(
        name="GCC High for a tenant of DoD",
        arrange=gcc_high_instead_of_dod,
        step="tenant",
        says="Choose US Government (DoD)",
    ),
    # the app registration and its secret
    Wrong(
        name="a client id that nobody knows",
        arrange=settings(client_id=str(uuid.uuid4())),
        step="credentials",
        says="700016",
    ),
    Wrong(
        name="the object id of the app as client id",
        arrange=lambda desk: desk.save(client_id=desk.app.object_id),
        step="credentials",
        says="700016",
    ),
    Wrong(
        name="a deleted app",
        arrange=lambda desk: desk.simulator.delete_app(desk.app),
        step="credentials",
        says="700016",
    ),
    Wrong(name="a disabled app", arrange=registered(is_enabled=False), step="credentials", says="7000112"),
    Wrong(name="the tenant of another organization", arrange=another_tenant, step="credentials", says="700016"),
    Wrong(
        name="a single-tenant app in another tenant",
        arrange=single_tenant_app_elsewhere,
        step="credentials",
        says="650059",
    ),
    Wrong(
        name="an app for personal accounts alone",
        arrange=registered(sign_in_audience="PersonalMicrosoftAccount"),
        step="credentials",
        says="9002346",
    ),
    Wrong(name="a mistyped secret", arrange=first_secret_is_wrong, step="credentials", says="7000215"),
    Wrong(
        name="an expired secret",
        arrange=lambda desk: desk.app.expire_secret(),
        step="credentials",
        says="7000222",
    ),
    Wrong(
        name="a secret that was deleted in Entra",
        arrange=lambda desk: desk.app.remove_secret(desk.app.client_secret),
        step="credentials",
        says="7000215",
    ),
    Wrong(
        name="the new secret is wrong, the old one still serves",
        arrange=mistyped_secret,
        step="credentials",
        says="the one it replaced still serves",
        state="warning",
    ),
    Wrong(name="a public client", arrange=registered(platform="public"), step="credentials", says="700025"),
    Wrong(name="a tenant without a subscription", arrange=registered(error=650052), step="credentials", says="650052"),
    # no tenant is named
    Wrong(
        name="any tenant may sign in",
        arrange=settings(tenant_id="common"),
        step="settings",
        says="the credentials cannot be checked",
        state="warning",
    ),
    # the mailbox
    Wrong(
        name="the mailbox lost its licence",
        arrange=no_mailbox_any_more,
        step="mailbox",
        says="no mailbox in Exchange Online",
    ),
    Wrong(name="Graph is blocked", arrange=graph_is_blocked, step="mailbox", says="could not be reached"),
    Wrong(name="the sign-in was revoked", arrange=sign_in_revoked, step="mailbox", says="50173"),
    Wrong(name="consent was withdrawn", arrange=consent_withdrawn, step="mailbox", says="65001"),
    Wrong(name="the user was disabled", arrange=sign_in_of_a_disabled_user, step="mailbox", says="50057"),
    # whoever looks for mail
    Wrong(name="no worker was ever started", arrange=sync_without_worker, step="worker", says="Nobody has looked"),
    Wrong(name="the worker died", arrange=silent_worker, step="worker", says="Last seen 3 h ago"),
)


def told(outcome: Outcome) -> str:
    """Return what a step says, in one line."""
    return " ".join(filter(None, (outcome.message, outcome.next_step, outcome.code)))


def named(results: Iterable[StepResult]) -> dict[str, Outcome]:
    """Return the steps that are not well."""
    return {each.name: each.outcome for each in results if each.outcome.state in {"failed", "warning"}}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_the_check_names_it(desk: Desk, wrong: Wrong) -> None:
    wrong.arrange(desk)
    found = named(look(desk.host))
    assert [*found] == [wrong.step, *wrong.also]
    outcome = found[wrong.step]
    assert (outcome.state, wrong.says in told(outcome)) == (wrong.state, True), told(outcome)


def test_a_right_configuration_is_well(desk: Desk) -> None:
    desk.save(email_sync="1")
    desk.connect()
    desk.tick()
    assert set(states(look(desk.host)).values()) == {"passed"}
