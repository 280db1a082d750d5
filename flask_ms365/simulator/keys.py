"""Keys: what id_tokens are signed with, and the certificates that apps sign their assertions with."""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from datetime import datetime, timedelta, timezone
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey


class Certificate:
    """A public certificate, known by its thumbprints."""

    def __init__(self, pem: str | bytes) -> None:
        self._certificate = x509.load_pem_x509_certificate(pem.encode() if isinstance(pem, str) else pem)
        der = self._certificate.public_bytes(Encoding.DER)
        self.x5c = b64encode(der).decode()
        self.x5t = _thumbprint(hashlib.sha1(der).digest())
        self.x5t_s256 = _thumbprint(hashlib.sha256(der).digest())

    def is_valid(self, now: datetime) -> bool:
        """Whether its time has come and is not over."""
        return self._certificate.not_valid_before_utc <= now <= self._certificate.not_valid_after_utc

    def public_key(self) -> RSAKey:
        """The key that checks signatures."""
        pem = self._certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        key: RSAKey = RSAKey.import_key(pem)
        return key


class SigningKey:
    """A key of the sign-in service, with the self-signed certificate that its key set shows."""

    def __init__(self) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._certificate = Certificate(_self_signed(private).public_bytes(Encoding.PEM))
        self.kid = self._certificate.x5t
        self._key = RSAKey.import_key(private)

    def sign(self, claims: dict[str, object]) -> str:
        """A signed token of these claims."""
        return jwt.encode({"typ": "JWT", "alg": "RS256", "kid": self.kid}, claims, self._key)

    def jwk(self, issuer: str) -> dict[str, object]:
        """The entry of the key set."""
        public = self._key.as_dict(private=False)
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": public["n"],
            "e": public["e"],
            "x5c": [self._certificate.x5c],
            "issuer": issuer,
        }


@cache
def first_key() -> SigningKey:
    """The key that every simulator of this process starts with: making one takes a while."""
    return SigningKey()


def _self_signed(private: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1825))
        .sign(private, hashes.SHA256())
    )


def _thumbprint(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
