"""A Graph client for a mailbox: whose token, and which address of Graph, by the way in which it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import select

from flask_ms365.errors import AppRefused, MS365Error, SignInNeeded, TokenUnavailable
from flask_ms365.identity.app_tokens import AppTokens
from flask_ms365.identity.clouds import is_same_service
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.tokens import FOREIGN_CLOUD, Tokens
from flask_ms365.models import Connection, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.tally import Tally

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

    from flask_ms365.graph import GraphClient
    from flask_ms365.graph.http import TokenSource


@dataclass(kw_only=True)
class MailboxClients:
    """Makes Graph clients over one pool of connections to each Graph: the settings may name another one."""

    session: AnySession
    tokens: Tokens
    app_tokens: AppTokens
    # as the settings are now, or as a snapshot of them has it
    registration: Callable[..., AppRegistration]
    clock: Callable[[], datetime]
    tally: Tally
    # origin -> its connections
    pools: dict[str, HTTPConnectionPool] = field(default_factory=dict)

    def of(self, mailbox_id: int, *, is_probe: bool = False) -> GraphClient:
        """Return the client of a connected mailbox; raise :exc:`SignInNeeded` or :exc:`AppRefused`.

        A probe tries once and does not wait long.
        """
        mailbox = self._read(mailbox_id)
        if mailbox.access == "application":
            return self._application(_owner_of(mailbox), mailbox, is_probe=is_probe)
        if mailbox.connection_id is None:
            raise SignInNeeded
        registration = self.registration()
        if not is_same_service(mailbox.authority, registration.authority):
            raise AppRefused(FOREIGN_CLOUD)

        def token(rejected: str | None, claims: str) -> str:
            return self.tokens.access_token(mailbox.connection_id, self.registration, rejected=rejected, claims=claims)

        return self._client(registration, token, owner=_owner_of(mailbox), is_probe=is_probe, counted=mailbox)

    def held(self, rows: Sequence[Any], registration: AppRegistration) -> dict[int, Callable[[], GraphClient]]:
        """Return mailbox id -> how to make its client, where a token is at hand: nothing is read or renewed for it.

        ``rows`` hold columns of mailbox and connection. The clients are made by any thread, ask once and do not wait.
        """
        try:
            app_token = (
                self.app_tokens.token(registration) if any(row.access == "application" for row in rows) else None
            )
        except MS365Error:
            return {}
        held = [row for row in rows if self._is_held(row, registration, app_token)]
        return {row.id: partial(self._held, row, registration, app_token) for row in held}

    def _held(self, row: Any, registration: AppRegistration, app_token: str | None) -> GraphClient:
        is_app = row.access == "application"
        token = app_token or "" if is_app else self.tokens.held(row)

        def source(rejected: str | None, claims: str) -> str:
            if rejected is not None:
                raise TokenUnavailable
            return token

        return self._client(registration, source, owner=_owner_of(row), is_probe=True)

    def _is_held(self, row: Any, registration: AppRegistration, app_token: str | None) -> bool:
        if row.access == "application":
            return app_token is not None
        is_ours = row.connection_id is not None and is_same_service(row.authority, registration.authority)
        return is_ours and self.tokens.is_held(row)

    def application(self, name: str, *, is_probe: bool = False) -> GraphClient:
        """Return a client that reads the mailbox of an address or sign-in name with the app's own permission."""
        return self._application(_users(name), None, is_probe=is_probe)

    def _application(self, owner: str, counted: Any, *, is_probe: bool) -> GraphClient:
        def token(rejected: str | None, claims: str) -> str:
            registration = self.registration()
            self.session.commit()  # no transaction is open while Microsoft is asked
            try:
                return self.app_tokens.token(registration, rejected=rejected, claims=claims)
            except SignInNeeded as exc:  # nobody signed in: what Microsoft says is about the app
                raise AppRefused(
                    exc.words, error=exc.error, code=exc.code, trace=exc.trace, advice=exc.advice
                ) from None

        return self._client(self.registration(), token, owner=owner, is_probe=is_probe, counted=counted)

    def with_token(self, access_token: str, *, name: str = "") -> GraphClient:
        """Return a client for an account that has just signed in: of its own mailbox, or of that of ``name``."""
        owner = _users(name) if name else "me"
        return self._client(self.registration(), lambda rejected, claims: access_token, owner=owner)

    def _read(self, mailbox_id: int) -> Any:
        """Return how a mailbox is read; no transaction is open afterwards."""
        columns = (Mailbox.access, Mailbox.address, Mailbox.upn, Mailbox.connection_id, Connection.authority)
        way = select(*columns, Mailbox.quota_left, Mailbox.quota_at).outerjoin(
            Connection, Mailbox.connection_id == Connection.id
        )
        found: Any = self.session.execute(way.where(Mailbox.id == mailbox_id)).one_or_none()
        self.session.commit()
        if found is None:
            raise SignInNeeded
        return found

    def begin_anew(self) -> None:
        """In a process that was forked: leave the connections to the one that opened them."""
        self.pools.clear()
        self.app_tokens.begin_anew()

    def _client(
        self,
        registration: AppRegistration,
        token: TokenSource,
        *,
        owner: str,
        is_probe: bool = False,
        counted: Any = None,
    ) -> GraphClient:
        """Return a client; ``counted`` is the row that says how many requests its mailbox had left."""
        # imported late: a process that shows pages never needs Graph's client and what it brings
        from flask_ms365.graph import GraphClient
        from flask_ms365.graph.http import GraphHttp, new_pool
        from flask_ms365.graph.quota import Quota

        origin = registration.graph
        if origin not in self.pools:
            self.pools[origin] = new_pool(origin)
        quota = Quota(clock=self.clock, left=counted.quota_left, at=counted.quota_at) if counted else None
        http = GraphHttp(
            origin=origin,
            token=token,
            pool=self.pools[origin],
            is_probe=is_probe,
            quota=quota,
            tally=self.tally,
        )
        return GraphClient(http, owner=owner)


def _owner_of(mailbox: Any) -> str:
    return "me" if mailbox.access == "sign_in" else _users(mailbox.upn or mailbox.address)


def _users(name: str) -> str:
    """Return the path of somebody's mailbox: what people typed must not become another path."""
    return f"users/{quote(name, safe='@')}"
