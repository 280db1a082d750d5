"""What the check says of a certificate and of a federated credential, and what the command tells of their end."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from flask_ms365.identity.certificate import read_certificate
from tests.certificates import certificate, public_half
from tests.check.conftest import Desk, desk, see
from tests.provider import ISSUER, SUBJECT, Provider

__all__ = ["desk"]


@pytest.fixture
def certified(desk: Desk) -> Desk:
    """Return the desk of an app that signs in by a certificate, which Entra knows."""
    desk.app.add_certificate(public_half(certificate()))
    desk.save(credential="certificate", client_certificate=certificate())
    return desk


@pytest.fixture
def federated(desk: Desk, tmp_path: Path) -> Desk:
    """Return the desk of an app that signs in by another provider's token, which Entra trusts."""
    provider = Provider(is_first=True)
    desk.app.add_federated_credential(ISSUER, SUBJECT, provider.public_pem)
    (tmp_path / "token").write_text(provider.token(desk.clock()))
    desk.restart(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "token"))
    desk.save(credential="federated")
    return desk


def outcome(desk: Desk, step: str) -> tuple[str, str]:
    said = see(desk.host, step)
    return said.state, str(said.message)


def test_a_certificate_passes(certified: Desk) -> None:
    assert outcome(certified, "settings") == ("passed", "Client ID, client certificate and tenant are there.")
    assert outcome(certified, "credentials") == ("passed", "Microsoft takes client ID and client certificate.")


def test_a_certificate_that_entra_does_not_know_is_named(certified: Desk) -> None:
    certified.app.certificates.clear()
    said = see(certified.host, "credentials")
    assert (said.state, said.code, said.page) == ("failed", "700027", "secrets")


def test_a_certificate_that_ends_is_told_before_and_after(certified: Desk) -> None:
    left = (read_certificate(certificate()).expires_on - certified.clock().date()).days
    certified.clock.advance(days=left - 7)
    assert outcome(certified, "settings") == ("warning", "The client certificate expires in 7 days")
    certified.clock.advance(days=8)
    assert outcome(certified, "settings") == ("failed", "The client certificate expired 1 day ago")
    assert "Make a new certificate" in see(certified.host, "settings").next_step


def test_without_the_chosen_credential_it_is_the_one_that_is_missing(certified: Desk) -> None:
    certified.save(client_certificate="")
    assert outcome(certified, "settings") == ("failed", "Client Certificate is missing.")


def test_a_federated_credential_passes(federated: Desk) -> None:
    assert outcome(federated, "settings") == (
        "passed",
        "Client ID, the file of the federated token and tenant are there.",
    )
    assert outcome(federated, "credentials") == ("passed", "Microsoft takes client ID and federated token.")


def test_one_that_does_not_match_is_told_with_what_the_token_says(federated: Desk) -> None:
    federated.app.federated_credentials.clear()
    said = see(federated.host, "credentials")
    assert (said.state, said.code) == ("failed", "70021")
    assert dict(said.details)["Subject"] == SUBJECT
    assert dict(said.details)["Issuer"] == ISSUER


def test_a_token_that_nobody_renews_is_told(federated: Desk, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(Provider(is_first=True).token(federated.clock() - timedelta(hours=3)))
    assert outcome(federated, "settings") == (
        "failed",
        "The federated token in its file has expired: whatever renews it has stopped",
    )
    assert see(federated.host, "credentials").code == "500133"


def test_a_file_that_is_gone_is_told(federated: Desk, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()
    assert outcome(federated, "settings")[0] == "warning"
    assert outcome(federated, "credentials") == (
        "failed",
        "The file of the federated token (MS365_FEDERATED_TOKEN_FILE) cannot be read.",
    )


def test_the_command_tells_the_end_of_what_is_in_use(certified: Desk) -> None:
    certified.save(client_secret_expires_on="2027-01-01")
    told = json.loads(certified.host.app.test_cli_runner().invoke(args=["ms365", "check", "--json"]).stdout)
    ends = read_certificate(certificate()).expires_on
    assert (told["credential"], told["credential_expires_on"]) == ("certificate", ends.isoformat())
    assert told["credential_days_left"] == (ends - certified.clock().date()).days
    assert told["client_secret_expires_on"] is None
