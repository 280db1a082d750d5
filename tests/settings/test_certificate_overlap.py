"""While a certificate is replaced, mail goes on: Entra learns of the new one when somebody uploads it."""

from __future__ import annotations

import pytest

from flask_ms365.errors import AppRefused
from flask_ms365.identity.credentials import ClientCertificate, Credential
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import prove_credentials
from flask_ms365.models import Setting
from flask_ms365.settings.registration import app_registration
from flask_ms365.simulator import App, Simulator
from tests.certificates import certificate, public_half
from tests.conftest import Host

FIRST, SECOND, THIRD = (certificate(name) for name in ("First", "Second", "Third"))
SECRET = "canary8Q~never.shown_anywhere-at.all"


def save(host: Host, **changes: str) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def registered(host: Host) -> AppRegistration:
    with host.app.app_context():
        return app_registration(host.ms365.settings, host.app.config)


def certificates(host: Host) -> tuple[str, str | None]:
    """Return the certificate that is tried, and the one that serves where it is refused."""
    registration = registered(host)
    return _pem(registration.credential), _pem(registration.previous) if registration.previous else None


def _pem(credential: Credential | None) -> str:
    assert isinstance(credential, ClientCertificate)
    return credential.pem


def prove(host: Host) -> None:
    registration = registered(host)
    with host.app.app_context():
        prove_credentials(registration)


@pytest.fixture
def certified(host: Host, simulator: Simulator, registration: App) -> Host:
    """Return a host that signs in with a first certificate, which Entra knows."""
    registration.add_certificate(public_half(FIRST))
    save(
        host,
        client_id=registration.client_id,
        tenant_id=simulator.tenant_id,
        credential="certificate",
        client_certificate=FIRST,
    )
    return host


def test_the_old_certificate_serves_until_entra_knows_the_new_one(certified: Host, registration: App) -> None:
    save(certified, client_certificate=SECOND)
    prove(certified)
    assert certificates(certified) == (SECOND, FIRST)

    registration.add_certificate(public_half(SECOND))
    prove(certified)
    assert certificates(certified) == (SECOND, None)


def test_a_certificate_that_nobody_uploaded_is_not_replaced_into_oblivion(certified: Host) -> None:
    save(certified, client_certificate=SECOND)
    save(certified, client_certificate=THIRD)
    prove(certified)
    assert certificates(certified) == (THIRD, FIRST)


def test_where_neither_works_people_hear_of_the_new_one(certified: Host, registration: App) -> None:
    save(certified, client_certificate=SECOND)
    registration.certificates.clear()
    with pytest.raises(AppRefused) as refused:
        prove(certified)
    assert refused.value.code == "700027"


def test_a_certificate_of_another_app_has_none_beside_it(certified: Host) -> None:
    save(certified, client_certificate=SECOND, client_id="7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c")
    assert certificates(certified) == (SECOND, None)


def test_a_secret_does_not_serve_for_a_certificate(configured: Host) -> None:
    save(configured, credential="certificate", client_certificate=SECOND)
    assert certificates(configured) == (SECOND, None)


def test_a_certificate_that_was_not_in_use_leaves_nothing_behind(configured: Host) -> None:
    save(configured, client_certificate=FIRST)
    save(configured, client_certificate=SECOND)
    save(configured, credential="certificate")
    assert certificates(configured) == (SECOND, None)


def test_a_secret_that_is_not_in_use_leaves_nothing_behind_either(certified: Host) -> None:
    save(certified, client_secret=SECRET)
    save(certified, client_secret=f"{SECRET}2")
    with certified.app.app_context():
        row = certified.app.extensions["sqlalchemy"].session.get_one(Setting, "client_secret")
        assert row.previous is None


def test_a_certificate_that_worked_does_not_speak_for_the_one_saved_meanwhile(certified: Host) -> None:
    save(certified, client_certificate=SECOND)
    of_another_process = registered(certified)
    save(certified, client_certificate=THIRD)
    with certified.app.app_context():
        of_another_process.credential_worked()
    assert certificates(certified) == (THIRD, FIRST)


def test_no_private_key_is_in_a_repr(certified: Host) -> None:
    save(certified, client_certificate=SECOND)
    shown = f"{registered(certified)!r}"
    assert "PRIVATE" not in shown
