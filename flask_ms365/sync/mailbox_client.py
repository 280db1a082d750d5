"""A Graph client for a mailbox: which account's token, and which address of Graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import select

from flask_ms365.errors import AppRefused, SignInNeeded
from flask_ms365.identity.clouds import is_same_service
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.tokens import Tokens
from flask_ms365.models import Connection, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.words import Words

if TYPE_CHECKING:
    from urllib3 import PoolManager

    from flask_ms365.graph import GraphClient


@dataclass(kw_only=True)
class MailboxClients:
    """Makes Graph clients over one pool of connections."""

    session: AnySession
    tokens: Tokens
    registration: Callable[[], AppRegistration]

    def of(self, mailbox_id: int, *, is_probe: bool = False) -> GraphClient:
        """Return the client of a connected mailbox; raise :exc:`SignInNeeded` or :exc:`AppRefused`.

        A probe tries once and does not wait long.
        """
        grant = select(Connection.id, Connection.authority).join(Mailbox, Mailbox.connection_id == Connection.id)
        found = self.session.execute(grant.where(Mailbox.id == mailbox_id)).one_or_none()
        self.session.commit()
        if found is None:
            raise SignInNeeded
        registration = self.registration()
        if not is_same_service(found.authority, registration.authority):
            # neither this account's tokens nor today's client secret may go to the other place
            raise AppRefused(Words("This mailbox was connected in another Microsoft cloud than the settings name now."))

        def token(rejected: str | None) -> str:
            return self.tokens.access_token(found.id, self.registration, rejected=rejected)

        return self._client(registration, token, is_probe=is_probe)

    def with_token(self, access_token: str) -> GraphClient:
        """Return a client for an account that has just signed in and is not stored yet."""
        return self._client(self.registration(), lambda rejected: access_token)

    @cached_property
    def _pool(self) -> PoolManager:
        from flask_ms365.graph.http import new_pool

        return new_pool()

    def _client(
        self, registration: AppRegistration, token: Callable[[str | None], str], *, is_probe: bool = False
    ) -> GraphClient:
        # imported late: a process that shows pages never needs Graph's client and what it brings
        from flask_ms365.graph import GraphClient
        from flask_ms365.graph.http import GraphHttp

        http = GraphHttp(origin=registration.graph, token=token, pool=self._pool, is_probe=is_probe)
        return GraphClient(http)
