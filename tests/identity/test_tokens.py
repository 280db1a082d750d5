"""Access tokens: used while good, refreshed once, and lost only when Microsoft says so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from flask_ms365.errors import AppRefused, NotConfigured, SignInNeeded, Tampered, TokenUnavailable
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.identity.tokens import seal_pair
from flask_ms365.models import Connection, Mailbox, write_transaction
from flask_ms365.signals import reconnect_needed
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.sync.report import RunReport
from tests.conftest import Clock, Host
from tests.identity.conftest import CONNECTED, session_of

TOKEN = r"/oauth2/v2\.0/token$"
EXPIRED = {"hours": 2}


@pytest.fixture(autouse=True)
def _forget_the_sign_in(connected: Host, simulator: Simulator) -> None:
    simulator.requests.clear()


def access_token(host: Host) -> str:
    """Ask as a worker does: in an app context, and so a session, of its own."""
    with host.app.app_context():
        state = host.app.extensions["ms365.state"]
        token: str = state.runner.clients.tokens.access_token(1, state.registration)
        return token


def refreshes(simulator: Simulator) -> int:
    return simulator.count("POST", "/oauth2/v2.0/token")


def sync(host: Host) -> RunReport:
    with host.app.app_context():
        return host.ms365.sync_mailbox(1)


def connection_of(host: Host) -> Connection:
    with host.app.app_context():
        found: Connection = session_of(host).get(Connection, 1)
        return found


def write(host: Host, **values: Any) -> None:
    """Change the connection's row, as another process would."""
    with host.app.app_context(), write_transaction(session_of(host)):
        session_of(host).execute(update(Connection).where(Connection.id == 1).values(**values))


def store_new_pair(host: Host, clock: Clock, access: str = "of another process") -> None:
    """Store a token pair, as another process does at the end of its refresh."""
    row = connection_of(host)
    pair = TokenPair(access_token=access, refresh_token="1.r", id_token=None, expires_in=3600, scopes=())
    keyring = host.app.extensions["ms365.state"].keyring
    sealed = seal_pair(keyring, pair, grant=(row.user_id, row.tid, row.oid), now=clock())
    write(host, **sealed, version=row.version + 1, refresh_owner=None, refresh_until=None)


def test_a_fresh_token_is_used_without_any_request(connected: Host, simulator: Simulator) -> None:
    assert access_token(connected) in simulator.grants.access_tokens
    assert len(simulator.requests) == 0


@pytest.mark.parametrize(("minutes", "count"), [(54, 0), (56, 1)])
def test_it_is_refreshed_five_minutes_early(
    connected: Host, simulator: Simulator, clock: Clock, minutes: int, count: int
) -> None:
    clock.advance(minutes=minutes)
    access_token(connected)
    assert refreshes(simulator) == count


def test_the_rotated_refresh_token_is_stored(connected: Host, simulator: Simulator, clock: Clock) -> None:
    simulator.strict_refresh_rotation = True
    for _ in range(3):
        clock.advance(**EXPIRED)
        access_token(connected)
    assert refreshes(simulator) == 3


def test_an_answer_without_new_refresh_token_keeps_the_old_one(
    connected: Host, simulator: Simulator, clock: Clock
) -> None:
    clock.advance(**EXPIRED)
    simulator.fail_next(TOKEN, 200, {"token_type": "Bearer", "access_token": "a", "expires_in": 3600})
    assert access_token(connected) == "a"
    clock.advance(**EXPIRED)
    assert access_token(connected) in simulator.grants.access_tokens


def test_a_refused_grant_needs_its_owner(connected: Host, simulator: Simulator, ana: User, clock: Clock) -> None:
    simulator.revoke(ana)
    clock.advance(**EXPIRED)
    assert str(sync(connected).result) == "sign_in_needed"
    assert "Sign-in needed" in connected.visitor().get("/ms365/my-email").text
    with connected.app.app_context():
        assert session_of(connected).get(Mailbox, 1).state == "sign_in_needed"


def test_the_owner_of_a_refused_grant_can_be_told(
    connected: Host, simulator: Simulator, ana: User, clock: Clock
) -> None:
    told: list[tuple[int, str]] = []

    def remember(_: object, mailbox_id: int, code: str) -> None:
        told.append((mailbox_id, code))

    simulator.revoke(ana)
    clock.advance(**EXPIRED)
    with reconnect_needed.connected_to(remember, sender=connected.app):
        sync(connected)
    assert told == [(1, "50173")]


def test_a_dead_grant_is_not_tried_again(connected: Host, simulator: Simulator, ana: User, clock: Clock) -> None:
    simulator.revoke(ana)
    clock.advance(**EXPIRED)
    for _ in range(3):
        with pytest.raises(SignInNeeded):
            access_token(connected)
    assert refreshes(simulator) == 1


def test_a_dead_grant_revives_by_signing_in_again(
    connected: Host, simulator: Simulator, ana: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.revoke(ana)
    clock.advance(**EXPIRED)
    sync(connected)
    monkeypatch.setattr(simulator, "clock", clock)
    monkeypatch.setattr(simulator.grants, "clock", clock)
    assert CONNECTED in connected.visitor().connect(ana).text
    assert str(sync(connected).result) == "done"


# fault 23
def test_before_a_grant_counts_as_dead_a_newer_pair_is_looked_for(
    connected: Host, simulator: Simulator, ana: User, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.revoke(ana)
    clock.advance(**EXPIRED)
    _while_microsoft_answers(simulator, monkeypatch, lambda: store_new_pair(connected, clock))
    assert access_token(connected) == "of another process"
    assert not connection_of(connected).is_dead


def test_a_sign_in_during_a_refresh_is_not_overwritten(
    connected: Host, simulator: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(**EXPIRED)
    _while_microsoft_answers(simulator, monkeypatch, lambda: store_new_pair(connected, clock))
    access_token(connected)
    assert access_token(connected) == "of another process"


def test_a_wrong_client_secret_disconnects_nobody(
    connected: Host, simulator: Simulator, registration: App, clock: Clock
) -> None:
    old = registration.client_secret
    registration.add_secret()
    registration.remove_secret(old)
    clock.advance(**EXPIRED)
    assert str(sync(connected).result) == "app_refused"
    with connected.app.app_context():
        assert session_of(connected).get(Mailbox, 1).state == "connected"
        connected.ms365.settings.save({"client_secret": registration.client_secret})
    clock.advance(**EXPIRED)
    assert str(sync(connected).result) == "done"


def test_a_wrong_client_secret_is_an_error_of_the_app(connected: Host, registration: App, clock: Clock) -> None:
    registration.expire_secret()
    clock.advance(**EXPIRED)
    with pytest.raises(AppRefused, match="client secret has expired") as caught:
        access_token(connected)
    assert caught.value.code == "7000222"


# fault 24
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": "temporarily_unavailable"}),
        (429, b""),
        (503, b"busy"),
        (500, {"error": "invalid_grant"}),
        (400, {"error": "invalid_request", "error_description": "AADSTS90033"}),
        (200, b'{"access_token": "cut'),
        (200, {"token_type": "Bearer"}),
        (None, b""),
    ],
)
def test_trouble_at_microsoft_keeps_the_refresh_token(
    connected: Host, simulator: Simulator, clock: Clock, status: int | None, body: object
) -> None:
    clock.advance(**EXPIRED)
    if status is None:
        simulator.drop_connection(TOKEN)
    else:
        simulator.fail_next(TOKEN, status, body)
    with pytest.raises(TokenUnavailable):
        access_token(connected)
    clock.advance(minutes=2)  # a 429 holds back all mailboxes for a while: test_circuit.py
    assert access_token(connected) in simulator.grants.access_tokens


def test_no_token_goes_to_another_cloud(connected: Host, simulator: Simulator, clock: Clock) -> None:
    """The authority is that of the grant; what the settings name today gets none of its tokens."""
    write(connected, authority="https://login.microsoftonline.us")
    clock.advance(days=8)
    with pytest.raises(AppRefused, match="another Microsoft cloud"):
        access_token(connected)
    with connected.app.app_context():
        connected.app.extensions["ms365.state"].runner.beat()  # nor when an idle one is renewed
    assert refreshes(simulator) == 0
    assert not connection_of(connected).is_dead


def test_a_refresh_asks_the_tenant_that_the_grant_is_of(connected: Host, simulator: Simulator, clock: Clock) -> None:
    tenant = connection_of(connected).tid
    with connected.app.app_context():
        connected.ms365.settings.save({"tenant_id": "organizations"}, actor="ana")
    clock.advance(**EXPIRED)
    access_token(connected)
    assert simulator.count("POST", f"/{tenant}/oauth2/v2.0/token") == 1


# fault 21; over processes in test_processes.py
def test_eight_workers_that_find_it_expired_refresh_once(connected: Host, simulator: Simulator, clock: Clock) -> None:
    clock.advance(**EXPIRED)
    together = threading.Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        return access_token(connected)

    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(ask, range(8)))
    assert refreshes(simulator) == 1
    assert tokens == {list(simulator.grants.access_tokens)[-1]}


def test_the_lease_of_a_killed_refresher_runs_out(connected: Host, simulator: Simulator, clock: Clock) -> None:
    clock.advance(**EXPIRED)
    write(connected, refresh_owner="killed", refresh_until=clock() + timedelta(seconds=60))
    clock.advance(seconds=61)
    assert access_token(connected) in simulator.grants.access_tokens
    assert refreshes(simulator) == 1


def test_while_another_refreshes_a_token_that_is_still_good_serves(
    connected: Host, simulator: Simulator, clock: Clock
) -> None:
    clock.advance(minutes=57)
    write(connected, refresh_owner="another", refresh_until=clock() + timedelta(seconds=60))
    assert access_token(connected) in simulator.grants.access_tokens
    assert refreshes(simulator) == 0


def test_while_another_refreshes_an_expired_token_is_waited_for(
    connected: Host, simulator: Simulator, clock: Clock
) -> None:
    clock.advance(**EXPIRED)
    write(connected, refresh_owner="another", refresh_until=clock() + timedelta(seconds=60))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(access_token, connected)
        store_new_pair(connected, clock)
        assert waiting.result(timeout=10) == "of another process"
    assert refreshes(simulator) == 0


def test_missing_settings_leave_no_lease_behind(connected: Host, clock: Clock) -> None:
    with connected.app.app_context():
        connected.ms365.settings.save({"email_sync": "0", "client_secret": ""})
    clock.advance(**EXPIRED)
    with pytest.raises(NotConfigured):
        access_token(connected)
    assert connection_of(connected).refresh_until is None


def test_no_transaction_is_open_while_microsoft_is_asked(
    connected: Host, simulator: Simulator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected.app.app_context():
        pool = connected.app.extensions["sqlalchemy"].engine.pool
    in_use: list[int] = []
    clock.advance(**EXPIRED)
    _while_microsoft_answers(simulator, monkeypatch, lambda: in_use.append(pool.checkedout()))
    access_token(connected)
    assert in_use == [0]


@pytest.mark.parametrize("column", ["access_token", "refresh_token"])
def test_a_token_copied_from_another_row_does_not_open(
    connected: Host, simulator: Simulator, clock: Clock, column: str
) -> None:
    connected.user_id = "bob"
    connected.visitor().connect(simulator.add_user("bob@contoso.example", password="bob"))
    with connected.app.app_context():
        theirs = session_of(connected).scalar(select(getattr(Connection, column)).where(Connection.id == 2))
    write(connected, **{column: theirs})
    clock.advance(**EXPIRED)
    with pytest.raises(Tampered):
        access_token(connected)


def test_a_damaged_token_locks_the_mailbox_and_overwrites_nothing(connected: Host, simulator: Simulator) -> None:
    sealed = str(connection_of(connected).access_token)
    damaged = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]
    write(connected, access_token=damaged)
    assert str(sync(connected).result) == "locked"
    assert connection_of(connected).access_token == damaged
    assert len(simulator.requests) == 0


def _while_microsoft_answers(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let something happen once in the middle of a request: Microsoft looks at its clock for every answer."""
    now, acts = simulator.clock, [act]

    def look() -> datetime:
        if acts:
            acts.pop()()
        return now()

    monkeypatch.setattr(simulator, "clock", look)
