"""What people read when Microsoft refuses: our words by the code, and its own text only where it cannot harm."""

from __future__ import annotations

import pytest

from flask_ms365.identity.advice import advise, said
from flask_ms365.identity.advice_table import BY_ERROR, TABLE
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.portal import PAGES
from flask_ms365.words import Words

TRACE, CORRELATION = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "1a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
EXPIRED = "AADSTS7000222: The provided client secret keys for app 'x' are expired."

# every code that the documents of Microsoft name for an app that reads mail
CODES = """\
7000215 7000222 7000218 700025 700027 50048 700030 7000112 70001 700016 650059 50194 90002 900023 90112
50011 900971 500113 9002325 9002326 9002327 9002346 65001 65004 90094 90095 90093 90008 650056 650057 650052 500011
70011 28002 28003 700022 700023 50076 50074 50079 50072 50078 50158 53000 53001 53002 53003 53004 530032 530035
50131 50005 50097 50105 50057 50034 51004 50020 90072 50053 50126 50055 50144 50173
70008 700082 70043 700084 50089 54005 70000 700005 9002313 900144 90014 900561 50196
90033 90024 50033 90006 90012 90055 9001023 90124 90130 90027 9002332 90038 900382 900432
"""


@pytest.mark.parametrize("code", CODES.split())
def test_every_code_has_its_own_words(code: str) -> None:
    advice = advise("invalid_request", f"AADSTS{code}: Something happened.")
    assert advice.code == code
    assert advice.message != advise("invalid_request", "AADSTS1234567: Something else.").message
    assert advice.next_step
    assert advice.look_up == f"https://login.microsoftonline.com/error?code={code}"


def test_all_words_can_be_translated_and_all_pages_exist() -> None:
    for row in [*TABLE.values(), *BY_ERROR.values()]:
        assert isinstance(row.message, Words)
        assert isinstance(row.next_step, Words)
        assert row.page in {"", *PAGES}


@pytest.mark.parametrize("code", ["65001", "90093", "90094", "90095"])
def test_missing_approval_names_the_admin_consent_link(code: str) -> None:
    assert "admin-consent link" in advise("access_denied", f"AADSTS{code}: Need admin approval").next_step


def test_an_unknown_code_falls_back_to_the_oauth_error() -> None:
    assert advise("invalid_client", "AADSTS7999999: New.").message == "Microsoft refused the client ID or secret."


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_nobody_knows_is_looked_up_in_its_own_cloud(cloud: str) -> None:
    login = CLOUDS[cloud].login
    assert advise("unheard_of", "AADSTS7999999: New.", login=login).look_up == f"{login}/error?code=7999999"


def test_a_simulator_explains_no_codes() -> None:
    advice = advise("unheard_of", "AADSTS7999999: New.", login="http://127.0.0.1:8365")
    assert advice.next_step == "Look it up at https://login.microsoftonline.com/error?code=7999999"


def test_without_any_code_there_is_a_next_step_and_nothing_to_look_up() -> None:
    advice = advise("", "")
    assert (advice.next_step, advice.look_up, advice.code) == ("Sign in again.", "", "")


@pytest.mark.parametrize("gap", ["\r\n", "\n", " ", "\u00a0", "  \u00a0 "], ids=ascii)
def test_ids_and_time_are_found_however_they_are_set_apart(gap: str) -> None:
    parts = [EXPIRED, f"Trace ID: {TRACE}", f"Correlation ID: {CORRELATION}", "Timestamp: 2026-09-01 10:11:12Z"]
    advice = advise("invalid_client", gap.join(parts))
    assert (advice.trace, advice.correlation, advice.timestamp) == (TRACE, CORRELATION, "2026-09-01 10:11:12Z")


def test_a_no_break_space_inside_the_labels_is_a_space() -> None:
    advice = advise(
        "invalid_client", f"{EXPIRED} Trace\u00a0ID:\u00a0{TRACE} Timestamp:\u00a02026-09-01\u00a010:11:12Z"
    )
    assert (advice.trace, advice.timestamp) == (TRACE, "2026-09-01 10:11:12Z")


def test_what_poses_as_an_id_is_none() -> None:
    assert advise("x", "Trace ID: <script>alert(1)</script> Correlation ID: deadbeef").trace == ""


def test_the_text_for_errors_and_logs_is_both_sentences() -> None:
    text = advise("invalid_client", EXPIRED).text
    assert text.startswith("The client secret has expired. Create a new client secret")
    assert text.pattern == "%(message)s %(next_step)s"


def test_what_microsoft_said_is_one_short_line() -> None:
    text = said("One\r\nFAKE LOG\x1b[31m\u202egnol\x00 " + "very " * 200)
    assert text.startswith("One FAKE LOG [31m gnol very")
    assert len(text) == 300


def test_what_microsoft_said_keeps_ids_and_loses_secrets() -> None:
    code, secret = "0.AXoAq1tF" + "x9" * 20, "aB38Q~Zz9.never_shown-anywhere~at.all012"
    text = said(f"App '{TRACE}' sent '{secret}' and {code}. See https://login.microsoftonline.com/error?code=70000")
    assert text == f"App '{TRACE}' sent … and … See https://login.microsoftonline.com/error?code=70000"


def test_a_text_of_any_length_is_read_quickly() -> None:
    assert len(advise("x", "Trace ID: 0" * 1_000_000).said) == 300
