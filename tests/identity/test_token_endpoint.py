"""What the token endpoint may answer, and that nothing but a full good answer is stored: fault 17 and, where it leads
elsewhere, fault 18.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.models import Connection
from tests.conftest import Clock
from tests.identity.conftest import CONNECTED, SignInBegun, come_back, counts, engine_of, session_of

TOKEN = r"/oauth2/v2\.0/token$"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_secret(begun: SignInBegun, status: int) -> None:
    begun.simulator.fail_next(TOKEN, status, b"", {"Location": f"{begun.simulator.url}/elsewhere"})
    assert "did not answer as expected" in begun.return_with(code="1.code")
    assert [record.path for record in begun.simulator.requests if "elsewhere" in record.path] == []
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<!doctype html><p>Welcome to the hotel Wi-Fi"),
        (200, b""),
        (200, b"[]"),
        (200, b"[1]"),
        (200, b'"token"'),
        (200, b"null"),
        (200, b"5"),
        (200, b"{}"),
        (200, b'{"access_token": "cut of'),
        (200, b"\xff\xfe\x00"),
        (200, b'{"access_token": 5, "token_type": "Bearer"}'),
        (200, b'{"access_token": "", "token_type": "Bearer", "refresh_token": "r"}'),
        (200, b'{"access_token": "a", "token_type": "Bearer", "refresh_token": ["r"]}'),
        (200, b'{"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "expires_in": 1e999}'),
        (200, b'{"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "expires_in": "abc"}'),
        (200, b'{"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "expires_in": {"a": 1}}'),
        (400, b'{"error": ["a", "list"], "error_description": 5}'),
        (400, b""),
        (404, b""),
        (429, b""),
        (500, b'{"error": "invalid_grant"}'),
        (503, b"busy"),
    ],
)
def test_an_answer_that_is_no_token_is_told_in_plain_words(begun: SignInBegun, status: int, body: bytes) -> None:
    begun.simulator.fail_next(TOKEN, status, body, {"Content-Type": "application/json"})
    page = begun.return_with(code="1.code")
    assert "Not connected" in page
    assert "Microsoft" in page
    assert counts(begun.host) == (0, 0)


def test_a_busy_service_is_named(begun: SignInBegun) -> None:
    begun.simulator.refuse_token(90033)
    page = begun.return_with_tokens()
    assert "sign-in service is busy" in page
    assert "90033" in page


def test_a_cut_connection_is_told_in_plain_words(begun: SignInBegun) -> None:
    begun.simulator.drop_connection(TOKEN)
    assert "did not answer as expected" in begun.return_with(code="1.code")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"refresh_token": None}, "no refresh token"),
        ({"refresh_token": ""}, "no refresh token"),
        ({"id_token": None}, "no ID token"),
        ({"access_token": None}, "no usable access token"),
        ({"token_type": "MAC"}, "no usable access token"),
        ({"token_type": None}, "no usable access token"),
        ({"scope": "openid profile User.Read"}, "did not grant the permission to read mail"),
        ({"scope": "Mail.ReadBasic"}, "did not grant the permission to read mail"),
    ],
)
def test_what_is_missing_is_named(begun: SignInBegun, changes: dict[str, Any], words: str) -> None:
    assert words in begun.return_with_tokens(**changes)
    assert counts(begun.host) == (0, 0)


@pytest.mark.parametrize("scope", ["mail.read", "https://graph.microsoft.com/Mail.Read openid", "User.Read MAIL.READ"])
def test_the_permission_may_be_spelt_in_full_and_in_any_case(begun: SignInBegun, scope: str) -> None:
    assert CONNECTED in begun.return_with_tokens(scope=scope)


def test_a_scope_that_is_left_out_is_as_asked(begun: SignInBegun) -> None:
    assert CONNECTED in begun.return_with_tokens(scope=None)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(None, 3600), (0, 60), (-1, 60), (4127, 4127), ("4127", 4127), (10**12, 28 * 3600), (1.5, 60)],
)
def test_a_life_time_is_believed_within_reason(
    begun: SignInBegun, clock: Clock, expires_in: object, seconds: int
) -> None:
    assert CONNECTED in begun.return_with_tokens(expires_in=expires_in)
    with begun.host.app.app_context():
        connection = session_of(begun.host).scalars(select(Connection)).one()
    assert abs(connection.expires_at - clock() - timedelta(seconds=seconds)) < timedelta(seconds=20)


def test_a_scope_withheld_by_an_admin_is_noticed(begun: SignInBegun) -> None:
    begun.registration.withheld_scopes.add("Mail.Read")
    assert "did not grant the permission to read mail" in come_back(begun.visitor, begun.sign_in())


@pytest.mark.parametrize(
    ("secret", "words"), [("wrong", "The client secret is wrong."), ("expired", "The client secret has expired.")]
)
def test_a_secret_that_microsoft_refuses_is_named(begun: SignInBegun, secret: str, words: str) -> None:
    query = begun.sign_in()
    if secret == "expired":
        begun.registration.expire_secret()
    else:
        begun.registration.remove_secret(begun.registration.client_secret)
    page = come_back(begun.visitor, query)
    assert words in page
    assert "AADSTS code" in page


def test_no_transaction_is_open_while_microsoft_is_asked(begun: SignInBegun, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may take half a minute; a connection that waits with it blocks the host's pool and its vacuum."""
    query, pool, now = begun.sign_in(), engine_of(begun.host).pool, begun.simulator.clock
    in_use: list[int] = []

    def look() -> datetime:
        in_use.append(pool.checkedout())
        return now()

    # Microsoft looks at its clock for every token that it gives or checks
    monkeypatch.setattr(begun.simulator, "clock", look)
    assert CONNECTED in come_back(begun.visitor, query)
    assert set(in_use) == {0}
