"""What an app may prove itself with: certificates with their times, and tokens of other providers, letter by letter."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey

from flask_ms365.simulator import App, Simulator
from tests.provider import AUDIENCE, ISSUER, SUBJECT, Provider

from .conftest import Clock

http = urllib3.PoolManager(retries=False, timeout=30)
OK = (200, "", 0)


@pytest.fixture
def app(simulator: Simulator) -> App:
    return simulator.register_app()


@dataclass
class Certified:
    """An app that signs what it says with a certificate, which is valid for a day."""

    app: App
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def assertion(self, clock: Clock, algorithm: str = "PS256", **claims: str) -> str:
        digest = hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).digest()
        now = int(clock().timestamp())
        usual = {"iss": self.app.client_id, "sub": self.app.client_id, "aud": "/token", "nbf": now, "exp": now + 600}
        header = {"alg": algorithm, "x5t#S256": urlsafe_b64encode(digest).decode().rstrip("=")}
        return jwt.encode(header, {**usual, **claims}, RSAKey.import_key(private_key()), algorithms=[algorithm])


@pytest.fixture
def certified(app: App, clock: Clock) -> Certified:
    """Return an app whose certificate nobody has uploaded yet."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "demo")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(clock()).not_valid_after(clock() + timedelta(days=1))
    return Certified(app, builder.public_key(private_key().public_key()).sign(private_key(), hashes.SHA256()))


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def provider(app: App) -> Provider:
    """Return another provider, whose tokens the app trusts."""
    provider = Provider(is_first=True)
    app.add_federated_credential(ISSUER, SUBJECT, provider.public_pem)
    return provider


def ask(simulator: Simulator, app: App, assertion: str) -> tuple[int, str, int]:
    """Ask for an app-only token; return status, error and AADSTS number."""
    answer = http.request_encode_body(
        "POST",
        f"{simulator.url}/{simulator.tenant_id}/oauth2/v2.0/token",
        fields={
            "grant_type": "client_credentials",
            "client_id": app.client_id,
            "scope": "https://graph.microsoft.com/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        },
        encode_multipart=False,
    )
    body = answer.json()
    return answer.status, body.get("error", ""), body.get("error_codes", [0])[0]


# certificates


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_certificate_signs_an_app_in(
    simulator: Simulator, certified: Certified, clock: Clock, algorithm: str
) -> None:
    certified.app.add_certificate(certified.pem)
    assert ask(simulator, certified.app, certified.assertion(clock, algorithm)) == OK


def test_a_certificate_that_is_not_registered_is_700027(
    simulator: Simulator, certified: Certified, clock: Clock
) -> None:
    assert ask(simulator, certified.app, certified.assertion(clock)) == (401, "invalid_client", 700027)


def test_a_certificate_that_has_expired_is_700027(simulator: Simulator, certified: Certified, clock: Clock) -> None:
    certified.app.add_certificate(certified.pem)
    clock.forward(days=2)
    assert ask(simulator, certified.app, certified.assertion(clock)) == (401, "invalid_client", 700027)


def test_an_assertion_that_was_changed_is_700027(simulator: Simulator, certified: Certified, clock: Clock) -> None:
    certified.app.add_certificate(certified.pem)
    head, _, signature = certified.assertion(clock).split(".")
    forged = f"{head}.{certified.assertion(clock, jti='other').split('.')[1]}.{signature}"
    assert ask(simulator, certified.app, forged) == (401, "invalid_client", 700027)


def test_an_assertion_out_of_its_time_is_500133(simulator: Simulator, certified: Certified, clock: Clock) -> None:
    certified.app.add_certificate(certified.pem)
    assertion = certified.assertion(clock)
    clock.forward(minutes=20)
    assert ask(simulator, certified.app, assertion) == (401, "invalid_client", 500133)


@pytest.mark.parametrize("claim", ["iss", "sub"])
def test_an_assertion_of_another_app_is_50048(
    simulator: Simulator, certified: Certified, clock: Clock, claim: str
) -> None:
    certified.app.add_certificate(certified.pem)
    assertion = certified.assertion(clock, **{claim: simulator.tenant_id})
    assert ask(simulator, certified.app, assertion) == (401, "invalid_client", 50048)


# federated credentials


def test_a_token_of_another_provider_stands_for_the_app(
    simulator: Simulator, app: App, provider: Provider, clock: Clock
) -> None:
    assert ask(simulator, app, provider.token(clock())) == OK


def test_the_audience_may_be_a_list_of_one(simulator: Simulator, app: App, provider: Provider, clock: Clock) -> None:
    assert ask(simulator, app, provider.token(clock(), aud=[AUDIENCE])) == OK


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": ISSUER.upper()},
        {"iss": f"{ISSUER}/"},
        {"sub": SUBJECT.title()},
        {"aud": AUDIENCE.lower()},
        {"aud": [AUDIENCE, "api://other"]},
    ],
)
def test_a_token_that_nearly_matches_is_70021(
    simulator: Simulator, app: App, provider: Provider, clock: Clock, claims: dict[str, Any]
) -> None:
    assert ask(simulator, app, provider.token(clock(), **claims)) == (401, "unauthorized_client", 70021)


def test_a_token_that_somebody_else_signed_is_50013(
    simulator: Simulator, app: App, provider: Provider, clock: Clock
) -> None:
    assert ask(simulator, app, Provider().token(clock())) == (401, "invalid_client", 50013)


@pytest.mark.parametrize("age", [timedelta(hours=2), timedelta(hours=-2)])
def test_a_token_out_of_its_time_is_500133(
    simulator: Simulator, app: App, provider: Provider, clock: Clock, age: timedelta
) -> None:
    assert ask(simulator, app, provider.token(clock() - age)) == (401, "invalid_client", 500133)


@pytest.mark.parametrize("assertion", ["x", "a.b.c", "W10.e30.x", "e30.bnVsbA.x"])
def test_what_is_no_token_is_50013(simulator: Simulator, app: App, provider: Provider, assertion: str) -> None:
    assert ask(simulator, app, assertion) == (401, "invalid_client", 50013)
