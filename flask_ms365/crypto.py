"""The keyring, and the column type for what it seals.

A sealed secret reads ``ms1.<key id>.<fernet token>``. The context (which table, row and field) is inside the token, so
that a ciphertext copied to another row does not open there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Dialect, String, Text, func
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

from flask_ms365.config import listed, secret_text
from flask_ms365.errors import ConfigurationError, KeyMissing, NoEncryptionKey, Tampered

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_PREFIX = "ms1"
_KEY_ID_LENGTH = 8


class Keyring:
    """Fernet keys: the first seals, all open."""

    def __init__(self, keys: list[str]) -> None:
        self._fernets = {key_id(key): _fernet(key) for key in keys}

    def __bool__(self) -> bool:
        return bool(self._fernets)

    @property
    def key_ids(self) -> frozenset[str]:
        """The public names of the keys."""
        return frozenset(self._fernets)

    @property
    def ordered_ids(self) -> list[str]:
        """The public names in the order of the ring; the first one's key seals."""
        return list(self._fernets)

    @property
    def first(self) -> str:
        """The public name of the key that seals; raise :exc:`NoEncryptionKey` when the ring is empty."""
        if not self._fernets:
            raise NoEncryptionKey
        return next(iter(self._fernets))

    def __repr__(self) -> str:
        return f"<Keyring {' '.join(self._fernets) or 'empty'}>"

    def seal(self, value: str, context: str) -> str:
        """Return ``value`` sealed for ``context``; raise :exc:`NoEncryptionKey` when the ring is empty."""
        token = self._fernets[self.first].encrypt(json.dumps([context, value]).encode())
        return f"{_PREFIX}.{self.first}.{token.decode()}"

    def open(self, sealed: str, context: str) -> str:
        """Return what :meth:`seal` was given; raise :exc:`KeyMissing` or :exc:`Tampered`, never a wrong value."""
        sealed_context, value = self._opened(sealed)
        if sealed_context != context:
            raise Tampered
        return value

    def reseal(self, sealed: str) -> str:
        """Return the same secret for the same place, sealed with the first key; raise as :meth:`open` does."""
        context, value = self._opened(sealed)
        return self.seal(value, context)

    def _opened(self, sealed: str) -> tuple[str, str]:
        prefix, _, rest = sealed.partition(".")
        kid, _, token = rest.partition(".")
        if prefix != _PREFIX or not token:
            raise Tampered
        if kid not in self._fernets:
            raise KeyMissing(kid)
        from cryptography.fernet import InvalidToken

        try:
            context, value = json.loads(self._fernets[kid].decrypt(token.encode()))
        except (InvalidToken, ValueError):
            raise Tampered from None
        return str(context), str(value)


class Sealed(TypeDecorator[str]):
    """A text column that takes sealed secrets only: a forgotten ``seal`` fails before it reaches the database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is not None and not value.startswith(f"{_PREFIX}."):
            raise ValueError("An unsealed secret was about to be stored.")
        return value


def key_id_in(sealed: InstrumentedAttribute[str | None] | ColumnElement[Any]) -> ColumnElement[str]:
    """Return what reads, in a query, under which key the secrets of a column were sealed."""
    return func.substr(sealed, len(_PREFIX) + 2, _KEY_ID_LENGTH, type_=String)


def keyring_from(config: Mapping[str, Any]) -> Keyring:
    """Build the ring of ``MS365_ENCRYPTION_KEYS`` (a list, or text with commas or line breaks) or its ``_FILE``."""
    keys = config.get("MS365_ENCRYPTION_KEYS")
    if keys is None:
        keys = secret_text(config, "MS365_ENCRYPTION_KEYS") or ""
    return Keyring(listed(keys))


def generate_key() -> str:
    """Return a new key for ``MS365_ENCRYPTION_KEYS``."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def key_id(key: str) -> str:
    """Return the public name of a key: eight hexadecimal digits of its hash."""
    return hashlib.sha256(key.encode()).hexdigest()[:_KEY_ID_LENGTH]


def is_key_id(text: str) -> bool:
    """Tell whether ``text`` may be the public name of a key."""
    return len(text) == _KEY_ID_LENGTH and set(text) <= set("0123456789abcdef")


def _fernet(key: str) -> Fernet:
    # imported late, as in all of this module: importing the package must stay cheap, and an empty ring needs nothing
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError:
        raise ConfigurationError(
            'MS365_ENCRYPTION_KEYS holds something that is no key. Make one with "flask ms365 keys generate".'
        ) from None
