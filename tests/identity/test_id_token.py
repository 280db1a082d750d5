"""An ID token that fails any check is worth nothing."""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from sqlalchemy import select

from flask_ms365.models import Connection
from flask_ms365.simulator.keys import SigningKey
from tests.conftest import Host
from tests.identity.conftest import CONNECTED, SignInBegun, counts, session_of, sign

ANOTHER_TENANT = str(uuid.uuid4())
ANOTHER_KEY = SigningKey()


def test_a_good_one_connects(begun: SignInBegun) -> None:
    assert CONNECTED in begun.return_with_tokens()
    assert counts(begun.host) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"aud": "another-app"}, "made for another app"),
        ({"aud": None}, "made for another app"),
        ({"nonce": "of another sign-in"}, "belongs to another sign-in"),
        ({"nonce": None}, "belongs to another sign-in"),
        ({"nonce": "\ud800"}, "belongs to another sign-in"),
        ({"exp": None}, "how long it is valid"),
        ({"iat": None}, "how long it is valid"),
        ({"exp": "tomorrow"}, "how long it is valid"),
        ({"exp": True}, "how long it is valid"),
        ({"iat": float("nan")}, "how long it is valid"),
        ({"nbf": float("inf")}, "how long it is valid"),
        # fault 14, with the two tests below
        ({"tid": None}, "names no tenant"),
        ({"tid": "contoso.example"}, "names no tenant"),
        ({"tid": ["x"]}, "names no tenant"),
        ({"tid": ANOTHER_TENANT}, "another tenant"),
        ({"iss": None}, "another tenant"),
        ({"iss": "https://login.microsoftonline.com/evil/v2.0"}, "another tenant"),
        ({"sub": None}, "does not say who"),
        ({"oid": None}, "does not say who"),
        ({"oid": "ana"}, "does not say who"),
    ],
)
def test_a_wrong_claim_is_named_and_nothing_stored(begun: SignInBegun, changes: dict[str, Any], words: str) -> None:
    assert words in begun.return_with_tokens(id_token=begun.signed(**changes))
    assert counts(begun.host) == (0, 0)


def test_an_audience_list_is_refused_even_with_us_in_it(begun: SignInBegun) -> None:
    client_id = begun.registration.client_id
    token = begun.signed(aud=[client_id, "evil"], azp=client_id)
    assert "made for another app" in begun.return_with_tokens(id_token=token)


def test_an_issuer_of_another_tenant_is_refused(begun: SignInBegun) -> None:
    issuer = f"{begun.simulator.url}/{ANOTHER_TENANT}/v2.0"
    page = begun.return_with_tokens(id_token=begun.signed(iss=issuer, tid=ANOTHER_TENANT))
    assert "another tenant than the one in the settings" in page


@pytest.mark.parametrize(("seconds_ago", "is_good"), [(30, True), (45, True), (62, False), (119, False)])
def test_a_minute_of_leeway_after_expiry_and_no_more(begun: SignInBegun, seconds_ago: int, is_good: bool) -> None:
    page = begun.return_with_tokens(id_token=begun.signed(exp=int(time.time()) - seconds_ago))
    assert (CONNECTED in page) is is_good
    assert ("has expired" in page) is not is_good


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_is_refused(begun: SignInBegun, claim: str) -> None:
    page = begun.return_with_tokens(id_token=begun.signed(**{claim: int(time.time()) + 90}))
    assert "not valid yet" in page


def test_a_signature_of_somebody_else_under_a_known_key_id_is_refused(begun: SignInBegun) -> None:
    head = {"alg": "RS256", "kid": begun.simulator.signing_keys[0].kid}
    token = jwt.encode(head, begun.claims(), RSAKey.generate_key(2048))
    assert "signature is wrong" in begun.return_with_tokens(id_token=token)


def test_a_changed_claim_breaks_the_signature(begun: SignInBegun) -> None:
    head, _, signature = begun.signed().split(".")
    payload = _encoded(begun.claims(name="Mallory"))
    assert "signature is wrong" in begun.return_with_tokens(id_token=f"{head}.{payload}.{signature}")


def test_an_unsigned_token_is_refused(begun: SignInBegun) -> None:
    head = _encoded({"alg": "none", "kid": begun.simulator.signing_keys[0].kid})
    token = f"{head}.{_encoded(begun.claims())}."
    assert "signature is wrong" in begun.return_with_tokens(id_token=token)
    assert counts(begun.host) == (0, 0)


def test_the_public_key_is_no_shared_secret(begun: SignInBegun) -> None:
    """HS256 with the published RSA key as the secret: the classical confusion."""
    published = begun.simulator.signing_keys[0]
    secret = OctKey.import_key(str(published.jwk("")["n"]))
    token = jwt.encode({"alg": "HS256", "kid": published.kid}, begun.claims(), secret)
    assert "signature is wrong" in begun.return_with_tokens(id_token=token)


def test_another_algorithm_is_refused(begun: SignInBegun) -> None:
    head = {"alg": "ES256", "kid": begun.simulator.signing_keys[0].kid}
    token = jwt.encode(head, begun.claims(), ECKey.generate_key("P-256"))
    assert "signature is wrong" in begun.return_with_tokens(id_token=token)


@pytest.mark.parametrize("kind", ["jku", "jwk"])
def test_a_key_that_the_token_brings_along_is_ignored(begun: SignInBegun, kind: str) -> None:
    mine = RSAKey.generate_key(2048)
    brought = {"jku": "http://127.0.0.1/keys", "jwk": mine.as_dict(private=False)}
    head = {"alg": "RS256", "kid": begun.simulator.signing_keys[0].kid, kind: brought[kind]}
    page = begun.return_with_tokens(id_token=jwt.encode(head, begun.claims(), mine))
    assert "signature is wrong" in page or "is no token" in page
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize("payload", [b"[]", b"null", b'"text"', b"not json", b"\xff\xfe"])
def test_a_signed_payload_that_is_no_claims_is_refused(begun: SignInBegun, payload: bytes) -> None:
    token = sign(begun.simulator.signing_keys[0], payload)
    assert "signature is wrong" in begun.return_with_tokens(id_token=token)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "....", "é.ü.ö", "x" * 100_000, 5, ["a"], {"a": 1}, None])
def test_what_is_no_token_is_refused(begun: SignInBegun, token: Any) -> None:
    assert "ID token" in begun.return_with_tokens(id_token=token)
    assert counts(begun.host) == (0, 0)


def test_keys_that_rolled_are_fetched_once_more(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    begun.simulator.roll_keys()
    again = SignInBegun(**{**vars(begun), "url": begun.visitor.start_connect()})
    assert CONNECTED in again.return_with_tokens()
    assert begun.simulator.count("GET", "/discovery/v2.0/keys") == 2


def test_known_keys_are_not_fetched_again(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    again = SignInBegun(**{**vars(begun), "url": begun.visitor.start_connect()})
    assert CONNECTED in again.return_with_tokens()
    assert begun.simulator.count("GET", "/discovery/v2.0/keys") == 1


def test_a_key_that_is_not_published_is_refused_after_one_more_look(begun: SignInBegun) -> None:
    begun.return_with_tokens()
    again = SignInBegun(**{**vars(begun), "url": begun.visitor.start_connect()})
    assert "does not list" in again.return_with_tokens(id_token=ANOTHER_KEY.sign(begun.claims()))
    assert begun.simulator.count("GET", "/discovery/v2.0/keys") == 2


def test_without_a_key_id_the_only_key_is_taken(begun: SignInBegun) -> None:
    token = jwt.encode({"alg": "RS256"}, begun.claims(), begun.simulator.signing_keys[0]._key)
    assert CONNECTED in begun.return_with_tokens(id_token=token)


def test_without_a_key_id_several_keys_are_too_many(begun: SignInBegun) -> None:
    begun.simulator.signing_keys.append(ANOTHER_KEY)
    token = jwt.encode({"alg": "RS256"}, begun.claims(), begun.simulator.signing_keys[0]._key)
    assert "does not list" in begun.return_with_tokens(id_token=token)


def test_a_key_of_another_issuer_signs_nothing_here(begun: SignInBegun) -> None:
    key = begun.simulator.signing_keys[0]
    foreign = {**key.jwk(f"{begun.simulator.url}/{ANOTHER_TENANT}/v2.0")}
    begun.simulator.fail_next(r"/discovery/v2\.0/keys$", 200, {"keys": [foreign]})
    assert "a key of another issuer" in begun.return_with_tokens()


def test_a_name_that_no_database_can_hold_is_cleaned(begun: SignInBegun) -> None:
    assert CONNECTED in begun.return_with_tokens(id_token=begun.signed(name="A\0na \ud800 Ruiz"))
    assert _connection(begun.host).name == "Ana ? Ruiz"


def test_the_account_is_known_by_tenant_and_object_id(begun: SignInBegun) -> None:
    begun.return_with_tokens(id_token=begun.signed(preferred_username="+34 600 000 000", email="evil@example.com"))
    connection = _connection(begun.host)
    assert (connection.tid, connection.oid) == (begun.simulator.tenant_id, begun.user.oid)


def _connection(host: Host) -> Connection:
    with host.app.app_context():
        found: Connection = session_of(host).scalars(select(Connection)).one()
        return found


def _encoded(value: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
