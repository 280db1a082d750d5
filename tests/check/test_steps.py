"""Each step by itself: what it says when all is well, when it is nearly too late, and when it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text, update

from flask_ms365.check import Outcome
from flask_ms365.crypto import generate_key
from flask_ms365.models import Connection, write_transaction
from flask_ms365.state import current_state
from tests.check.conftest import Desk, look, see, states
from tests.conftest import Clock, HostFactory
from tests.hosts.bare import bare_host
from tests.jobs.test_hook import RecordingHook


def brief(outcome: Outcome) -> tuple[str, str]:
    return outcome.state, outcome.message


def test_the_address_that_people_use(desk: Desk) -> None:
    assert brief(see(desk.host, "address")) == ("passed", "http://localhost/ms365/oauth/callback")


def test_the_settings_when_all_are_there(desk: Desk) -> None:
    assert brief(see(desk.host, "settings")) == ("passed", "Client ID, client secret and tenant are there.")


@pytest.mark.parametrize(("days", "state"), [(40, "passed"), (29, "warning"), (1, "warning"), (-1, "failed")])
def test_a_secret_warns_for_thirty_days_and_then_has_failed(desk: Desk, days: int, state: str) -> None:
    desk.save(client_secret_expires_on=(desk.clock().date() + timedelta(days=days)).isoformat())
    assert see(desk.host, "settings").state == state


def test_a_secret_that_ends_sends_to_both_places_that_mend_it(desk: Desk) -> None:
    desk.save(client_secret_expires_on=(desk.clock().date() + timedelta(days=3)).isoformat())
    outcome = see(desk.host, "settings")
    assert (outcome.page, outcome.endpoint) == ("secrets", "settings")


def test_how_many_keys_are_in_use(desk: Desk) -> None:
    desk.restart(MS365_ENCRYPTION_KEYS=f"{generate_key()},{desk.host.app.config['MS365_ENCRYPTION_KEYS']}")
    assert brief(see(desk.host, "keyring")) == ("passed", "1 of 2 keys in use")


def test_the_age_of_the_oldest_token(desk: Desk) -> None:
    desk.connect()
    desk.pass_time(hours=2, minutes=5)
    assert "oldest token renewed 2 h ago" in see(desk.host, "keyring").message


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "passed"), (50, "passed"), (63, "warning"), (290, "warning"), (303, "failed")]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_clock_may_be_a_minute_off(desk: Desk, seconds: int, sign: int, state: str) -> None:
    desk.simulator.date_skew = timedelta(seconds=sign * seconds)
    outcome = see(desk.host, "reach")
    assert outcome.state == state
    assert ("Set this server's clock" in outcome.next_step) == (state != "passed")


def test_how_fast_microsoft_answers(desk: Desk) -> None:
    host = desk.simulator.url.removeprefix("http://")
    assert see(desk.host, "reach").message.startswith(f"{host} in ")


def test_a_service_that_is_out_of_order_is_no_failure_of_ours(desk: Desk) -> None:
    desk.simulator.fail_next(desk.simulator.SIGN_IN, 503)
    assert brief(see(desk.host, "reach"))[0] == "warning"


def test_the_tenant_by_its_domain(desk: Desk) -> None:
    desk.save(tenant_id=desk.simulator.tenant_domain)
    assert brief(see(desk.host, "tenant")) == ("passed", desk.simulator.tenant_domain)


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers"])
def test_no_credentials_are_checked_where_no_tenant_is_named(desk: Desk, tenant: str) -> None:
    desk.save(tenant_id=tenant)
    desk.simulator.requests.clear()
    outcome = see(desk.host, "credentials")
    assert (outcome.state, "Name your tenant" in outcome.message) == ("not_checked", True)
    assert len(desk.simulator.requests) == 0


def test_a_token_of_the_probe_is_thrown_away(desk: Desk) -> None:
    assert brief(see(desk.host, "credentials")) == ("passed", "Microsoft takes client ID and client secret.")


def test_an_app_without_any_permission_has_credentials_all_the_same(desk: Desk) -> None:
    desk.app.withdraw_consent()
    assert see(desk.host, "credentials").state == "passed"


def test_a_refusal_brings_what_support_asks_for(desk: Desk) -> None:
    desk.app.expire_secret()
    outcome = see(desk.host, "credentials")
    labels = [label for label, _ in outcome.details]
    assert labels[:5] == ["Error", "AADSTS code", "Trace ID", "Correlation ID", "Time"]
    assert (outcome.code, outcome.page, outcome.endpoint) == ("7000222", "secrets", "settings")
    assert outcome.trace in dict(outcome.details).values()


def test_every_failure_says_what_to_do(desk: Desk) -> None:
    desk.app.is_enabled = False
    assert see(desk.host, "credentials").next_step


def test_a_new_secret_that_works_hides_no_old_one(desk: Desk) -> None:
    desk.save(client_secret=desk.app.add_secret())
    assert see(desk.host, "credentials").state == "passed"


def test_a_sign_in_proves_redirect_uri_permissions_and_mailbox(desk: Desk) -> None:
    before = states(look(desk.host))
    desk.connect()
    after = states(look(desk.host))
    proved = ("redirect_uri", "permissions", "mailbox")
    assert ([before[name] for name in proved], [after[name] for name in proved]) == (
        ["not_checked"] * 3,
        ["passed"] * 3,
    )


def test_a_sign_in_proves_its_own_redirect_uri_only(desk: Desk) -> None:
    desk.connect()
    desk.restart(MS365_PUBLIC_BASE_URL="https://app.contoso.example")
    assert see(desk.host, "redirect_uri").state == "not_checked"


def test_a_sign_in_proves_nothing_for_another_app(desk: Desk) -> None:
    desk.connect()
    other = desk.simulator.register_app(name="Other")
    desk.save(client_id=other.client_id, client_secret=other.client_secret)
    assert [see(desk.host, name).state for name in ("redirect_uri", "permissions")] == ["not_checked"] * 2


def test_what_leads_to_a_sign_in_offers_one(desk: Desk) -> None:
    assert [see(desk.host, name).endpoint for name in ("redirect_uri", "permissions", "mailbox")] == ["my_email"] * 3


def test_a_grant_without_mail_is_named_by_the_permission(desk: Desk) -> None:
    desk.connect()
    with desk.host.app.app_context():
        session = current_state().session
        with write_transaction(session):
            session.execute(update(Connection).values(granted_scopes=["User.Read"]))
    assert brief(see(desk.host, "permissions")) == ("failed", "1 sign-in lacks Mail.Read.")


def test_the_mailbox_that_was_read(desk: Desk) -> None:
    desk.connect()
    assert see(desk.host, "mailbox").message == "The inbox of ana@contoso.example can be read."


def test_a_busy_graph_is_no_failure_of_ours(desk: Desk) -> None:
    desk.connect()
    desk.simulator.fail_next(desk.simulator.GRAPH, 503, times=None)
    assert see(desk.host, "mailbox").state == "warning"


def test_a_refusal_by_graph_brings_its_request_id(desk: Desk) -> None:
    desk.connect()
    desk.simulator.fail_next(
        desk.simulator.GRAPH, 403, {"error": {"code": "ErrorAccessDenied"}}, {"request-id": "r-42"}
    )
    outcome = see(desk.host, "mailbox")
    assert (outcome.state, outcome.code, outcome.trace) == ("failed", "ErrorAccessDenied", "r-42")


# whoever looks for mail


def test_nobody_need_look_for_mail_while_the_sync_is_off(desk: Desk) -> None:
    assert brief(see(desk.host, "worker")) == ("not_checked", "Emails sync is off.")


def test_a_sync_that_was_just_switched_on_has_time(desk: Desk) -> None:
    desk.save(email_sync="1")
    assert see(desk.host, "worker").state == "not_checked"


@pytest.mark.parametrize(("minutes", "state"), [(0, "passed"), (14, "passed"), (16, "failed")])
def test_an_external_worker_may_be_as_slow_as_the_interval(desk: Desk, minutes: int, state: str) -> None:
    desk.save(email_sync="1")  # every 5 minutes
    desk.tick()
    desk.clock.advance(minutes=minutes)
    assert see(desk.host, "worker").state == state


def test_an_external_worker_of_a_slow_host_is_not_late(desk: Desk) -> None:
    desk.save(email_sync="1", sync_interval="60")
    desk.tick()
    desk.clock.advance(minutes=170)
    assert brief(see(desk.host, "worker")) == ("passed", "Last seen 2 h ago, expected every 1 h")


def test_how_to_start_it(desk: Desk) -> None:
    desk.save(email_sync="1")
    desk.clock.advance(minutes=20)
    outcome = see(desk.host, "worker")
    assert (outcome.message, "flask ms365 worker" in outcome.next_step) == ("Nobody has looked for new mail yet.", True)


@pytest.mark.parametrize(("minutes", "state"), [(1, "passed"), (2, "warning"), (16, "failed")])
def test_an_engine_of_the_hosts_own_is_missed_after_three_ticks(
    desk: Desk, make_host: HostFactory, clock: Clock, minutes: int, state: str
) -> None:
    desk.restart(options={"job_hook": RecordingHook()})
    desk.save(email_sync="1")
    desk.tick()
    clock.advance(minutes=minutes)
    assert see(desk.host, "worker").state == state


def test_a_scheduler_that_took_no_change_is_a_warning(desk: Desk) -> None:
    hook = RecordingHook()
    hook.is_broken = True
    desk.restart(options={"job_hook": hook})
    desk.save(email_sync="1")
    assert brief(see(desk.host, "worker")) == (
        "warning",
        "The job scheduler did not take the change (ConnectionError).",
    )


# the database


def test_nothing_of_the_test_stays_in_the_database(desk: Desk) -> None:
    assert see(desk.host, "database").state == "passed"


def test_a_database_that_is_read_only(desk: Desk) -> None:
    with desk.host.app.test_request_context():
        session = current_state().session
        session.connection().exec_driver_sql("PRAGMA query_only = 1")
        session.commit()
        outcome = see(desk.host, "database")
    assert brief(outcome) == ("failed", "The database cannot be written (OperationalError).")


def test_a_hosts_own_sqlite_is_told_what_it_would_gain_until_it_has_it(make_host: HostFactory) -> None:
    host = make_host(db=SQLAlchemy(), SQLALCHEMY_DATABASE_URI="sqlite:///host.sqlite3")
    assert see(host, "database").next_step == "Set journal_mode=WAL, so that people can read while mail is stored."
    with host.app.app_context():
        current_state().session.scalar(text("PRAGMA journal_mode=WAL"))
    assert see(host, "database").next_step == ""


def test_a_database_of_our_own_has_nothing_to_gain(desk: Desk) -> None:
    assert see(desk.host, "database").next_step == ""


def test_without_keys_nothing_secret_is_asked_for(tmp_path: Path) -> None:
    host = bare_host(tmp_path, MS365_PUBLIC_BASE_URL="http://localhost")
    assert brief(see(host, "keyring")) == ("failed", "No encryption key is set.")
