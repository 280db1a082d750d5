"""Fault 53: access that ends in mid sync. What is stored stays, the report says why, and the rest comes later."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from flask_ms365.models import Mailbox
from flask_ms365.simulator import App, User
from flask_ms365.sync.report import Result, RunReport
from tests.conftest import Clock
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, in_mid_sync, on_sqlite, rows

pytestmark = on_sqlite


def _interrupted(synced: Synced, end_access: Callable[[], object]) -> RunReport:
    """Store some mail, and some more until access ends."""
    deliver(synced, 3, "archive")
    synced.sync()
    deliver(synced, 20)
    in_mid_sync(synced, end_access)
    return synced.run()


def _goes_on(synced: Synced, clock: Clock) -> None:
    """What was stored is still there, nothing is taken for removed, and the rest comes."""
    assert len(rows(synced)) >= 3
    assert [subject for subject, row in rows(synced).items() if row.removed_at] == []
    told = len(synced.told)
    clock.advance(hours=3)
    synced.sync()
    assert synced.differences() == []
    assert len(synced.told) >= told
    assert len(synced.told) == 23


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ErrorAccessDenied", "Access is denied. Check credentials and try again."),
        ("ErrorAccessDenied", "Access to OData is disabled."),
        ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    ],
)
def test_consent_that_is_withdrawn_is_a_failure_that_says_so(
    synced: Synced, clock: Clock, code: str, message: str
) -> None:
    """Fault 53, 403 for everything."""
    report = _interrupted(synced, lambda: synced.mailbox.fail(403, code, message, times=None))
    assert (report.result, report.error_code) == (Result.FAILED, code)

    synced.mailbox.stop_failing()
    _goes_on(synced, clock)


@pytest.mark.parametrize("code", ["MailboxNotEnabledForRESTAPI", "ErrorInvalidUser", "ResourceNotFound"])
def test_a_mailbox_that_is_not_there_has_not_lost_its_mail(synced: Synced, clock: Clock, code: str) -> None:
    """Fault 53, 404 for everything: no folder is taken for deleted."""
    report = _interrupted(synced, lambda: synced.mailbox.fail(404, code, times=None))
    assert (report.result, report.error_code) == (Result.FAILED, code)

    synced.mailbox.stop_failing()
    _goes_on(synced, clock)


def test_a_mailbox_without_licence_is_a_failure_that_says_so(synced: Synced, clock: Clock, ana: User) -> None:
    """Fault 53, the licence is taken away, and given back."""

    def licence(is_there: bool) -> None:
        ana.has_mailbox = is_there

    report = _interrupted(synced, lambda: licence(False))
    assert (report.result, report.error_code) == (Result.FAILED, "MailboxNotEnabledForRESTAPI")

    licence(True)
    _goes_on(synced, clock)


def _sign_in_again(synced: Synced, ana: User) -> None:
    with synced.host.app.app_context():
        synced.session.execute(update(Mailbox).values(state="connected"))
        synced.session.commit()
    synced.host.visitor().connect(ana)


def test_a_disabled_user_must_sign_in_again(synced: Synced, ana: User) -> None:
    """Fault 53, user disabled: the token is refused, and no new one is given."""

    def disable() -> None:
        ana.is_enabled = False
        synced.simulator.expire_access_tokens()

    report = _interrupted(synced, disable)
    assert report.result is Result.SIGN_IN_NEEDED
    assert len(rows(synced)) >= 3
    assert [row for row in rows(synced).values() if row.removed_at] == []


def test_consent_that_is_withdrawn_from_the_app_is_asked_for_again(synced: Synced, registration: App) -> None:
    """Fault 53, consent withdrawn: Microsoft says so when the token is renewed."""

    def withdraw() -> None:
        registration.withdraw_consent()
        synced.simulator.expire_access_tokens()

    report = _interrupted(synced, withdraw)
    assert report.result in (Result.SIGN_IN_NEEDED, Result.APP_REFUSED)
    assert [row for row in rows(synced).values() if row.removed_at] == []


def test_a_challenge_that_a_new_token_meets_costs_nothing(synced: Synced, ana: User) -> None:
    """Fault 53, conditional access: one refusal for claims, one new token, and the run goes on."""
    report = _interrupted(synced, lambda: synced.simulator.challenge(ana))
    assert (report.result, report.error) == (Result.DONE, "")
    assert synced.differences() == []
    assert len(synced.told) == 23


def test_a_challenge_that_takes_a_person_asks_for_one(synced: Synced, ana: User) -> None:
    """Fault 53, conditional access: the sign-in itself has ended."""

    def challenge() -> None:
        synced.simulator.challenge(ana)
        synced.simulator.revoke(ana)

    report = _interrupted(synced, challenge)
    assert report.result is Result.SIGN_IN_NEEDED
    assert [row for row in rows(synced).values() if row.removed_at] == []

    _sign_in_again(synced, ana)
    synced.sync()
    assert synced.differences() == []
