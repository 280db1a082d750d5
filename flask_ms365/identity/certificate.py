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

_BLOCK = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
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
    expires_on: date


def read_certificate(pem: str) -> Certificate:
    """Return the key of ``pem`` and the certificate that belongs to it; raise ValueError with what is wrong."""
    from cryptography import x509

    if len(pem) > _LONGEST:
        raise ValueError(Words("This is too long for a certificate with its key"))
    blocks = [(found[1], found[0]) for found in _BLOCK.finditer(pem)]
    keys = [block for kind, block in blocks if kind.endswith("PRIVATE KEY")]
    certificates = [block for kind, block in blocks if kind == "CERTIFICATE"]
    if len(keys) != 1 or not certificates:
        raise ValueError(Words("Give one PEM text with the private key and its certificate"))
    key = _private_key(keys[0])
    try:
        parsed = [(x509.load_pem_x509_certificate(block.encode()), block) for block in certificates]
    except ValueError:
        raise ValueError(Words("The certificate cannot be read")) from None
    for certificate, block in parsed:  # a chain may follow it
        if certificate.public_key() == key.public_key():
            return _certificate(certificate, block, keys[0])
    raise ValueError(Words("The certificate does not belong to this private key"))


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


def _certificate(certificate: x509.Certificate, block: str, private_pem: str) -> Certificate:
    from cryptography.hazmat.primitives.serialization import Encoding

    der = certificate.public_bytes(Encoding.DER)
    return Certificate(
        private_pem=private_pem,
        public_pem=f"{block}\n",
        thumbprint=hashlib.sha1(der).hexdigest().upper(),
        x5t_s256=base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("="),
        subject=certificate.subject.rfc4514_string(),
        expires_on=certificate.not_valid_after_utc.date(),
    )
