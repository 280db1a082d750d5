"""Keys are rotated while others write, and a rotation is killed; no connection is lost, on any database."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import select

from flask_ms365.crypto import generate_key, key_id
from flask_ms365.keys.rotation import count_by_key
from flask_ms365.models import Connection, Mailbox
from flask_ms365.simulator import Simulator, User
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.identity.token_worker import Place
from tests.keys.rotating import (
    add_connections,
    opened,
    processes,
    refresh_token,
    renew,
    rotate,
    rotated,
    sync,
    with_ring,
)
from tests.sync.conftest import Synced

pytestmark = pytest.mark.slow

CONNECTIONS = 1000
NEW = generate_key()


@pytest.fixture
def host(synced: Synced, ana: User, simulator: Simulator) -> Host:
    """Return a host with a thousand connections, on each database; a token lost once would end its sign-in."""
    add_connections(synced.host, simulator, ana, CONNECTIONS)
    simulator.strict_refresh_rotation = True
    return synced.host


def counts(host: Host) -> dict[str, int]:
    with host.app.app_context():
        return dict(count_by_key(session_of(host)))


def ids(host: Host) -> list[int]:
    with host.app.app_context():
        return list(session_of(host).scalars(select(Connection.id).order_by(Connection.id)))


def mailboxes_of(host: Host, connection_ids: Sequence[int]) -> list[int]:
    with host.app.app_context():
        wanted = select(Mailbox.id).where(Mailbox.connection_id.in_(connection_ids))
        return list(session_of(host).scalars(wanted.order_by(Mailbox.id)))


def lost(host: Host, simulator: Simulator, *keys: str) -> list[int]:
    """Return the connections whose refresh token does not open with these keys, or was used up at Microsoft."""
    with opened(with_ring(Place.of(host), *keys)) as state:
        rows = state.session.scalars(select(Connection)).all()
        tokens = {each.id: simulator.grants.refresh_tokens[refresh_token(state.keyring, each)] for each in rows}
    return [number for number, token in tokens.items() if token.is_used or token.grant.revoked_at]


# fault 26
def test_a_rotation_beside_a_running_sync_of_a_thousand_connections_loses_none(
    host: Host, simulator: Simulator
) -> None:
    old = host.app.config["MS365_ENCRYPTION_KEYS"]
    place, everyone = Place.of(host), ids(host)
    # some seal with the new key and one still with the old one, as while an app is deployed node by node
    rings = [with_ring(place, NEW, old), with_ring(place, old, NEW)]
    rotations = moved = 0
    simulator.requests.clear()
    work = [
        (sync, rings[0], mailboxes_of(host, everyone[:50])),
        (renew, rings[0], everyone[50:500]),
        (renew, rings[1], everyone[500:]),
    ]
    with processes(*work) as workers:
        while any(each.is_alive for each in workers):
            with opened(rings[rotations % 2]) as state:
                moved += rotated(state).resealed
            rotations += 1
        assert [each.says() for each in workers] == [{}, {}, {}]
    assert simulator.count("POST", "/oauth2/v2.0/token") == CONNECTIONS - 1  # the first has a token that is good
    assert (rotations > 1, moved > CONNECTIONS) == (True, True)

    with opened(rings[0]) as state:
        assert rotated(state).unopened == []
    assert set(counts(host)) == {key_id(NEW)}
    assert lost(host, simulator, NEW) == []


# fault 26
def test_a_rotation_that_is_killed_again_and_again_goes_on_and_loses_nothing(host: Host, simulator: Simulator) -> None:
    old = host.app.config["MS365_ENCRYPTION_KEYS"]
    there, before = with_ring(Place.of(host), NEW, old), sum(counts(host).values())
    left = []
    for batches in (0, 1, 3, 5):
        with processes((rotate, there, batches)) as (victim,):
            assert victim.says() == "in the middle"
            victim.kill()
        left.append(counts(host)[key_id(old)])
    assert left == sorted(left, reverse=True)
    assert 0 < left[-1] < left[0] <= before

    with processes((rotate, there, -1)) as (last,):
        assert last.says() == "done"
    assert counts(host) == {key_id(NEW): before}
    assert lost(host, simulator, NEW) == []
