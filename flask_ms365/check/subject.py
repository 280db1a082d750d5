"""What the steps of the connection check look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.redirect_uri import redirect_uri_problems
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.settings.snapshot import Snapshot

if TYPE_CHECKING:
    from flask_ms365.crypto import Keyring
    from flask_ms365.errors import TokenError
    from flask_ms365.models.base import AnySession
    from flask_ms365.sync.mailbox_client import MailboxClients


@dataclass(frozen=True, kw_only=True)
class Address:
    """The redirect URI, what looks wrong with it, and whether an admin has yet to confirm it."""

    redirect_uri: str
    warnings: tuple[str, ...] = ()
    is_guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One app at one moment. ``address`` is None where nobody knows it: at the command line, unconfigured."""

    snapshot: Snapshot
    config: Mapping[str, Any] = field(repr=False)  # it holds keys, and whatever the host keeps secret
    session: AnySession
    keyring: Keyring
    clients: MailboxClients
    registration: Callable[[], AppRegistration]
    # which engine ticks, and why it did not take the last change
    engine: str
    hook_problem: str
    # why no mailbox gets new tokens, where that is so
    held: Callable[[], TokenError | None]
    clock: Callable[[], datetime]
    address: Address | None
    # an address that the app must not read by itself; empty where nobody named one
    forbidden: str = ""

    @property
    def authority(self) -> str:
        """The origin of the sign-in service, as the settings have it; no transaction is open afterwards."""
        authority = self.config["MS365_AUTHORITY_URL"] or CLOUDS[self.snapshot.text("cloud")].login
        self.session.commit()
        return str(authority)

    @property
    def app(self) -> AppRegistration:
        """The registration that the settings describe; no transaction is open afterwards."""
        registration = self.registration()
        self.session.commit()
        return registration

    @property
    def client_id(self) -> str:
        """The application id."""
        return self.snapshot.text("client_id")


def address_without_request(snapshot: Snapshot, config: Mapping[str, Any]) -> Address | None:
    """Return the address that is configured or was confirmed; a request could only confirm it."""
    base = config["MS365_PUBLIC_BASE_URL"] or snapshot.confirmed_base_url
    if not base:
        return None
    uri = f"{base}{config['MS365_URL_PREFIX']}/oauth/callback"
    return Address(redirect_uri=uri, warnings=tuple(redirect_uri_problems(uri)))
