"""What a setting may look like, and what junk is refused."""

from __future__ import annotations

import pytest

from flask_ms365.settings import checks

GUID = "7B1F9C1E-54D0-4C6A-9E5B-0C6D1F6A2B3C"


@pytest.mark.parametrize(
    "text",
    [
        "common/../evil",
        "a@b",
        "%2e%2e",
        "x\r\nY: z",
        "contoso\uff0eonmicrosoft\uff0ecom",
        "\uff0e\uff0e",
        "..",
        "a..b.com",
        ".contoso.com",
        "contoso.com.",
        "contoso",
        "a." * 130 + "com",
        "x" * 300,
        "\U0001f514.com",
        "contoso.com/",
        "contoso.com?x=1",
        "contoso.com#x",
        "contoso.com\n",
        "contoso.com\0",
        "https://contoso.com",
        "-contoso.com",
        "contoso-.com",
        "127.0.0.1",
        "con toso.com",
        "\u0661\u0662.com",
        f"{{{GUID}}}",
        GUID.replace("-", ""),
    ],
)
def test_a_tenant_that_is_no_guid_and_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GUID|email address"):
        checks.tenant_id(text)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (GUID, GUID.lower()),
        ("Contoso.onMicrosoft.com", "contoso.onmicrosoft.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("organizations", "organizations"),
        ("common", "common"),
        ("consumers", "consumers"),
    ],
)
def test_a_tenant_is_kept_in_lower_case(text: str, stored: str) -> None:
    assert checks.tenant_id(text) == stored


def test_an_email_address_in_the_tenant_box_is_answered_with_its_domain() -> None:
    with pytest.raises(ValueError, match=r"Its tenant is probably contoso\.com"):
        checks.tenant_id("ana@contoso.com")


@pytest.mark.parametrize("text", ["", "7b1f9c1e", f" {GUID}", f"{GUID}\n", GUID.replace("7", "\uff17", 1), "g" * 36])
def test_a_client_id_that_is_no_guid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must look like 00000000-0000-0000-0000-000000000000"):
        checks.client_id(text)


def test_the_secret_id_is_told_from_the_secret() -> None:
    with pytest.raises(ValueError, match=r"This looks like the Secret ID\. Paste the Value"):
        checks.client_secret(GUID)


@pytest.mark.parametrize("text", ["a&b=c%d+e", "пароль-密码-🔑", "~8Q~with.dots_and-dashes", '<script>"'])
def test_a_secret_may_hold_any_character(text: str) -> None:
    assert checks.client_secret(text) == text


def test_a_secret_of_a_whole_document_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        checks.client_secret("x" * 100_000)


@pytest.mark.parametrize("text", ["0", "1441", "-1", "1.5", "five", "\u0665", "99999999999"])
def test_an_interval_outside_a_minute_and_a_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 1440"):
        checks.sync_interval(text)


@pytest.mark.parametrize(("text", "stored"), [("1", "1"), ("0005", "5"), ("1440", "1440")])
def test_an_interval_is_kept_as_plain_minutes(text: str, stored: str) -> None:
    assert checks.sync_interval(text) == stored


@pytest.mark.parametrize("text", ["-1", "36501", "1.5", "all", "\u0663\u0660", "1e2", "99999999999"])
def test_more_than_a_century_of_mail_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="number of days, or 0 for all mail"):
        checks.sync_since(text)


@pytest.mark.parametrize(("text", "stored"), [("0", "0"), ("030", "30"), ("36500", "36500")])
def test_how_far_back_is_kept_as_plain_days(text: str, stored: str) -> None:
    assert checks.sync_since(text) == stored


@pytest.mark.parametrize("text", ["-1", "36501", "1.5", "never", "\u0663\u0660"])
def test_removed_mail_is_kept_for_whole_days_or_for_ever(text: str) -> None:
    with pytest.raises(ValueError, match="number of days, or 0 to keep it for ever"):
        checks.keep_removed(text)


@pytest.mark.parametrize(("text", "stored"), [("0", "0"), ("030", "30")])
def test_how_long_removed_mail_is_kept_is_plain_days(text: str, stored: str) -> None:
    assert checks.keep_removed(text) == stored


@pytest.mark.parametrize("text", ["-1", "51", "1.5", "10 MB", "\u0661\u0660", "99999999999"])
def test_attachments_that_are_too_large_to_store_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="from 1 to 50, or 0 to store none"):
        checks.store_attachments(text)


@pytest.mark.parametrize(("text", "stored"), [("0", "0"), ("010", "10"), ("50", "50")])
def test_how_large_attachments_are_stored_is_kept_as_plain_megabytes(text: str, stored: str) -> None:
    assert checks.store_attachments(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-13-01",
        "0000-01-01",
        "2026-2-3",
        "20261205",
        "2026-W49-6",
        "05.12.2026",
        "12/05/2026",
        "2026-12-05T00:00",
        "2026-12-05\n",
        "\u0662\u0660\u0662\u0666-\u0661\u0662-\u0660\u0665",
        "\uff12\uff10\uff12\uff16-12-05",
        "tomorrow",
    ],
)
def test_a_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="year-month-day, such as 2026-12-05"):
        checks.expiry_date(text)


@pytest.mark.parametrize("text", ["2026-12-05", "2028-02-29", "2020-01-01"])
def test_a_day_is_kept_as_browsers_send_it(text: str) -> None:
    assert checks.expiry_date(text) == text


@pytest.mark.parametrize(("text", "stored"), [("True", "1"), ("y", "1"), ("On", "1"), ("False", "0"), ("no", "0")])
def test_a_toggle_understands_what_people_write_into_the_environment(text: str, stored: str) -> None:
    assert checks.toggle(text) == stored


def test_a_toggle_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(ValueError, match="on or off"):
        checks.toggle("enabled")


def test_a_cloud_that_microsoft_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="global, usgov, usgov_dod, china"):
        checks.cloud("https://evil.example")


@pytest.mark.parametrize(
    "text", [GUID, f"{GUID},", f" {GUID} {GUID.lower()}", f"{GUID}\r\n{GUID}\r\n", f"{GUID};\t{GUID}", f",,{GUID}\n"]
)
def test_tenants_are_kept_in_lower_case_and_once_each(text: str) -> None:
    assert checks.sign_in_tenants(text) == GUID.lower()


@pytest.mark.parametrize(
    "text", ["contoso.com", "common", f"{GUID}{GUID}", f"{GUID}, *", GUID.replace("7", "\uff17", 1)]
)
def test_a_tenant_that_may_sign_in_is_named_by_its_id(text: str) -> None:
    with pytest.raises(ValueError, match="must be a GUID"):
        checks.sign_in_tenants(text)


def test_domains_are_kept_in_lower_case_and_once_each() -> None:
    assert checks.sign_in_domains("Contoso.com @fabrikam.com\r\ncontoso.COM") == "contoso.com, fabrikam.com"


@pytest.mark.parametrize(
    "text", ["contoso", "*.contoso.com", "a@contoso.com", ".com", "contoso.com/x", "\u212aelvin.com"]
)
def test_a_domain_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no domain"):
        checks.sign_in_domains(text)
