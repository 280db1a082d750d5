"""A Graph client for a mailbox: which account's token, and which address of Graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import urllib3
from sqlalchemy import select

from flask_ms365.errors import SignInNeeded
from flask_ms365.graph import GraphClient
from flask_ms365.graph.http import GraphHttp, new_pool
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.tokens import Tokens
from flask_ms365.models import Mailbox
from flask_ms365.models.base import AnySession


@dataclass(kw_only=True)
class MailboxClients:
    """Makes Graph clients over one pool of connections."""

    session: AnySession
    tokens: Tokens
    registration: Callable[[], AppRegistration]
    pool: urllib3.PoolManager = field(default_factory=new_pool)

    def of(self, mailbox_id: int) -> GraphClient:
        """Return the client of a connected mailbox; raise :exc:`SignInNeeded` where nobody signed in."""
        connection_id = self.session.scalar(select(Mailbox.connection_id).where(Mailbox.id == mailbox_id))
        self.session.commit()
        if connection_id is None:
            raise SignInNeeded

        def token(rejected: str | None) -> str:
            return self.tokens.access_token(connection_id, self.registration, rejected=rejected)

        return GraphClient(GraphHttp(origin=self.registration().graph, token=token, pool=self.pool))

    def with_token(self, access_token: str) -> GraphClient:
        """Return a client for an account that has just signed in and is not stored yet."""
        http = GraphHttp(origin=self.registration().graph, token=lambda rejected: access_token, pool=self.pool)
        return GraphClient(http)
