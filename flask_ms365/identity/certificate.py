"""Certificates that an app signs in with: read from PEM, made new, and what an admin may see of them."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from flask_ms365.words import Words

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----(?:(?!-----BEGIN ).)+?-----END \1-----", re.DOTALL)
_BITS = 2048
_LONGEST = 100_000  # characters; a key with its chain has some ten thousand


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A private key with its certificate. ``thumbprint`` is as Entra shows it, ``public_pem`` is what it wants."""

    private_pem: str = field(repr=False)
    public_pem: str
    thumbprint: str
    # base64url of the SHA-256 of the certificate, the ``x5t#S256`` of assertions
    x5t_s256: str
    subject: str
    valid_from: datetime
    valid_until: datetime

    @property
    def expires_on(self) -> date:
        """Its last day."""
        return self.valid_until.date()


def checked_certificate(pem: str) -> str:
    """Return the private key of ``pem`` and the certificate that belongs to it, as PEM, without a chain.

    Raise ValueError with what is wrong. It takes a while: the numbers of the key are proved to fit together.
    """
    if len(pem) > _LONGEST:
        raise ValueError(Words("This is too long for a certificate with its key"))
    keys, certificates = _blocks(pem)
    if not keys and not certificates:
        raise ValueError(
            Words("This is not PEM. Turn a PFX file into it: openssl pkcs12 -in app.pfx -nodes -out app.pem")
        )
    if not keys:
        raise ValueError(Words("This is the public half only. Give one file with the private key and its certificate"))
    if len(keys) != 1 or not certificates:
        raise ValueError(Words("Give one PEM text with the private key and its certificate"))
    public_key = _private_key(keys[0]).public_key()
    for block in certificates:  # a chain may follow it
        if _parsed(block).public_key() == public_key:
            return f"{keys[0]}\n{block}\n"
    raise ValueError(Words("The certificate does not belong to this private key"))


def read_certificate(pem: str) -> Certificate:
    """Return what is in a PEM text that :func:`checked_certificate` has made; quickly, for each page may ask."""
    from cryptography.hazmat.primitives.serialization import Encoding

    (private_pem,), (public_pem,) = _blocks(pem)
    certificate = _parsed(public_pem)
    der = certificate.public_bytes(Encoding.DER)
    return Certificate(
        private_pem=private_pem,
        public_pem=f"{public_pem}\n",
        thumbprint=hashlib.sha1(der).hexdigest().upper(),
        x5t_s256=base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("="),
        subject=certificate.subject.rfc4514_string(),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


def new_certificate(name: str, *, now: datetime, days: int) -> str:
    """Return a new key and a certificate that it signed itself, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(named)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # Microsoft's clock may be behind ours
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode()


def _blocks(pem: str) -> tuple[list[str], list[str]]:
    """Return private keys and certificates."""
    blocks = [(found[1], found[0]) for found in _BLOCK.finditer(pem.replace("\r", ""))]
    keys = [block for kind, block in blocks if kind.endswith("PRIVATE KEY")]
    return keys, [block for kind, block in blocks if kind == "CERTIFICATE"]


def _parsed(block: str) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(block.encode())
    except ValueError:
        raise ValueError(Words("The certificate cannot be read")) from None


def _private_key(block: str) -> RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "ENCRYPTED" in block:
        raise ValueError(Words("The private key has a pass phrase. Remove it first; here the key is sealed"))
    try:
        key = load_pem_private_key(block.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(Words("The private key cannot be read")) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _BITS:
        raise ValueError(Words("Microsoft takes RSA keys of at least %(bits)s bits", bits=_BITS))
    return key
