"""Which credential is in use, what is missing without it, and what may be saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from flask_ms365.errors import ConfigurationError, InvalidSettings, NotConfigured
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.identity.credentials import ClientCertificate, ClientSecret, FederatedToken
from flask_ms365.models import AuditEvent, Setting
from flask_ms365.settings import USE_DEFAULT, UseDefault
from flask_ms365.settings.registration import app_registration
from tests.certificates import certificate, expired_certificate, private_half, public_half
from tests.conftest import Host, HostFactory
from tests.settings.test_service import CREDENTIALS, SECRET

APP = {key: CREDENTIALS[key] for key in ("client_id", "tenant_id")}
CERTIFIED = {**APP, "credential": "certificate", "client_certificate": certificate()}


def save(host: Host, changes: Mapping[str, str | UseDefault]) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def refused(host: Host, changes: Mapping[str, str | UseDefault]) -> dict[str, str]:
    with pytest.raises(InvalidSettings) as refusal:
        save(host, changes)
    return refusal.value.problems


def missing(host: Host) -> list[str]:
    with host.app.app_context():
        return host.ms365.settings.read().missing_credentials


def credential(host: Host) -> object:
    with host.app.app_context():
        return app_registration(host.ms365.settings, host.app.config).credential


def row_of(host: Host, key: str) -> Setting:
    with host.app.app_context():
        row: Setting = host.app.extensions["sqlalchemy"].session.get_one(Setting, key)
        return row


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    (tmp_path / "token").write_text("a.b.c")
    return str(tmp_path / "token")


# which one is in use


def test_without_a_choice_it_is_the_client_secret(host: Host) -> None:
    save(host, {**CREDENTIALS, "client_certificate": certificate()})
    assert credential(host) == ClientSecret(SECRET)


def test_a_certificate_serves_where_it_was_chosen(host: Host) -> None:
    save(host, {**CERTIFIED, "client_secret": SECRET})
    found = credential(host)
    assert isinstance(found, ClientCertificate)
    assert found.pem == certificate()


def test_a_certificate_of_the_deployment_may_lie_in_a_file(make_host: HostFactory, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text(f"{public_half(certificate())}\n{private_half(certificate())}\n")
    given = {f"MS365_{key.upper()}": value for key, value in CREDENTIALS.items()}
    host = make_host(**given, MS365_CREDENTIAL="certificate", MS365_CLIENT_CERTIFICATE_FILE=str(tmp_path / "app.pem"))
    found = credential(host)
    assert isinstance(found, ClientCertificate)
    assert found.pem == certificate()


def test_another_file_is_seen_at_once(make_host: HostFactory, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text(certificate())
    host = make_host(MS365_CLIENT_CERTIFICATE_FILE=str(tmp_path / "app.pem"))
    (tmp_path / "app.pem").write_text(certificate("Next"))
    with host.app.app_context():
        assert host.ms365.settings.effective("client_certificate").value == certificate("Next")


def test_a_federated_token_lies_where_the_deployment_says(make_host: HostFactory, token_file: str) -> None:
    host = make_host(MS365_FEDERATED_TOKEN_FILE=token_file)
    save(host, {**CREDENTIALS, "credential": "federated"})
    assert credential(host) == FederatedToken(token_file)


# what is missing


@pytest.mark.parametrize(
    ("kind", "key"), [("secret", "client_secret"), ("certificate", "client_certificate"), ("federated", None)]
)
def test_only_the_credential_of_the_chosen_kind_is_missed(
    make_host: HostFactory, token_file: str, kind: str, key: str | None
) -> None:
    host = make_host(MS365_FEDERATED_TOKEN_FILE=token_file)
    save(host, {"credential": kind})
    assert missing(host) == ["client_id", *([key] if key else []), "tenant_id"]


def test_a_federated_credential_is_missed_where_the_deployment_no_longer_names_its_file(
    make_host: HostFactory, token_file: str
) -> None:
    before = make_host(MS365_FEDERATED_TOKEN_FILE=token_file)
    save(before, {**CREDENTIALS, "credential": "federated"})
    host = make_host(MS365_ENCRYPTION_KEYS=before.app.config["MS365_ENCRYPTION_KEYS"])
    assert missing(host) == ["credential"]
    with pytest.raises(NotConfigured, match="Credential is missing"):
        credential(host)


# what may be saved


def test_the_toggle_names_the_certificate_that_it_waits_for(host: Host) -> None:
    problems = refused(host, {**CREDENTIALS, "credential": "certificate", "email_sync": "1"})
    assert problems == {"email_sync": "Emails sync needs Client Certificate first"}


def test_the_toggle_goes_on_with_a_certificate_alone(host: Host) -> None:
    save(host, {**CERTIFIED, "email_sync": "1"})
    assert missing(host) == []


@pytest.mark.parametrize("value", ["", USE_DEFAULT])
def test_a_certificate_in_use_cannot_be_given_up_while_the_sync_is_on(host: Host, value: str | UseDefault) -> None:
    save(host, {**CERTIFIED, "email_sync": "1"})
    assert refused(host, {"client_certificate": value}) == {
        "client_certificate": "Emails sync is on and needs the Client Certificate. Switch it off first"
    }


def test_a_secret_that_is_not_in_use_can(host: Host) -> None:
    save(host, {**CERTIFIED, "client_secret": SECRET, "email_sync": "1"})
    save(host, {"client_secret": USE_DEFAULT})
    assert missing(host) == []


def test_a_kind_without_a_credential_cannot_be_chosen_while_the_sync_is_on(host: Host) -> None:
    save(host, {**CREDENTIALS, "email_sync": "1"})
    assert refused(host, {"credential": "certificate"}) == {
        "client_certificate": "Emails sync is on and would need the Client Certificate. Add it in the same save"
    }


def test_kind_and_certificate_may_come_in_one_save_while_the_sync_is_on(host: Host) -> None:
    save(host, {**CREDENTIALS, "email_sync": "1"})
    save(host, {"credential": "certificate", "client_certificate": certificate()})
    assert isinstance(credential(host), ClientCertificate)


def test_a_certificate_that_has_expired_is_refused_with_the_day(host: Host) -> None:
    said = refused(host, {"client_certificate": expired_certificate()})["client_certificate"]
    assert said.startswith("This certificate expired on 20")
    assert said.endswith(". Make a new one")


def test_one_of_the_deployment_that_has_expired_does_not_stop_the_app(make_host: HostFactory) -> None:
    with make_host(MS365_CLIENT_CERTIFICATE=expired_certificate()).app.app_context() as context:
        assert context.app.extensions["ms365.state"].settings.read().is_set("client_certificate")


def test_a_federated_credential_cannot_be_chosen_without_its_file(host: Host) -> None:
    assert "Set MS365_FEDERATED_TOKEN_FILE in app.config" in refused(host, {"credential": "federated"})["credential"]


def test_another_kind_is_refused(host: Host) -> None:
    assert refused(host, {"credential": "password"}) == {
        "credential": "Credential must be one of secret, certificate, federated"
    }


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"MS365_CREDENTIAL": "federated"}, "MS365_FEDERATED_TOKEN_FILE names no file"),
        ({"MS365_CREDENTIAL": "password"}, "MS365_CREDENTIAL in app.config: Credential must be one of"),
        ({"MS365_CLIENT_CERTIFICATE": "junk"}, "MS365_CLIENT_CERTIFICATE in app.config: This is not PEM"),
        ({"MS365_CLIENT_CERTIFICATE_FILE": "/nowhere.pem"}, "MS365_CLIENT_CERTIFICATE_FILE names /nowhere.pem"),
    ],
)
def test_a_deployment_that_cannot_hold_is_refused_at_once(
    make_host: HostFactory, config: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        make_host(**config)


def test_no_setting_names_a_file(host: Host) -> None:
    """Whoever could name one could have any file of the server read."""
    with pytest.raises(KeyError):
        save(host, {"federated_token_file": "/etc/passwd"})


# what is stored and told


def test_a_certificate_is_sealed_with_its_key(host: Host) -> None:
    save(host, CERTIFIED)
    row = row_of(host, "client_certificate")
    assert (row.value, str(row.sealed)[:4], "PRIVATE" in str(row.sealed)) == (None, "ms1.", False)


def test_the_audit_log_tells_its_thumbprint(host: Host) -> None:
    save(host, {"client_certificate": certificate()})
    save(host, {"client_certificate": certificate("Next")})
    with host.app.app_context():
        events = host.app.extensions["sqlalchemy"].session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        told = [(event.detail["old"], event.detail["new"]) for event in events]
    first, second = ({"thumbprint": thumbprint(pem)} for pem in (certificate(), certificate("Next")))
    assert told == [(None, first), (first, second)]


def thumbprint(pem: str) -> str:
    return read_certificate(pem).thumbprint
