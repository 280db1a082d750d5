"""Identity software that others wrote: a certified OpenID provider in a process of its own, and a host that uses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.conftest import CALLBACK, Host, HostFactory
from tests.services import missing

_HERE = Path(__file__).parent


@dataclass
class Provider:
    """The provider's address, its one client, and whose account everybody signs in to."""

    tenant: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_secret: str = field(default_factory=lambda: uuid.uuid4().hex)
    oid: str = field(default_factory=lambda: str(uuid.uuid4()))
    url: str = ""

    @property
    def arguments(self) -> str:
        """What it is started with."""
        client = {"client_id": self.client_id, "client_secret": self.client_secret, "redirect_uris": [CALLBACK]}
        account = {"oid": self.oid, "name": "Ana Ruiz", "preferred_username": "ana@contoso.example"}
        return json.dumps({"tenant": self.tenant, "client": client, "account": account})

    @property
    def seen(self) -> dict[str, Any]:
        """What it has seen: ``refreshes`` that were good, grants ``revoked``, and its ``refusals`` in words."""
        with urllib3.PoolManager() as http:
            found: dict[str, Any] = http.request("GET", f"{self.url}/seen").json()
            return found


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Yield the provider, started; without Node.js or its packages skip and say why."""
    node = shutil.which("node")
    if node is None:
        missing("there is no Node.js here (Debian: apt-get install nodejs npm)")
    if not (_HERE / "node_modules").is_dir():
        missing("oidc-provider is not here (npm ci, in tests/interop)")
    made = Provider()
    command = [node, str(_HERE / "provider.mjs"), made.arguments]
    # it ends with its standard input, and so never outlives this process
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        made.url = process.stdout.readline().decode().strip()
        if not made.url:
            missing("oidc-provider does not start (it needs Node.js 20 or newer)")
        yield made
        process.stdin.close()


@pytest.fixture
def host(make_host: HostFactory, provider: Provider) -> Host:
    """Return a host whose settings name the provider."""
    host = make_host(MS365_AUTHORITY_URL=provider.url, MS365_GRAPH_URL=provider.url)
    settings = {
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "tenant_id": provider.tenant,
    }
    with host.app.app_context():
        host.ms365.settings.save(settings, actor="ana")
    return host
