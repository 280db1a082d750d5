"""While a client secret is replaced, mail goes on: the new one is tried first, the old one serves until it works."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from flask_ms365.errors import AppRefused, TokenUnavailable
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import prove_credentials
from flask_ms365.models import Setting
from flask_ms365.simulator import App, Simulator
from flask_ms365.sync.report import Result
from tests.conftest import Host
from tests.identity.conftest import CONNECTED, SignInBegun, come_back, session_of

TOKEN = r"/oauth2/v2\.0/token$"
WRONG, WRONG_TOO = "canary-wrong8Q~never.shown_anywhere", "canary-wrong9Q~never.shown_anywhere"


def replace_secret(host: Host, secret: str) -> None:
    with host.app.app_context():
        host.ms365.settings.save({"client_secret": secret}, actor="ana")


def previous(host: Host) -> str | None:
    """Return the old secret as it is stored."""
    with host.app.app_context():
        row: Setting = session_of(host).get_one(Setting, "client_secret")
        return row.previous


def registered(host: Host) -> AppRegistration:
    with host.app.app_context():
        registration: AppRegistration = host.app.extensions["ms365.state"].registration()
        return registration


def prove(host: Host) -> None:
    registration = registered(host)
    with host.app.app_context():
        prove_credentials(registration)


def sync(host: Host, simulator: Simulator) -> Result:
    """Sync with a token that has to be refreshed."""
    simulator.expire_access_tokens()
    with host.app.app_context():
        return host.ms365.sync_mailbox(1).result


def answers(simulator: Simulator) -> list[int]:
    """Return the status of each answer that the token endpoint gave: a secret that is refused gets 401."""
    return [record.status for record in simulator.requests if record.path.endswith("/oauth2/v2.0/token")]


def test_mail_goes_on_with_the_old_secret_while_the_new_one_is_refused(connected: Host, simulator: Simulator) -> None:
    replace_secret(connected, WRONG)

    assert sync(connected, simulator) is Result.DONE
    assert previous(connected) is not None


def test_a_sign_in_succeeds_with_the_old_secret_while_the_new_one_is_refused(begun: SignInBegun) -> None:
    replace_secret(begun.host, WRONG)

    assert CONNECTED in come_back(begun.visitor, begun.sign_in())


def test_the_probe_succeeds_with_the_old_secret_while_the_new_one_is_refused(configured: Host) -> None:
    replace_secret(configured, WRONG)
    prove(configured)

    assert previous(configured) is not None


def test_mail_goes_on_with_the_old_secret_where_the_new_one_has_expired(
    connected: Host, simulator: Simulator, registration: App
) -> None:
    new = registration.add_secret(expired=True)
    replace_secret(connected, new)

    assert sync(connected, simulator) is Result.DONE


def test_the_new_secret_is_tried_first(configured: Host, simulator: Simulator, registration: App) -> None:
    replace_secret(configured, WRONG)
    prove(configured)
    replace_secret(configured, registration.add_secret())
    prove(configured)

    assert answers(simulator) == [401, 200, 200]


def test_once_the_new_secret_has_worked_the_old_one_is_forgotten(
    connected: Host, simulator: Simulator, registration: App
) -> None:
    replace_secret(connected, registration.add_secret())
    assert sync(connected, simulator) is Result.DONE
    assert previous(connected) is None

    registration.expire_secret()
    assert sync(connected, simulator) is Result.APP_REFUSED


def test_the_old_secret_may_be_deleted_at_microsoft_before_the_new_one_was_used(
    connected: Host, simulator: Simulator, registration: App
) -> None:
    old = registration.client_secret
    replace_secret(connected, registration.add_secret())
    registration.remove_secret(old)

    assert sync(connected, simulator) is Result.DONE


def test_three_replacements_pass_without_a_failed_sync(
    connected: Host, simulator: Simulator, registration: App
) -> None:
    """Microsoft may know a new secret only a while after the admin has saved it here."""
    for _ in range(3):
        old, new = registration.client_secret, registration.add_secret()
        registration.remove_secret(new)
        replace_secret(connected, new)
        assert sync(connected, simulator) is Result.DONE
        registration.secrets.append(registration.secrets[-1]._replace(value=new))
        assert sync(connected, simulator) is Result.DONE
        registration.remove_secret(old)
        assert sync(connected, simulator) is Result.DONE
        assert previous(connected) is None


def test_two_wrong_ones_in_a_row_leave_the_good_one_serving(connected: Host, simulator: Simulator) -> None:
    replace_secret(connected, WRONG)
    replace_secret(connected, WRONG_TOO)

    assert sync(connected, simulator) is Result.DONE


def test_where_both_are_refused_people_hear_of_the_new_one(configured: Host, registration: App) -> None:
    replace_secret(configured, WRONG)
    registration.expire_secret()

    with pytest.raises(AppRefused) as refused:
        prove(configured)
    assert refused.value.code == "7000215"  # wrong, while the old one has expired
    assert previous(configured) is not None


def test_an_old_secret_is_not_tried_where_the_new_one_is_not_to_blame(
    configured: Host, simulator: Simulator, registration: App
) -> None:
    replace_secret(configured, registration.add_secret())
    error = {"error": "unauthorized_client", "error_description": "AADSTS700016: Application was not found."}
    simulator.fail_next(TOKEN, 400, error)

    with pytest.raises(AppRefused):
        prove(configured)
    assert answers(simulator) == [400]


def test_an_old_secret_is_not_tried_while_the_service_is_away(
    configured: Host, simulator: Simulator, registration: App
) -> None:
    replace_secret(configured, registration.add_secret())
    simulator.fail_next(TOKEN, 503, b"busy")

    with pytest.raises(TokenUnavailable):
        prove(configured)
    assert answers(simulator) == [503]
    assert previous(configured) is not None


@pytest.mark.parametrize("answer", [{}, {"access_token": ""}, {"access_token": 5}, [], "token"])
def test_an_answer_that_is_no_token_proves_nothing(
    configured: Host, simulator: Simulator, registration: App, answer: object
) -> None:
    replace_secret(configured, registration.add_secret())
    simulator.fail_next(TOKEN, 200, answer)

    with pytest.raises(TokenUnavailable):
        prove(configured)
    assert previous(configured) is not None


def test_a_crash_before_the_old_secret_is_forgotten_is_harmless(
    configured: Host, simulator: Simulator, registration: App
) -> None:
    replace_secret(configured, registration.add_secret())
    with configured.app.app_context():
        prove_credentials(replace(registered(configured), credential_worked=lambda: None))  # died here
    assert previous(configured) is not None

    prove(configured)
    assert previous(configured) is None


def test_a_process_with_the_settings_of_before_goes_on_and_forgets_nothing(configured: Host, registration: App) -> None:
    replace_secret(configured, registration.add_secret())
    of_another_process = registered(configured)
    replace_secret(configured, WRONG)
    with configured.app.app_context():
        prove_credentials(of_another_process)

    assert previous(configured) is not None
    prove(configured)


def test_an_old_secret_is_not_tried_in_another_cloud(configured: Host, simulator: Simulator) -> None:
    replace_secret(configured, WRONG)
    with configured.app.app_context():
        configured.ms365.settings.save({"cloud": "china"}, actor="ana")

    with pytest.raises(AppRefused):
        prove(configured)
    assert answers(simulator) == [401]


def test_a_refused_secret_is_logged_without_it(
    configured: Host, registration: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    replace_secret(configured, WRONG)
    prove(configured)

    assert "credential.refused" in caplog.text
    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert WRONG not in logged
    assert registration.client_secret not in logged
