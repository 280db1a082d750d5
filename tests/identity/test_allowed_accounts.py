"""Who may sign in to the host, account by account."""

from __future__ import annotations

from typing import Any

import pytest

from flask_ms365.errors import SignInFailed
from flask_ms365.identity.allowed_accounts import AllowedAccounts
from flask_ms365.identity.id_token import Identity

CONTOSO = "11111111-2222-4333-8444-555555555555"
FABRIKAM = "66666666-7777-4888-8999-aaaaaaaaaaaa"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"


def refused_by(
    upn: str | None, *, tid: str = CONTOSO, tenants: tuple[str, ...] = (), domains: tuple[str, ...] = ()
) -> str:
    """Return the check that an account does not pass; empty where it may sign in."""
    try:
        AllowedAccounts(tenants=tenants, domains=domains).check(Identity(tid=tid, oid=CONTOSO, name=None, upn=upn))
    except SignInFailed as refusal:
        return refusal.check
    return ""


def test_a_tenant_must_be_named() -> None:
    assert [refused_by("a@b.com", tid=tid, tenants=(CONTOSO,)) for tid in (CONTOSO, FABRIKAM)] == ["", "tenant"]


def test_both_tenant_and_domain_must_fit() -> None:
    given: dict[str, Any] = {"tenants": (CONTOSO,), "domains": ("contoso.com",)}
    assert refused_by("a@contoso.com", **given) == ""
    assert refused_by("a@contoso.com", tid=FABRIKAM, **given) == "tenant"
    assert refused_by("a@fabrikam.com", **given) == "domain"


@pytest.mark.parametrize("upn", ["ana@contoso.com", "ANA@Contoso.COM", "a.b+c@contoso.com"])
def test_a_domain_in_any_letter_case(upn: str) -> None:
    assert refused_by(upn, domains=("contoso.com",)) == ""


@pytest.mark.parametrize(
    "upn",
    [
        None,
        "",
        "contoso.com",
        "@contoso.com@",
        "ana@evil.com@contoso.com",
        "ana@contoso.com.",
        "ana@contoso.com ",
        "ana@contoso.com\n",
        "ana@xcontoso.com",
        "ana@mail.contoso.com",
        "ana@contoso.co",
        "ana_evil.com#EXT#@contoso.com",
        "ana_evil.com#ext#@contoso.com",
        "+49 30 123456",
        "ana@contos\u043e.com",
        "ana@contoso\uff0ecom",
    ],
)
def test_a_name_that_no_domain_vouches_for(upn: str | None) -> None:
    assert refused_by(upn, domains=("contoso.com",)) == "domain"


def test_letters_that_turn_into_ascii_are_not_ascii() -> None:
    """The Kelvin sign is a k in lower case."""
    assert refused_by("ana@\u212aelvin.com", domains=("kelvin.com",)) == "domain"


def test_a_personal_account_has_no_domain_of_its_own() -> None:
    assert refused_by("ceo@contoso.com", tid=PERSONAL, tenants=(PERSONAL,)) == ""
    assert refused_by("ceo@contoso.com", tid=PERSONAL, tenants=(PERSONAL,), domains=("contoso.com",)) == "domain"
