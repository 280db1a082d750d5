"""A mailbox is connected, refreshed and read with each kind of credential: the kind makes no difference to people."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_ms365.simulator import App, Mailbox, Simulator, User
from flask_ms365.sync.report import Result
from tests.certificates import certificate, public_half
from tests.conftest import Clock, Host, HostFactory
from tests.identity.conftest import CONNECTED
from tests.provider import ISSUER, SUBJECT, Provider


@pytest.fixture(params=["certificate", "federated"])
def host(
    request: pytest.FixtureRequest, make_host: HostFactory, tmp_path: Path, clock: Clock, registration: App
) -> Host:
    """Return a host whose app proves itself without a secret, which Entra no longer has either."""
    registration.secrets.clear()
    if request.param == "federated":
        provider = Provider(is_first=True)
        registration.add_federated_credential(ISSUER, SUBJECT, provider.public_pem)
        (tmp_path / "token").write_text(provider.token(clock(), minutes=600))
        return make_host(MS365_FEDERATED_TOKEN_FILE=str(tmp_path / "token"), MS365_CREDENTIAL="federated")
    registration.add_certificate(public_half(certificate()))
    return make_host(MS365_CLIENT_CERTIFICATE=certificate(), MS365_CREDENTIAL="certificate")


def test_a_mailbox_is_connected_refreshed_and_read(
    host: Host, simulator: Simulator, registration: App, ana: User, mailbox: Mailbox
) -> None:
    mailbox.deliver(subject="Order 42")
    with host.app.app_context():
        changes = {"client_id": registration.client_id, "tenant_id": simulator.tenant_id, "email_sync": "1"}
        host.ms365.settings.save(changes, actor="ana")
    assert CONNECTED in host.visitor().connect(ana).text

    simulator.expire_access_tokens()
    with host.app.app_context():
        assert host.ms365.sync_mailbox(1).result is Result.DONE
