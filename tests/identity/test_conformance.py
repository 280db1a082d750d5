"""The OpenID Foundation's conformance modules for relying parties, one test by each name, through our own callback.

Microsoft is a simulator here, whose token answers are made by hand; what a module checks of a part of the protocol that
we never use is answered by what we do in its place. ``fault 13`` of the list of faults is this file.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select, update

from flask_ms365.errors import TokenUnavailable
from flask_ms365.models import Connection
from flask_ms365.simulator import App, Simulator
from flask_ms365.simulator.keys import SigningKey
from tests.conftest import Host
from tests.identity.conftest import CALLBACK_PATH, CONNECTED, SignInBegun, come_back, counts, session_of

ANOTHER = str(uuid.uuid4())
KEYS = r"/discovery/v2\.0/keys$"
DISCOVERY = r"/openid-configuration$"


def again(begun: SignInBegun) -> SignInBegun:
    """Return a second sign-in of the same browser."""
    return SignInBegun(**{**vars(begun), "url": begun.visitor.start_connect()})


def refused(begun: SignInBegun, words: str, **answer: Any) -> bool:
    """Expect that this answer of the token endpoint connects nothing and that the page says why."""
    page = begun.return_with_tokens(**answer)
    return (words in page, counts(begun.host)) == (True, (0, 0))


def without_key_id(begun: SignInBegun) -> str:
    return jwt.encode({"alg": "RS256"}, begun.claims(), begun.simulator.signing_keys[0]._key)


def at_hash(access_token: str) -> str:
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).decode().rstrip("=")


def test_oidcc_client_test(begun: SignInBegun) -> None:
    assert CONNECTED in begun.return_with_tokens()


def test_oidcc_client_test_invalid_iss(begun: SignInBegun) -> None:
    assert refused(begun, "another tenant", id_token=begun.signed(iss="https://login.evil.example/x/v2.0"))


def test_oidcc_client_test_missing_sub(begun: SignInBegun) -> None:
    assert refused(begun, "does not say who", id_token=begun.signed(sub=None))


def test_oidcc_client_test_invalid_aud(begun: SignInBegun) -> None:
    assert refused(begun, "made for another app", id_token=begun.signed(aud=ANOTHER))


def test_oidcc_client_test_missing_aud(begun: SignInBegun) -> None:
    assert refused(begun, "made for another app", id_token=begun.signed(aud=None))


def test_oidcc_client_test_missing_iat(begun: SignInBegun) -> None:
    assert refused(begun, "how long it is valid", id_token=begun.signed(iat=None))


def test_oidcc_client_test_kid_absent_single_jwks(begun: SignInBegun) -> None:
    assert CONNECTED in begun.return_with_tokens(id_token=without_key_id(begun))


def test_oidcc_client_test_kid_absent_multiple_jwks(begun: SignInBegun) -> None:
    begun.simulator.signing_keys.append(SigningKey())
    assert refused(begun, "does not list", id_token=without_key_id(begun))


def test_oidcc_client_test_idtoken_sig_rs256(begun: SignInBegun) -> None:
    assert begun.signed().startswith(base64.urlsafe_b64encode(b'{"alg":"RS256"').decode()[:16])
    assert CONNECTED in begun.return_with_tokens(id_token=begun.signed())


def test_oidcc_client_test_idtoken_sig_none(begun: SignInBegun) -> None:
    """fault 16: an unsigned token is refused, even where discovery lists ``none``."""
    tenant = f"{begun.simulator.url}/{begun.simulator.tenant_id}"
    listed = {
        "issuer": f"{tenant}/v2.0",
        "jwks_uri": f"{tenant}/discovery/v2.0/keys",
        "id_token_signing_alg_values_supported": ["none", "RS256"],
    }
    begun.simulator.fail_next(DISCOVERY, 200, listed)
    head, payload = ({"alg": "none", "kid": begun.simulator.signing_keys[0].kid}, begun.claims())
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (head, payload))
    assert refused(begun, "signature is wrong", id_token=f"{'.'.join(parts)}.")


def test_oidcc_client_test_invalid_sig_rs256(begun: SignInBegun) -> None:
    head, payload, signature = begun.signed().split(".")
    other = ("B" if signature[0] != "B" else "C") + signature[1:]
    assert refused(begun, "signature is wrong", id_token=f"{head}.{payload}.{other}")


def test_oidcc_client_test_invalid_sig_hs256(begun: SignInBegun) -> None:
    """The secret that signs is the client's own, as the module has it."""
    secret = OctKey.import_key(begun.registration.client_secret)
    head = {"alg": "HS256", "kid": begun.simulator.signing_keys[0].kid}
    assert refused(begun, "signature is wrong", id_token=jwt.encode(head, begun.claims(), secret))


def test_oidcc_client_test_invalid_sig_es256(begun: SignInBegun) -> None:
    head = {"alg": "ES256", "kid": begun.simulator.signing_keys[0].kid}
    assert refused(begun, "signature is wrong", id_token=jwt.encode(head, begun.claims(), ECKey.generate_key("P-256")))


def test_oidcc_client_test_invalid_athash(begun: SignInBegun) -> None:
    assert refused(begun, "another access token", id_token=begun.signed(at_hash=at_hash("of another one")))


def test_the_right_at_hash_is_taken(begun: SignInBegun) -> None:
    issued = begun.simulator.grants.issue_access_token(begun.registration, begun.user, ["User.Read", "Mail.Read"], 3600)
    token = begun.signed(at_hash=at_hash(issued.value))
    assert CONNECTED in begun.return_with_tokens(access_token=issued.value, id_token=token)


def test_oidcc_client_test_userinfo_invalid_sub(begun: SignInBegun) -> None:
    """We ask no userinfo endpoint but Graph's ``/me``, and compare its id with the token's ``oid``."""
    mallory = begun.simulator.add_user("mallory@contoso.example", name="Mallory", password="m")
    theirs = begun.simulator.grants.issue_access_token(begun.registration, mallory, ["User.Read", "Mail.Read"], 3600)
    assert refused(begun, "answered for another account", access_token=theirs.value)


def test_oidcc_client_test_nonce_invalid(begun: SignInBegun) -> None:
    assert refused(begun, "belongs to another sign-in", id_token=begun.signed(nonce="of another sign-in"))


def test_oidcc_client_test_scope_userinfo_claims(begun: SignInBegun) -> None:
    """Name and sign-in name come with the scope ``profile``, in the ID token."""
    assert {"openid", "profile"} <= set(begun.asked["scope"].split())
    begun.return_with_tokens()
    with begun.host.app.app_context():
        connection = session_of(begun.host).scalars(select(Connection)).one()
    assert (connection.name, connection.upn) == ("Ana Ruiz", "ana@contoso.example")


def test_oidcc_client_test_client_secret_basic(begun: SignInBegun) -> None:
    """We send the secret in the form, as Microsoft advises, and never in a header beside it."""
    assert CONNECTED in come_back(begun.visitor, begun.sign_in())
    sent = {
        request.path.rpartition("/")[2]: request.headers.get("authorization") for request in begun.simulator.requests
    }
    assert (sent["token"], sent["me"]) == (None, "Bearer")


def test_oidcc_client_test_form_post_error(begun: SignInBegun) -> None:
    """Answers come in the query alone: a posted one is refused and uses nothing up."""
    sent = {"state": begun.asked["state"], "error": "access_denied"}
    assert begun.visitor.post(CALLBACK_PATH, data=sent).status_code == 405
    assert CONNECTED in begun.return_with_tokens()


def test_oidcc_client_test_discovery_openid_configuration(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    assert begun.simulator.count("GET", "/v2.0/.well-known/openid-configuration") == 1


def test_oidcc_client_test_discovery_jwks_uri_keys(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    assert begun.simulator.count("GET", "/discovery/v2.0/keys") == 1


def test_oidcc_client_test_discovery_issuer_mismatch(begun: SignInBegun) -> None:
    tenant = f"{begun.simulator.url}/{begun.simulator.tenant_id}"
    document = {"issuer": "https://login.evil.example/v2.0", "jwks_uri": f"{tenant}/discovery/v2.0/keys"}
    begun.simulator.fail_next(DISCOVERY, 200, document)
    assert refused(begun, "names another issuer")


def test_oidcc_client_test_signing_key_rotation(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    begun.simulator.roll_keys()
    assert CONNECTED in again(begun).return_with_tokens()


def test_oidcc_client_test_signing_key_rotation_just_before_signing(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    second = again(begun)
    begun.simulator.roll_keys()  # between the request and the token
    assert CONNECTED in second.return_with_tokens()


def test_made_up_key_ids_do_not_make_us_ask_each_time(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    for _ in range(3):
        again(begun).return_with_tokens(id_token=SigningKey().sign(begun.claims()))
    assert begun.simulator.count("GET", "/discovery/v2.0/keys") == 2


def refreshed_with(host: Host, simulator: Simulator, registration: App, **claims: Any) -> str:
    """Refresh Ana's token; the answer's ID token has these claims. Return the token that serves afterwards."""
    simulator.expire_access_tokens()
    user = next(iter(simulator.users.values()))
    issued = simulator.grants.issue_access_token(registration, user, ["User.Read", "Mail.Read"], 3600)
    good = {
        "aud": registration.client_id,
        "iss": f"{simulator.url}/{simulator.tenant_id}/v2.0",
        "sub": "pairwise",
        "tid": simulator.tenant_id,
        "oid": user.oid,
    }
    answer = {
        "token_type": "Bearer",
        "scope": "openid profile User.Read Mail.Read",
        "expires_in": 3600,
        "access_token": issued.value,
        "refresh_token": "1.new",
        "id_token": simulator.signing_keys[0].sign({**good, **claims}),
    }
    simulator.fail_next(r"/oauth2/v2\.0/token$", 200, answer)
    state = host.app.extensions["ms365.state"]
    with host.app.app_context():
        state.session.execute(update(Connection).values(expires_at=Connection.created_at))
        state.session.commit()
        token: str = state.connect.clients.tokens.access_token(1, state.registration)
    return "new" if token == issued.value else "old"


def test_oidcc_client_test_refresh_token(connected: Host, simulator: Simulator, registration: App) -> None:
    assert refreshed_with(connected, simulator, registration) == "new"


@pytest.mark.parametrize("claim", [{"iss": "https://login.evil.example/x/v2.0"}, {"tid": ANOTHER}, {"aud": ANOTHER}])
def test_oidcc_client_test_refresh_token_invalid_issuer(
    connected: Host, simulator: Simulator, registration: App, claim: dict[str, str]
) -> None:
    with pytest.raises(TokenUnavailable, match="another account"):
        refreshed_with(connected, simulator, registration, **claim)


def test_oidcc_client_test_refresh_token_invalid_sub(connected: Host, simulator: Simulator, registration: App) -> None:
    """Microsoft's lasting name of a person is the ``oid``. The pair that is stored goes on serving."""
    with pytest.raises(TokenUnavailable, match="another account"):
        refreshed_with(connected, simulator, registration, oid=ANOTHER)
    assert refreshed_with(connected, simulator, registration) == "new"


def test_times_that_are_no_numbers_are_refused(begun: SignInBegun) -> None:
    assert refused(begun, "how long it is valid", id_token=begun.signed(exp=float("nan")))


def test_two_sign_ins_in_a_row_are_each_held_to_the_issuer(begun: SignInBegun) -> None:
    """fault 15: options that a first use empties let the second one through."""
    hostile = begun.signed(iss="https://login.evil.example/x/v2.0")
    assert refused(begun, "another tenant", id_token=hostile)
    second = again(begun)
    assert refused(second, "another tenant", id_token=second.signed(iss="https://login.evil.example/x/v2.0"))


def test_the_codes_go_with_their_verifier(begun: SignInBegun) -> None:
    """PKCE with S256, whose verifier only the token request carries."""
    assert begun.asked["code_challenge_method"] == "S256"
    assert "code_verifier" not in parse_qs(begun.url)
