"""Microsoft's own library signs in, refreshes and asks for app-only tokens at the simulator: it speaks the dialect.

It runs as it is, against Microsoft's own address, where the simulator stands; with a secret and with a certificate.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Any

import msal
import pytest
import requests

from flask_ms365.simulator import App, Simulator, User
from tests.certificates import certificate, private_half, public_half
from tests.conftest import CALLBACK
from tests.interop.microsofts_address import LOGIN, session_at, sign_in

SCOPES = ["User.Read", "Mail.Read"]
GRAPH = ["https://graph.microsoft.com/.default"]


@pytest.fixture
def session(simulator: Simulator) -> requests.Session:
    return session_at(simulator)


@pytest.fixture(params=["secret", "certificate"])
def credential(request: pytest.FixtureRequest, registration: App) -> Any:
    """Return what the library takes as a credential; the app has no other."""
    if request.param == "secret":
        return registration.client_secret
    pem = certificate()
    registration.add_certificate(public_half(pem))
    registration.secrets.clear()
    return {"private_key": private_half(pem), "public_certificate": public_half(pem)}


def application(
    simulator: Simulator, registration: App, credential: Any, session: requests.Session, **more: Any
) -> msal.ConfidentialClientApplication:
    return msal.ConfidentialClientApplication(
        registration.client_id,
        authority=f"{LOGIN}/{more.pop('tenant', simulator.tenant_id)}",
        client_credential=credential,
        http_client=session,
        **more,
    )


@pytest.fixture
def app(
    simulator: Simulator, registration: App, credential: Any, session: requests.Session
) -> msal.ConfidentialClientApplication:
    return application(simulator, registration, credential, session)


def signed_in(app: msal.ConfidentialClientApplication, session: requests.Session, user: User) -> dict[str, Any]:
    """Sign in by the authorization code flow with PKCE; return the library's answer."""
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, response_mode="form_post")
    answer: dict[str, Any] = app.acquire_token_by_auth_code_flow(flow, sign_in(session, flow["auth_uri"], user))
    return answer


def test_somebody_signs_in(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    answer = signed_in(app, session, ana)
    claims = answer["id_token_claims"]
    assert (claims["tid"], claims["oid"], claims["name"]) == (simulator.tenant_id, ana.oid, ana.name)
    assert claims["iss"] == f"{LOGIN}/{simulator.tenant_id}/v2.0"
    assert set(SCOPES) <= set(answer["scope"].split())
    assert answer["access_token"] in simulator.grants.access_tokens


def test_the_account_is_known_by_object_and_tenant(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    signed_in(app, session, ana)
    (account,) = app.get_accounts()
    assert account["home_account_id"] == f"{ana.oid}.{simulator.tenant_id}"
    assert account["username"] == ana.upn


@pytest.mark.parametrize("tenant", ["organizations", "common"])
def test_somebody_signs_in_where_any_tenant_may(
    simulator: Simulator, registration: App, credential: Any, session: requests.Session, ana: User, tenant: str
) -> None:
    app = application(simulator, registration, credential, session, tenant=tenant)
    assert signed_in(app, session, ana)["id_token_claims"]["iss"] == f"{LOGIN}/{simulator.tenant_id}/v2.0"


def test_a_token_that_is_kept_serves_without_a_request(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    first = signed_in(app, session, ana)
    asked = simulator.count("POST", "/oauth2/v2.0/token")
    again = app.acquire_token_silent(SCOPES, app.get_accounts()[0])
    assert again["access_token"] == first["access_token"]
    assert simulator.count("POST", "/oauth2/v2.0/token") == asked


def test_it_refreshes(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    first = signed_in(app, session, ana)
    for _ in range(2):  # the second time with the refresh token that the first one brought
        again = app.acquire_token_silent(SCOPES, app.get_accounts()[0], force_refresh=True)
        assert again["token_source"] == "identity_provider"
        assert again["access_token"] not in (first["access_token"], None)
        assert again["id_token_claims"]["oid"] == ana.oid


def test_it_takes_a_refresh_token_over(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    refresh_token = signed_in(app, session, ana)["refresh_token"]
    answer = app.acquire_token_by_refresh_token(refresh_token, SCOPES)
    assert answer["access_token"] in simulator.grants.access_tokens


def test_the_app_gets_a_token_of_its_own(app: msal.ConfidentialClientApplication, simulator: Simulator) -> None:
    answer = app.acquire_token_for_client(GRAPH)
    assert simulator.grants.access_tokens[answer["access_token"]].user is None
    assert answer["expires_in"] == 3600
    assert "refresh_token" not in answer
    assert app.acquire_token_for_client(GRAPH)["token_source"] == "cache"


def test_an_older_release_signs_with_what_it_has(
    simulator: Simulator, registration: App, session: requests.Session
) -> None:
    """RS256, and the certificate named by its SHA-1 thumbprint."""
    known = registration.add_certificate(public_half(certificate()))
    older = {"private_key": private_half(certificate()), "thumbprint": urlsafe_b64decode(f"{known.x5t}=").hex()}
    assert "access_token" in application(simulator, registration, older, session).acquire_token_for_client(GRAPH)


def test_who_declares_that_it_can_is_challenged(
    simulator: Simulator, registration: App, credential: Any, session: requests.Session, ana: User
) -> None:
    app = application(simulator, registration, credential, session, client_capabilities=["cp1"])
    assert simulator.grants.access_tokens[signed_in(app, session, ana)["access_token"]].is_capable


def test_a_revoked_sign_in_is_told_as_the_library_understands_it(
    app: msal.ConfidentialClientApplication, session: requests.Session, simulator: Simulator, ana: User
) -> None:
    signed_in(app, session, ana)
    simulator.revoke(ana)
    answer = app.acquire_token_silent_with_error(SCOPES, app.get_accounts()[0], force_refresh=True)
    assert answer["error"] == "invalid_grant"
    assert answer["error_codes"] == [50173]
    assert answer["error_description"].startswith("AADSTS50173")
    assert {"correlation_id", "trace_id", "timestamp"} <= answer.keys()


def test_a_wrong_secret_is_told_as_the_library_understands_it(
    simulator: Simulator, registration: App, session: requests.Session
) -> None:
    answer = application(simulator, registration, "wrong", session).acquire_token_for_client(GRAPH)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [7000215])


def test_an_unknown_certificate_is_told_as_the_library_understands_it(
    simulator: Simulator, registration: App, session: requests.Session
) -> None:
    pem = certificate("Unknown")
    stranger = {"private_key": private_half(pem), "public_certificate": public_half(pem)}
    answer = application(simulator, registration, stranger, session).acquire_token_for_client(GRAPH)
    assert (answer["error"], answer["error_codes"]) == ("invalid_client", [700027])


def test_an_unknown_tenant_is_recognised(simulator: Simulator, registration: App, session: requests.Session) -> None:
    with pytest.raises(ValueError, match="Unable to get authority configuration"):
        application(simulator, registration, "secret", session, tenant="nowhere.example").acquire_token_for_client(
            GRAPH
        )


def test_a_cancelled_sign_in_comes_back_as_an_error(
    app: msal.ConfidentialClientApplication, session: requests.Session, ana: User
) -> None:
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri=CALLBACK, response_mode="form_post")
    answer = app.acquire_token_by_auth_code_flow(flow, sign_in(session, flow["auth_uri"], ana, action="cancel"))
    assert answer["error"] == "access_denied"
