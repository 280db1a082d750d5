"""Certificates: what may come in, and what may be known of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from flask_ms365.identity.certificate import checked_certificate, new_certificate, read_certificate
from tests.certificates import certificate, private_half, public_half

Half = Callable[[str], str]

NOW = datetime(2026, 3, 3, 9, 2, tzinfo=timezone.utc)


@cache
def other_keys() -> dict[str, bytes]:
    """Return private keys that are of no use, as PEM."""
    plain, good = NoEncryption(), rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = BestAvailableEncryption(b"pass phrase")
    return {
        "elliptic": ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain),
        "short": rsa.generate_private_key(public_exponent=65537, key_size=1024).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, plain
        ),
        "another": good.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, plain),
        "locked": good.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked),
        "locked the old way": good.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, locked),
    }


def key(name: str) -> str:
    return other_keys()[name].decode()


def refusal(pem: str) -> str:
    try:
        checked_certificate(pem)
    except ValueError as exc:
        return str(exc)
    return "nothing is wrong"


def test_a_key_with_its_certificate_comes_in_as_it_is() -> None:
    assert checked_certificate(certificate()) == certificate()


def test_order_line_ends_and_what_stands_between_do_not_matter() -> None:
    exported = (
        f"Bag Attributes\n{public_half(certificate())}Key Attributes: <No Attributes>\n{private_half(certificate())}"
    )
    assert checked_certificate(exported.replace("\n", "\r\n")) == certificate()


@pytest.mark.parametrize("is_first", [True, False])
def test_of_a_chain_the_certificate_of_the_key_is_kept(is_first: bool) -> None:
    mine, other = public_half(certificate()), public_half(certificate("Issuer"))
    chain = mine + other if is_first else other + mine
    assert checked_certificate(private_half(certificate()) + "\n" + chain) == certificate()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("elliptic", "Microsoft takes RSA keys of at least 2048 bits"),
        ("short", "Microsoft takes RSA keys of at least 2048 bits"),
        ("another", "The certificate does not belong to this private key"),
        ("locked", "The private key has a pass phrase. Remove it first; here the key is sealed"),
        ("locked the old way", "The private key has a pass phrase. Remove it first; here the key is sealed"),
    ],
)
def test_a_key_of_no_use_is_refused_by_its_name(name: str, words: str) -> None:
    assert refusal(key(name) + public_half(certificate())) == words


@pytest.mark.parametrize("text", ["", "a client secret", "\x00\ufffd0\x82 a PFX file", "-----BEGIN CERTIFICATE-----"])
def test_what_is_not_pem_is_refused_with_the_command_that_makes_it(text: str) -> None:
    assert refusal(text) == "This is not PEM. Turn a PFX file into it: openssl pkcs12 -in app.pfx -nodes -out app.pem"


def test_the_public_half_alone_is_refused() -> None:
    assert refusal(public_half(certificate())).startswith("This is the public half only.")


@pytest.mark.parametrize("parts", [[private_half], [private_half, private_half, public_half]])
def test_one_key_and_a_certificate_are_needed(parts: list[Half]) -> None:
    pem = "\n".join(part(certificate()) for part in parts)
    assert refusal(pem) == "Give one PEM text with the private key and its certificate"


@pytest.mark.parametrize("half", [private_half, public_half])
def test_a_damaged_half_is_told_by_its_name(half: Half) -> None:
    block = half(certificate()).strip()
    lines = block.splitlines()
    damaged = "\n".join([lines[0], *lines[3:]])
    name = "private key" if half is private_half else "certificate"
    assert refusal(certificate().replace(block, damaged)) == f"The {name} cannot be read"


# fault 27
@pytest.mark.parametrize("filler", ["x", "-----BEGIN CERTIFICATE-----\n", "A" * 63 + "\n"])
def test_a_megabyte_is_refused_unread(filler: str) -> None:
    assert refusal((filler * 1_000_000)[:1_000_000]) == "This is too long for a certificate with its key"


def test_a_text_full_of_beginnings_takes_no_time() -> None:
    started = datetime.now(timezone.utc)
    refusal(("-----BEGIN CERTIFICATE-----\n" * 4000)[:99_000])
    assert datetime.now(timezone.utc) - started < timedelta(seconds=1)


def test_what_may_be_known_of_it() -> None:
    pem = new_certificate("Mail of app.example.com", now=NOW, days=365)
    known, parsed = read_certificate(pem), x509.load_pem_x509_certificate(pem[pem.index("-----BEGIN C") :].encode())
    assert known.thumbprint == parsed.fingerprint(hashes.SHA1()).hex().upper()
    assert (known.subject, known.expires_on.isoformat()) == ("CN=Mail of app.example.com", "2027-03-03")
    assert known.public_pem == parsed.public_bytes(Encoding.PEM).decode()


def test_its_repr_holds_no_key() -> None:
    known = read_certificate(certificate())
    assert ("PRIVATE" in repr(known), known.private_pem[-100:-80] in repr(known)) == (False, False)


def test_a_new_one_is_valid_now_for_a_clock_that_is_behind_and_for_a_year() -> None:
    known = read_certificate(new_certificate("Host", now=NOW, days=365))
    assert (known.valid_from, known.valid_until) == (NOW - timedelta(hours=1), NOW + timedelta(days=365))


def test_a_name_that_is_too_long_is_cut() -> None:
    assert read_certificate(new_certificate("x" * 100, now=NOW, days=1)).subject == f"CN={'x' * 64}"


def test_each_new_one_has_a_key_of_its_own() -> None:
    assert private_half(certificate("One")) != private_half(certificate("Two"))
