"""Sign-in of a person: authorize, codes, refresh tokens, consent. Over the simulator only."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
import urllib3
from joserfc import jwt
from joserfc.jwk import KeySet

from flask_ms365.simulator import App

from .client import REDIRECT_URI, Desk, Response, error_of, graph_error_of, http, query_of

VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


def page_of(response: Response) -> tuple[int, bool]:
    """Status of a page, and whether it sends the browser away."""
    return response.status, "Location" in response.headers


def test_the_form_is_filled_with_the_login_hint(desk: Desk) -> None:
    form = http.request("GET", desk.authorize_url(login_hint="ana@contoso.example"))
    assert b'value="ana@contoso.example"' in form.data


def test_the_form_lists_the_permissions(desk: Desk) -> None:
    assert b"<li>Read your mail</li>" in http.request("GET", desk.authorize_url()).data


def test_a_sign_in_ends_at_the_redirect_uri_with_code_and_state(desk: Desk) -> None:
    answer = desk.accept()
    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{REDIRECT_URI}?code=")
    assert query_of(answer)["state"] == "s-42"


def test_a_redirect_uri_without_a_path_comes_back_with_a_slash(desk: Desk) -> None:
    assert desk.accept(redirect_uri="http://localhost").headers["Location"].startswith("http://localhost/?code=")


def test_a_foreign_redirect_uri_stays_on_the_page(desk: Desk) -> None:
    answer = http.request("GET", desk.authorize_url(redirect_uri="https://evil.example/cb"), redirect=False)
    assert page_of(answer) == (400, False)
    assert b"AADSTS50011" in answer.data


def test_an_unknown_app_stays_on_the_page(desk: Desk) -> None:
    answer = http.request("GET", desk.authorize_url(client_id="11111111-2222-4333-8444-555555555555"), redirect=False)
    assert page_of(answer) == (400, False)
    assert b"AADSTS700016" in answer.data


def test_a_declined_consent_comes_back_as_65004(desk: Desk) -> None:
    back = query_of(desk.accept(action="cancel"))
    assert (back["error"], back["state"]) == ("access_denied", "s-42")
    assert back["error_description"].startswith("AADSTS65004")


def test_a_wrong_password_stays_on_the_form(desk: Desk) -> None:
    answer = desk.accept(password="wrong")
    assert page_of(answer) == (200, False)
    assert b"AADSTS50126" in answer.data


@pytest.mark.parametrize(("number", "error"), [(65001, "invalid_grant"), (50076, "interaction_required")])
def test_the_next_sign_in_may_end_in_an_error(desk: Desk, number: int, error: str) -> None:
    desk.simulator.sign_in_error(number)
    back = query_of(desk.accept())
    assert (back["error"], back["error_description"].partition(":")[0]) == (error, f"AADSTS{number}")
    assert "code" in query_of(desk.accept())


def test_a_user_who_is_not_assigned_stays_on_the_page(desk: Desk) -> None:
    desk.simulator.sign_in_error(50105)
    assert page_of(desk.accept()) == (400, False)


def test_a_user_may_need_a_second_factor_at_the_next_refresh(desk: Desk) -> None:
    token = desk.redeem(desk.code()).json()["refresh_token"]
    desk.user.error = 50076
    assert error_of(desk.refresh(token)) == (400, "interaction_required", 50076)


def test_keys_roll_without_notice(desk: Desk) -> None:
    url = f"{desk.simulator.url}/{desk.simulator.tenant_id}/discovery/v2.0/keys"
    before = http.request("GET", url).json()["keys"][0]["kid"]
    desk.simulator.roll_keys()
    assert http.request("GET", url).json()["keys"][0]["kid"] != before


def test_a_silent_sign_in_is_login_required(desk: Desk) -> None:
    answer = http.request("GET", desk.authorize_url(prompt="none"), redirect=False)
    assert query_of(answer)["error"] == "login_required"


def test_an_unknown_scope_is_invalid_scope(desk: Desk) -> None:
    answer = http.request("GET", desk.authorize_url(scope="openid Mail.Nonsense"), redirect=False)
    assert query_of(answer)["error"] == "invalid_scope"


def test_the_implicit_flow_is_refused(desk: Desk) -> None:
    answer = http.request("GET", desk.authorize_url(response_type="id_token"), redirect=False)
    assert query_of(answer)["error_description"].startswith("AADSTS700054")


def test_users_may_not_consent_where_the_policy_wants_an_admin(desk: Desk) -> None:
    desk.simulator.user_consent_allowed = False
    assert b"AADSTS90094" in desk.accept().data


def test_a_code_gives_all_three_tokens(desk: Desk) -> None:
    answer = desk.redeem(desk.code()).json()
    assert {"access_token", "refresh_token", "id_token"} <= set(answer)


def test_the_scope_of_the_answer_is_short_and_without_offline_access(desk: Desk) -> None:
    scope = desk.redeem(desk.code(scope="https://graph.microsoft.com/Mail.Read offline_access openid")).json()["scope"]
    assert set(scope.split()) == {"Mail.Read", "openid"}


def test_there_is_no_refresh_token_without_offline_access(desk: Desk) -> None:
    assert "refresh_token" not in desk.redeem(desk.code(scope="openid Mail.Read")).json()


def test_there_is_no_id_token_without_openid(desk: Desk) -> None:
    assert "id_token" not in desk.redeem(desk.code(scope="offline_access Mail.Read")).json()


def test_the_id_token_says_who_signed_in(desk: Desk) -> None:
    keys = http.request("GET", f"{desk.simulator.url}/{desk.simulator.tenant_id}/discovery/v2.0/keys").json()
    token = jwt.decode(desk.redeem(desk.code()).json()["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"])
    expected = {
        "aud": desk.app.client_id,
        "iss": f"{desk.simulator.url}/{desk.simulator.tenant_id}/v2.0",
        "nonce": "n-42",
        "oid": desk.user.oid,
        "tid": desk.simulator.tenant_id,
        "preferred_username": "ana@contoso.example",
        "ver": "2.0",
    }
    assert {name: token.claims[name] for name in expected} == expected


def test_a_code_works_once(desk: Desk) -> None:
    code = desk.code()
    desk.redeem(code)
    assert error_of(desk.redeem(code)) == (400, "invalid_grant", 54005)


def test_a_malformed_code_is_9002313(desk: Desk) -> None:
    assert error_of(desk.redeem("nonsense")) == (400, "invalid_grant", 9002313)


def test_a_code_belongs_to_its_redirect_uri(desk: Desk) -> None:
    assert error_of(desk.redeem(desk.code(), redirect_uri="http://localhost"))[2] == 500112


def test_a_code_belongs_to_its_app(desk: Desk) -> None:
    other = desk.simulator.register_app([REDIRECT_URI])
    answer = desk.redeem(desk.code(), client_id=other.client_id, client_secret=other.client_secret)
    assert error_of(answer) == (400, "invalid_grant", 70000)


@pytest.mark.parametrize("method", ["S256", "plain", None])
def test_the_right_verifier_redeems_the_code(desk: Desk, method: str | None) -> None:
    challenge = CHALLENGE if method == "S256" else VERIFIER
    code = desk.code(code_challenge=challenge, code_challenge_method=method)
    assert desk.redeem(code, code_verifier=VERIFIER).status == 200


def test_a_wrong_verifier_is_501481(desk: Desk) -> None:
    code = desk.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert error_of(desk.redeem(code, code_verifier="w" * 64)) == (400, "invalid_grant", 501481)


def test_a_refresh_gives_a_new_refresh_token_and_the_old_one_stays_valid(desk: Desk) -> None:
    old = desk.redeem(desk.code()).json()["refresh_token"]
    new = desk.refresh(old).json()["refresh_token"]
    assert new != old
    assert desk.refresh(old).status == 200


def test_strict_rotation_ends_the_sign_in_when_a_token_is_used_twice(desk: Desk) -> None:
    desk.simulator.strict_refresh_rotation = True
    old = desk.redeem(desk.code()).json()["refresh_token"]
    new = desk.refresh(old).json()["refresh_token"]
    desk.refresh(old)
    assert error_of(desk.refresh(new)) == (400, "invalid_grant", 50173)


def test_a_revoked_session_is_50173(desk: Desk) -> None:
    token = desk.redeem(desk.code()).json()["refresh_token"]
    desk.simulator.revoke(desk.user)
    assert error_of(desk.refresh(token)) == (400, "invalid_grant", 50173)


def test_a_new_sign_in_works_after_a_revocation(desk: Desk) -> None:
    desk.simulator.revoke(desk.user)
    assert desk.refresh(desk.redeem(desk.code()).json()["refresh_token"]).status == 200


def test_a_scope_nobody_consented_to_is_65001(desk: Desk) -> None:
    token = desk.redeem(desk.code()).json()["refresh_token"]
    assert error_of(desk.refresh(token, scope="Mail.Send")) == (400, "invalid_grant", 65001)


def test_a_withheld_scope_is_missing_from_the_answer(desk: Desk) -> None:
    desk.app.withheld_scopes = {"Mail.Read"}
    assert "Mail.Read" not in desk.redeem(desk.code()).json()["scope"].split()


def the_id(app: App) -> str:
    return app.secret_id


def a_deleted_one(app: App) -> str:
    value = app.client_secret
    app.remove_secret(value)
    return value


def an_expired_one(app: App) -> str:
    app.expire_secret()
    return app.client_secret


@pytest.mark.parametrize(("secret", "number"), [(the_id, 7000215), (a_deleted_one, 7000215), (an_expired_one, 7000222)])
def test_a_dead_secret_is_invalid_client(desk: Desk, secret: Callable[[App], str], number: int) -> None:
    answer = desk.redeem(desk.code(), client_secret=secret(desk.app))
    assert error_of(answer) == (401, "invalid_client", number)


def test_every_secret_that_is_alive_works(desk: Desk) -> None:
    first = desk.app.client_secret
    desk.app.add_secret()
    assert desk.redeem(desk.code(), client_secret=first).status == 200


def test_a_secret_may_travel_as_http_basic(desk: Desk) -> None:
    fields = {"grant_type": "authorization_code", "code": desk.code(), "redirect_uri": REDIRECT_URI}
    pair = f"{desk.app.client_id}:{desk.app.client_secret}"
    answer = http.request_encode_body(
        "POST",
        f"{desk.simulator.url}/common/oauth2/v2.0/token",
        fields=fields,
        encode_multipart=False,
        headers=urllib3.make_headers(basic_auth=pair),
    )
    assert answer.status == 200


def test_admin_consent_says_so(desk: Desk) -> None:
    back = query_of(desk.consent_for_all())
    assert (back["admin_consent"], back["tenant"]) == ("True", desk.simulator.tenant_id)


def test_a_refused_admin_consent_still_says_admin_consent_true(desk: Desk) -> None:
    back = query_of(desk.consent_for_all("cancel"))
    assert (back["admin_consent"], back["error"]) == ("True", "consent_required")


def test_after_admin_consent_users_may_sign_in(desk: Desk) -> None:
    desk.simulator.user_consent_allowed = False
    desk.consent_for_all(scope="Mail.Read User.Read")
    assert desk.accept().status == 302


def test_without_consent_an_app_gets_a_token_that_graph_refuses(desk: Desk) -> None:
    desk.app.withdraw_consent()
    token = desk.token(grant_type="client_credentials", scope="https://graph.microsoft.com/.default").json()
    url = f"{desk.simulator.url}/v1.0/users/{desk.user.upn}/messages"
    answer = http.request("GET", url, headers={"Authorization": f"Bearer {token['access_token']}"})
    assert graph_error_of(answer) == (403, "ErrorAccessDenied")
