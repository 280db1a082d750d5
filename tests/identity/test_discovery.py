"""Discovery and keys: from the tenant's own issuer, on the same host, or not at all; and kept over an outage.

``fault 16`` of the list of faults is this file; a key that is rotated mid-way is in ``test_conformance.py``.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from flask_ms365.simulator import App, Simulator, User
from tests.conftest import Clock, Host, HostFactory
from tests.identity.conftest import CONNECTED, SignInBegun, counts

DISCOVERY = r"/openid-configuration$"
KEYS = r"/discovery/v2\.0/keys$"


def document(begun: SignInBegun, **changes: str) -> dict[str, str]:
    """Return what matters of a good discovery document, with changes."""
    tenant = f"{begun.simulator.url}/{begun.simulator.tenant_id}"
    return {"issuer": f"{tenant}/v2.0", "jwks_uri": f"{tenant}/discovery/v2.0/keys", **changes}


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.evil.example/{tenant}/v2.0",
        "{url}.evil.example/{tenant}/v2.0",
        "{url}/{other}/v2.0",
        "{url}/{{tenantid}}/v2.0",
        "{url}/{tenant}/v1.0",
        "{url}/x/{tenant}/v2.0",
        "",
    ],
)
def test_a_document_of_another_issuer_is_refused(begun: SignInBegun, issuer: str) -> None:
    named = issuer.format(url=begun.simulator.url, tenant=begun.simulator.tenant_id, other=uuid.uuid4())
    begun.simulator.fail_next(DISCOVERY, 200, document(begun, issuer=named))
    assert "names another issuer" in begun.return_with_tokens()
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize("address", ["https://evil.example/keys", "{url}.evil.example/keys", "{url}@evil.example/", ""])
def test_keys_on_another_host_are_not_fetched(begun: SignInBegun, address: str) -> None:
    begun.simulator.fail_next(DISCOVERY, 200, document(begun, jwks_uri=address.format(url=begun.simulator.url)))
    assert "on another host" in begun.return_with_tokens()


def test_an_unsigned_algorithm_in_the_document_changes_nothing(begun: SignInBegun) -> None:
    listed: Any = {**document(begun), "id_token_signing_alg_values_supported": ["none", "HS256"]}
    begun.simulator.fail_next(DISCOVERY, 200, listed)
    assert CONNECTED in begun.return_with_tokens()


@pytest.mark.parametrize("what", [DISCOVERY, KEYS])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {}),
        (302, {}),
        (404, {}),
        (200, b"<!doctype html><p>Welcome to the hotel Wi-Fi"),
        (200, b""),
        (200, b"[]"),
        (200, {"issuer": 5, "jwks_uri": None, "keys": "none"}),
        (200, {"keys": [{"kid": ["a", "list"]}]}),
        (200, b'{"keys": [], "issuer": "' + b"x" * 1_100_000 + b'"}'),
    ],
)
def test_an_answer_that_is_no_answer_is_told_in_plain_words(
    begun: SignInBegun, what: str, status: int, body: object
) -> None:
    begun.simulator.fail_next(what, status, body, {"Location": f"{begun.simulator.url}/elsewhere"})
    page = begun.return_with_tokens()
    assert "sign-in service" in page or "discovery document" in page
    assert begun.simulator.count("GET", "/elsewhere") == 0
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize("what", [DISCOVERY, KEYS])
def test_a_cut_connection_is_told_in_plain_words(begun: SignInBegun, what: str) -> None:
    begun.simulator.drop_connection(what)
    assert "could not be reached" in begun.return_with_tokens()


def test_an_unknown_tenant_is_named(begun: SignInBegun) -> None:
    begun.simulator.fail_next(DISCOVERY, 400, {"error": "invalid_tenant"})
    assert "does not know this tenant" in begun.return_with_tokens()


@pytest.mark.parametrize("key", [{}, {"kty": "EC"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "oct", "k": "x"}])
def test_a_key_that_is_no_rsa_key_signs_nothing(begun: SignInBegun, key: dict[str, str]) -> None:
    begun.simulator.fail_next(KEYS, 200, {"keys": [{**key, "kid": begun.simulator.signing_keys[0].kid}]})
    assert "signature is wrong" in begun.return_with_tokens()


def test_an_empty_key_list_signs_nothing(begun: SignInBegun) -> None:
    begun.simulator.fail_next(KEYS, 200, {"keys": []})
    assert "lists no keys" in begun.return_with_tokens()


@pytest.mark.parametrize(
    ("what", "status", "body"),
    [
        (DISCOVERY, 503, {}),
        (
            DISCOVERY,
            200,
            {"issuer": "https://login.evil.example/x/v2.0", "jwks_uri": "https://login.evil.example/keys"},
        ),
        (KEYS, 500, {}),
        (KEYS, 200, {"keys": []}),
        (KEYS, 200, b"<!doctype html><p>Welcome to the hotel Wi-Fi"),
        (KEYS, 200, b'{"keys": [' + b" " * 5_000_000 + b"]}"),
    ],
    ids=["503", "foreign", "500", "empty", "html", "5 MB"],
)
def test_the_last_good_keys_outlive_an_outage(
    connected: Host, simulator: Simulator, ana: User, clock: Clock, what: str, status: int, body: object
) -> None:
    clock.advance(hours=25)
    simulator.fail_next(what, status, body, times=None)
    begun = SignInBegun(*_parts(connected, simulator, ana))
    assert CONNECTED in begun.return_with_tokens(id_token=_signed_later(begun, hours=25))


def test_keys_are_looked_up_again_after_a_day(connected: Host, simulator: Simulator, ana: User, clock: Clock) -> None:
    clock.advance(hours=25)
    begun = SignInBegun(*_parts(connected, simulator, ana))
    assert CONNECTED in begun.return_with_tokens(id_token=_signed_later(begun, hours=25))
    assert simulator.count("GET", "openid-configuration") == 2


@pytest.mark.parametrize("tenant", ["contoso.onmicrosoft.com", "Contoso.OnMicrosoft.com", "organizations", "common"])
def test_the_tenant_may_be_a_domain_or_any(
    make_host: HostFactory, registration: App, simulator: Simulator, ana: User, tenant: str
) -> None:
    host = _host_of_tenant(make_host, registration, tenant)
    assert CONNECTED in host.visitor().connect(ana).text


@pytest.mark.parametrize("tid", ["{tenantid}", "common", "contoso.example", ""])
def test_for_any_tenant_the_token_still_names_one(
    make_host: HostFactory, registration: App, simulator: Simulator, ana: User, tid: str
) -> None:
    begun = SignInBegun(*_parts(_host_of_tenant(make_host, registration, "common"), simulator, ana))
    token = begun.signed(tid=tid, iss=f"{simulator.url}/{tid}/v2.0")
    assert "names no tenant" in begun.return_with_tokens(id_token=token)


@pytest.mark.parametrize("issuer", ["https://evil.example/v2.0", "{url}/{{tenantid}}/v2.0", "{url}/{other}/v2.0"])
def test_for_any_tenant_a_hostile_issuer_is_refused_each_time(
    make_host: HostFactory, registration: App, simulator: Simulator, ana: User, issuer: str
) -> None:
    host = _host_of_tenant(make_host, registration, "organizations")
    for _ in range(2):
        begun = SignInBegun(*_parts(host, simulator, ana))
        token = begun.signed(iss=issuer.format(url=simulator.url, other=uuid.uuid4()))
        assert "comes from another tenant" in begun.return_with_tokens(id_token=token)
    assert counts(host) == (0, 0)


def _host_of_tenant(make_host: HostFactory, registration: App, tenant: str) -> Host:
    return make_host(
        MS365_CLIENT_ID=registration.client_id,
        MS365_CLIENT_SECRET=registration.client_secret,
        MS365_TENANT_ID=tenant,
    )


def _parts(host: Host, simulator: Simulator, user: User) -> tuple[Any, ...]:
    visitor = host.visitor()
    (registration,) = simulator.apps.values()
    return host, simulator, registration, user, visitor, visitor.start_connect()


def _signed_later(begun: SignInBegun, *, hours: int) -> str:
    now = begun.claims()["iat"] + hours * 3600
    return begun.signed(iat=now, nbf=now, exp=now + 3900)
