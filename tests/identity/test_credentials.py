"""What each kind of credential proves at Microsoft: real token requests to the simulator, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws

from flask_ms365.errors import AppRefused
from flask_ms365.identity.credentials import ClientCertificate, ClientSecret, Credential, FederatedToken
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import prove_credentials
from flask_ms365.simulator import App, Simulator
from tests.certificates import certificate, expired_certificate, private_half, public_half
from tests.conftest import Clock
from tests.provider import ISSUER, SUBJECT, Provider

Prove = Callable[[Credential], None]


@pytest.fixture
def prove(simulator: Simulator, registration: App) -> Prove:
    """Return what asks for an app-only token with a credential."""
    registered = AppRegistration(
        client_id=registration.client_id,
        credential=None,
        tenant=simulator.tenant_id,
        authority=simulator.url,
        graph=simulator.url,
    )
    return lambda credential: prove_credentials(replace(registered, credential=credential))


def refused(prove: Prove, credential: Credential) -> tuple[str, str]:
    """Return error and AADSTS number."""
    with pytest.raises(AppRefused) as refusal:
        prove(credential)
    return refusal.value.error, refusal.value.code


@pytest.fixture
def token_file(tmp_path: Path, clock: Clock) -> Path:
    """Return a file with a fresh token of another provider."""
    file = tmp_path / "token"
    file.write_text(Provider(is_first=True).token(clock()))
    return file


@pytest.fixture
def trusted(registration: App) -> None:
    """Let the app in Entra trust the provider."""
    registration.add_federated_credential(ISSUER, SUBJECT, Provider(is_first=True).public_pem)


# certificates


def test_an_uploaded_certificate_is_taken(prove: Prove, registration: App, clock: Clock) -> None:
    registration.add_certificate(public_half(certificate()))
    prove(ClientCertificate(certificate(), clock))


def test_a_certificate_that_entra_does_not_know_is_refused(prove: Prove, clock: Clock) -> None:
    assert refused(prove, ClientCertificate(certificate(), clock)) == ("invalid_client", "700027")


def test_a_certificate_that_has_expired_is_refused(prove: Prove, registration: App, clock: Clock) -> None:
    registration.add_certificate(public_half(expired_certificate()))
    assert refused(prove, ClientCertificate(expired_certificate(), clock)) == ("invalid_client", "700027")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_off_is_refused(prove: Prove, registration: App, clock: Clock, hours: int) -> None:
    registration.add_certificate(public_half(certificate()))
    off = ClientCertificate(certificate(), lambda: clock() + timedelta(hours=hours))
    assert refused(prove, off) == ("invalid_client", "500133")


def test_an_assertion_says_what_microsoft_wants(clock: Clock) -> None:
    claims = assertion_of(ClientCertificate(certificate(), clock))
    assert (claims["aud"], claims["iss"], claims["sub"]) == ("https://login/token", "client", "client")
    assert (claims["exp"], claims["nbf"]) == (claims["iat"] + 600, claims["iat"])


def test_no_two_assertions_are_the_same(clock: Clock) -> None:
    credential = ClientCertificate(certificate(), clock)
    assert assertion_of(credential)["jti"] != assertion_of(credential)["jti"]


def assertion_of(credential: ClientCertificate) -> dict[str, Any]:
    proof = credential.proof("client", "https://login/token")
    found = jws.extract_compact(proof["client_assertion"].encode())
    assert found.headers()["alg"] == "PS256"
    claims: dict[str, Any] = json.loads(found.payload)
    return claims


# federated credentials


@pytest.mark.usefixtures("trusted")
def test_a_token_of_a_trusted_provider_is_taken(prove: Prove, token_file: Path) -> None:
    prove(FederatedToken(str(token_file)))


@pytest.mark.usefixtures("trusted")
def test_the_file_is_read_anew_for_each_request(prove: Prove, token_file: Path, clock: Clock) -> None:
    credential = FederatedToken(str(token_file))
    token_file.write_text(Provider(is_first=True).token(clock() - timedelta(hours=3)))
    assert refused(prove, credential) == ("invalid_client", "500133")
    token_file.write_text(Provider(is_first=True).token(clock()) + "\n")
    prove(credential)


def test_a_token_that_entra_has_not_registered_is_refused(prove: Prove, token_file: Path) -> None:
    assert refused(prove, FederatedToken(str(token_file))) == ("unauthorized_client", "70021")


@pytest.mark.parametrize("content", [None, b"", b" \n", "пароль".encode(), b"\xff\xfe"])
def test_without_a_token_nobody_is_asked(
    prove: Prove, simulator: Simulator, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    assert refused(prove, FederatedToken(str(file))) == ("", "")
    assert len(simulator.requests) == 0


def test_a_token_says_when_it_ends(token_file: Path, clock: Clock) -> None:
    ends = FederatedToken(str(token_file)).valid_until
    assert ends is not None
    assert abs(ends - clock() - timedelta(hours=1)) < timedelta(seconds=5)


@pytest.mark.parametrize("exp", ["soon", None, [], 1e300, -1e300, float("nan"), {}])
def test_a_token_that_says_nothing_of_its_end_is_shown_without(tmp_path: Path, clock: Clock, exp: object) -> None:
    (tmp_path / "token").write_text(Provider(is_first=True).token(clock(), exp=exp))
    assert FederatedToken(str(tmp_path / "token")).valid_until is None


@pytest.mark.parametrize("text", ["x", "a.b", "e30.W10.x", "a.!!!.c", "a.bnVsbA.c"])
def test_what_is_no_token_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    assert FederatedToken(str(tmp_path / "token")).claims == {}


# all kinds


def credentials(folder: Path, clock: Callable[[], datetime]) -> list[Credential]:
    (folder / "token").write_text(Provider(is_first=True).token(clock()))
    return [
        ClientSecret("canary8Q~never.shown_anywhere-at.all"),
        ClientCertificate(certificate(), clock),
        FederatedToken(str(folder / "token")),
    ]


def test_each_kind_has_a_name_and_a_fingerprint_of_its_own(tmp_path: Path, clock: Clock) -> None:
    all_kinds = credentials(tmp_path, clock)
    assert [each.kind for each in all_kinds] == ["secret", "certificate", "federated"]
    assert len({each.fingerprint for each in all_kinds}) == 3


def test_no_repr_holds_what_is_secret(tmp_path: Path, clock: Clock) -> None:
    shown = f"{credentials(tmp_path, clock)}"
    hidden = ["canary8Q", private_half(certificate())[-140:-100], (tmp_path / "token").read_text()[-40:]]
    assert [text for text in hidden if text in shown] == []
