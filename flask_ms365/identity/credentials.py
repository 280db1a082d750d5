"""How the app proves to Microsoft that it is itself: a client secret, a certificate, or another provider's token.

Each kind gives what a token request carries as proof. Nothing of it may be shown or logged.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar, Protocol

from flask_ms365.errors import AppRefused
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.identity.unverified import claims_of
from flask_ms365.words import Words

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_VALID_FOR = timedelta(minutes=10)  # as MSAL's
_LARGEST_TOKEN = 16 * 1024


class Credential(Protocol):
    """What an app proves itself with."""

    @property
    def kind(self) -> str:
        """``secret``, ``certificate`` or ``federated``."""

    @property
    def fingerprint(self) -> str:
        """What tells it from others, without saying anything of it."""

    def proof(self, client_id: str, token_url: str) -> dict[str, str]:
        """Return the form fields of a token request; raise AppRefused where there is nothing to prove with."""


@dataclass(frozen=True)
class ClientSecret:
    """The *Value* of a client secret."""

    value: str = field(repr=False)
    kind: ClassVar[str] = "secret"

    @property
    def fingerprint(self) -> str:
        """See :class:`Credential`."""
        return _hash("secret", self.value)

    def proof(self, client_id: str, token_url: str) -> dict[str, str]:
        """See :class:`Credential`."""
        return {"client_secret": self.value}


@dataclass(frozen=True)
class ClientCertificate:
    """A private key with its certificate, as PEM; it signs a new assertion for each request."""

    pem: str = field(repr=False)
    clock: Callable[[], datetime] = field(repr=False, compare=False)
    kind: ClassVar[str] = "certificate"

    @property
    def fingerprint(self) -> str:
        """See :class:`Credential`."""
        return _hash("certificate", self.pem)

    def proof(self, client_id: str, token_url: str) -> dict[str, str]:
        """See :class:`Credential`."""
        from joserfc import jwt
        from joserfc.jwk import RSAKey

        certificate, now = read_certificate(self.pem), self.clock()
        claims = {
            "aud": token_url,
            "iss": client_id,
            "sub": client_id,
            "jti": str(uuid.uuid4()),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + _VALID_FOR).timestamp()),
        }
        header = {"alg": "PS256", "typ": "JWT", "x5t#S256": certificate.x5t_s256}
        key = RSAKey.import_key(certificate.private_pem)
        return _assertion(jwt.encode(header, claims, key, algorithms=["PS256"]))


@dataclass(frozen=True)
class FederatedToken:
    """A token of another provider, which keeps it fresh in a file: Kubernetes, GitHub and others do."""

    path: str
    kind: ClassVar[str] = "federated"

    @property
    def fingerprint(self) -> str:
        """See :class:`Credential`."""
        return _hash("federated", self.path)

    @property
    def claims(self) -> dict[str, Any]:
        """What the token says of itself: only to be shown, for nobody has verified it. Empty where it says nothing."""
        return claims_of(self._token())

    @property
    def valid_until(self) -> datetime | None:
        """When the token in the file ends; None where there is none that says so."""
        try:
            return datetime.fromtimestamp(self.claims["exp"], timezone.utc)
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            return None

    def proof(self, client_id: str, token_url: str) -> dict[str, str]:
        """See :class:`Credential`. The file is read anew each time: its token lives for minutes."""
        token = self._token()
        if not token:
            raise AppRefused(Words("The file of the federated token (MS365_FEDERATED_TOKEN_FILE) cannot be read."))
        return _assertion(token)

    def _token(self) -> str:
        try:
            with Path(self.path).open(encoding="ascii") as file:
                return file.read(_LARGEST_TOKEN).strip()
        except (OSError, ValueError):
            return ""


def _assertion(token: str) -> dict[str, str]:
    return {"client_assertion_type": _ASSERTION, "client_assertion": token}


def _hash(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
