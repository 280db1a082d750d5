"""A thousand connections, each with a sign-in of its own, and processes that renew or rotate what they hold."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from typing import Any

from sqlalchemy import event, insert, select

from flask_ms365.crypto import Keyring
from flask_ms365.errors import MS365Error
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.identity.tokens import seal_pair
from flask_ms365.keys.rotation import Rotated, Rotation
from flask_ms365.models import Connection, Mailbox, write_transaction
from flask_ms365.simulator import Simulator, User
from flask_ms365.simulator.grants import Grant
from flask_ms365.sync.report import Result
from tests.conftest import Host
from tests.identity.token_worker import Place

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([__name__])
_TABLES: Any = (Connection, Mailbox)


def with_ring(place: Place, *keys: str) -> Place:
    """Return a place where a process has other keys."""
    return replace(place, config={**place.config, "MS365_ENCRYPTION_KEYS": ",".join(keys)})


def add_connections(host: Host, simulator: Simulator, user: User, count: int) -> None:
    """Fill a host up to ``count`` connections with mailboxes; to a strict server each is a sign-in of its own."""
    state = host.app.extensions["ms365.state"]
    with host.app.app_context(), write_transaction(state.session):
        one, mailbox = (dict(state.session.execute(select(each.__table__)).mappings().one()) for each in _TABLES)
        app = next(iter(simulator.grants.access_tokens.values())).app
        connections, mailboxes = [], []
        first = max(one["id"], mailbox["id"]) + 1  # connections and mailboxes are counted apart
        for number in range(first, first + count - 1):
            name = f"user{number}"
            grant = Grant(app, user, tuple(one["scopes"]), simulator.clock())
            pair = TokenPair(
                access_token=f"canary-access-{number}-{'x' * 20}",
                refresh_token=simulator.grants.issue_refresh_token(grant),
                expires_in=0,
                scopes=tuple(one["scopes"]),
                id_token="",
            )
            sealed = seal_pair(state.keyring, pair, grant=(name, one["tid"], one["oid"]), now=one["created_at"])
            connections.append({**one, **sealed, "id": number, "user_id": name})
            mailboxes.append({**mailbox, "id": number, "owner_id": name, "connection_id": number})
        for model, rows in zip(_TABLES, (connections, mailboxes), strict=True):
            state.session.execute(insert(model.__table__), rows)


def refresh_token(keyring: Keyring, connection: Connection) -> str:
    """Return the refresh token of a connection in the clear."""
    grant = f"{connection.user_id}/{connection.tid}/{connection.oid}"
    return keyring.open(connection.refresh_token or "", f"ms365_connection:{grant}:refresh_token")


class Process:
    """A process of its own that does one thing, and says how it went."""

    def __init__(self, work: Any, *given: Any) -> None:
        self._pipe, theirs = _processes.Pipe()
        self._process = _processes.Process(target=work, args=(*given, theirs), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def says(self) -> Any:
        """Wait for what it says next."""
        return self._pipe.recv()

    def kill(self) -> None:
        """Send SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def processes(*work: Sequence[Any]) -> Iterator[list[Process]]:
    """Yield a process for each function, given with its arguments."""
    with ExitStack() as stack:
        started = [Process(*each) for each in work]
        for each in started:
            stack.callback(each.kill)
        yield started


def sync(place: Place, mailbox_ids: Sequence[int], pipe: Pipe) -> None:
    """Sync mailboxes one after the other; each needs a new token first. Say of which it did not work, and why."""
    app, failed = place.app(), {}
    state = app.extensions["ms365.state"]
    with app.app_context():
        for mailbox_id in mailbox_ids:
            report = state.runner.run(mailbox_id)
            if report.result is not Result.DONE:
                failed[mailbox_id] = f"{report.result} {report.error}"
    pipe.send(failed)


def renew(place: Place, connection_ids: Sequence[int], pipe: Pipe) -> None:
    """Renew token after token. Say of which it did not work, and why."""
    app, failed = place.app(), {}
    state = app.extensions["ms365.state"]
    with app.app_context():
        for connection_id in connection_ids:
            try:
                state.connect.clients.tokens.renew(connection_id, state.registration, before=state.clock())
            except MS365Error as exc:
                failed[connection_id] = f"{type(exc).__name__} {exc}"
    pipe.send(failed)


def rotate(place: Place, stop_after: int, pipe: Pipe) -> None:
    """Rotate; wait to be killed in the middle of the batch that comes after ``stop_after`` others."""
    app = place.app()
    batches = 0

    def moved(_count: int) -> None:
        nonlocal batches
        batches += 1

    def hold_up(_connection: Any) -> None:
        if batches == stop_after:
            pipe.send("in the middle")
            pipe.recv()

    with app.app_context():
        state = app.extensions["ms365.state"]
        event.listen(state.session.get_bind(), "commit", hold_up)
        Rotation(session=state.session, keyring=state.keyring, clock=state.clock).run(actor=None, moved=moved)
    pipe.send("done")


@contextmanager
def opened(place: Place) -> Iterator[Any]:
    """Yield the state of the host's app once more, here, in its context."""
    app = place.app()
    with app.app_context():
        state = app.extensions["ms365.state"]
        yield state
        state.session.remove()
        state.session.get_bind().dispose()


def rotated(state: Any) -> Rotated:
    """Rotate, and return what it came to."""
    rotation = Rotation(session=state.session, keyring=state.keyring, clock=state.clock)
    return rotation.run(actor=None, moved=lambda count: None)
