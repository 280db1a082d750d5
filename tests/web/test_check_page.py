"""The connection check as a page: it runs by a POST, is linked, and fills in live where there is JavaScript."""

from __future__ import annotations

import html
import re

import pytest

from flask_ms365.check import failed
from flask_ms365.simulator import Simulator
from tests.check.conftest import CHECK, Desk, desk, last_run, press
from tests.identity.conftest import engine_of
from tests.visitor import Visitor, controls
from tests.web.conftest import words

__all__ = ["desk"]


@pytest.fixture
def admin(desk: Desk) -> Visitor:
    return desk.host.visitor()


def rows(page: str) -> dict[str, str]:
    """Return the state of each step as the page says it, by title."""
    heads = re.findall(r'class="ms365-step-head">(.*?)</div>', page, re.DOTALL)
    titles = [words(head, r"<h[23][^>]*>(.*?)</h[23]>") for head in heads]
    return {title: words(head, r"</h[23]>(.*)") for title, head in zip(titles, heads, strict=True)}


def row(page: str, title: str) -> str:
    """Return the HTML of one step."""
    (found,) = [part for part in page.split('<li class="ms365-step">')[1:] if f">{title}</h" in part]
    return found


def run(admin: Visitor) -> str:
    """Run the check; return the page that it leads to."""
    return admin.get(admin.submit(CHECK, {}).headers["Location"]).text


def next_step(admin: Visitor, **given: str) -> str:
    """Ask for the next step as JavaScript does; return what it puts into the page."""
    answer = admin.submit(CHECK, {"step": "next", **given})
    assert answer.status_code == 200
    return answer.text


def test_before_the_first_run_there_is_a_button_and_nothing_else(admin: Visitor) -> None:
    page = admin.get(CHECK).text
    assert ("The check has not been run yet." in page, ">Run the check</button>" in page) == (True, True)


def test_a_run_leads_to_a_page_of_its_own(admin: Visitor) -> None:
    answer = admin.submit(CHECK, {})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ms365/check?run=1")


def test_a_run_can_be_linked(desk: Desk, admin: Visitor) -> None:
    first = run(admin)
    desk.app.expire_secret()
    desk.clock.advance(seconds=11)
    run(admin)
    assert rows(admin.get(f"{CHECK}?run=1").text) == rows(first)
    assert rows(first)["Credentials"] == "Passed"


def test_without_a_number_the_page_shows_the_last_run(desk: Desk, admin: Visitor) -> None:
    run(admin)
    desk.app.expire_secret()
    desk.clock.advance(seconds=11)
    assert rows(run(admin))["Credentials"] == rows(admin.get(CHECK).text)["Credentials"] == "Failed"


@pytest.mark.parametrize("number", ["4711", "x", "-1", "9" * 40, "%00"])
def test_a_run_that_is_none_is_no_error(admin: Visitor, number: str) -> None:
    run(admin)
    assert admin.get(f"{CHECK}?run={number}").status_code == 200


def test_each_state_is_said_in_words(admin: Visitor) -> None:
    assert list(rows(run(admin)).values()) == [*["Passed"] * 6, *["Not checked"] * 5, "Passed"]


def test_the_page_says_who_ran_it_and_how_it_went(admin: Visitor) -> None:
    said = words(run(admin), r'(<p class="ms365-p" dir="auto" data-ms365-address.*?)</p>')
    assert said.startswith("Run ")
    assert said.endswith("by ana : 7 passed, 5 not checked")


def test_a_failure_says_what_to_do_and_where(desk: Desk, admin: Visitor) -> None:
    desk.app.expire_secret()
    said = row(run(admin), "Credentials")
    assert "The client secret has expired." in said
    assert "Create a new client secret in Entra" in said
    assert 'href="/ms365/settings"' in said
    assert (
        f"https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/{desk.app.client_id}"
        in said
    )


def test_the_details_have_the_ids_for_support(desk: Desk, admin: Visitor) -> None:
    desk.app.expire_secret()
    said = row(run(admin), "Credentials")
    trace = dict(last_run(desk.host).results[5].outcome.details)["Trace ID"]
    assert (trace in said, "7000222" in said) == (True, True)


def test_the_report_can_be_copied_and_holds_no_secret(desk: Desk, admin: Visitor) -> None:
    desk.app.expire_secret()
    page = run(admin)
    report = html.unescape(words(page, r'id="ms365-report"[^>]*>(.*?)</(?:pre|code)>'))
    assert "6 FAILED Credentials: The client secret has expired." in report
    assert desk.app.client_secret not in page


def test_a_second_run_within_ten_seconds_shows_the_first(desk: Desk, admin: Visitor) -> None:
    run(admin)
    answer = admin.submit(CHECK, {})
    assert answer.headers["Location"] == "/ms365/check?run=1&again=1"
    assert "The check ran a moment ago." in admin.get(answer.headers["Location"]).text
    assert desk.simulator.count("POST", "/token") == 1


def test_without_its_token_nothing_is_run(desk: Desk, admin: Visitor) -> None:
    assert admin.post(CHECK).status_code == 400
    assert len(desk.simulator.requests) == 0


def test_who_may_not_manage_settings_may_not_run_it(desk: Desk, admin: Visitor) -> None:
    values = controls(admin.get(CHECK).text)
    desk.host.permissions.remove("manage_settings")
    assert [admin.get(CHECK).status_code, admin.post(CHECK, data=values).status_code] == [403, 403]


def test_looking_at_it_asks_microsoft_nothing(desk: Desk, admin: Visitor) -> None:
    run(admin)
    desk.simulator.requests.clear()
    for path in (CHECK, f"{CHECK}?run=1", "/ms365/settings", "/ms365/setup", "/ms365/"):
        assert admin.get(path).status_code == 200
    assert len(desk.simulator.requests) == 0


def test_a_database_that_takes_no_run_shows_it_all_the_same(desk: Desk, admin: Visitor) -> None:
    full = "CREATE TRIGGER full BEFORE INSERT ON ms365_check_run BEGIN SELECT RAISE(ABORT, 'full'); END"
    with engine_of(desk.host).begin() as connection:
        connection.exec_driver_sql(full)
    answer = admin.submit(CHECK, {})
    assert (answer.status_code, len(rows(answer.text))) == (200, 12)


# with JavaScript


def test_the_first_answer_has_every_step_and_none_has_run(admin: Visitor) -> None:
    part = next_step(admin)
    assert list(rows(part).values()) == ["Running", *["Waiting"] * 11]
    assert "<html" not in part


def test_each_answer_has_one_step_more(admin: Visitor) -> None:
    part = next_step(admin)
    number = words(part, r'data-ms365-next="(\d+)"')
    part = next_step(admin, run=number)
    assert list(rows(part).values()) == ["Passed", "Running", *["Waiting"] * 10]


def test_the_last_answer_names_no_next_step_and_says_where_the_run_is(admin: Visitor) -> None:
    part = next_step(admin)
    while number := words(part, r'data-ms365-next="(\d+)"'):
        part = next_step(admin, run=number)
    assert rows(part) == rows(admin.get(words(part, r'data-ms365-address="(.*?)"')).text)
    assert "Report for support" in part


def test_a_run_of_the_page_takes_twelve_steps_and_asks_microsoft_once_each(desk: Desk, admin: Visitor) -> None:
    part, asked = next_step(admin), 0
    while number := words(part, r'data-ms365-next="(\d+)"'):
        part, asked = next_step(admin, run=number), asked + 1
    assert (asked, len(desk.simulator.requests)) == (12, 3)


def test_live_too_a_second_run_shows_the_first(admin: Visitor) -> None:
    run(admin)
    part = next_step(admin)
    assert ("The check ran a moment ago." in part, "data-ms365-next" in part) == (True, False)


def test_a_run_that_was_left_half_way_says_so_after_two_minutes(desk: Desk, admin: Visitor) -> None:
    next_step(admin)
    desk.clock.advance(minutes=2, seconds=1)
    page = admin.get(CHECK).text
    assert (set(rows(page).values()), "data-ms365-next" in page) == ({"Not checked"}, False)


def test_a_step_of_the_host_is_a_row_like_ours(desk: Desk, admin: Visitor) -> None:
    desk.host.ms365.check("Search <index>")(lambda: failed("It is <gone>.", "Build it again."))
    page = run(admin)
    assert rows(page)["Search <index>"] == "Failed"
    assert ("It is &lt;gone&gt;." in page, "<gone>" in page) == (True, False)


def test_what_microsoft_says_is_escaped(desk: Desk, admin: Visitor) -> None:
    refusal = {"error": "invalid_client", "error_description": "AADSTS7000215: <script>alert(1)</script>"}
    desk.simulator.fail_next(Simulator.TOKEN, 401, refusal)
    page = run(admin)
    assert ("&lt;script&gt;" in page, "<script>alert" in page) == (True, False)


def test_the_setup_guide_leads_here(desk: Desk, admin: Visitor) -> None:
    assert f'href="{CHECK}"' in admin.get("/ms365/setup").text


def test_the_guide_ticks_what_a_run_has_proved(desk: Desk, admin: Visitor) -> None:
    before = admin.get("/ms365/setup").text
    press(desk.host)
    assert admin.get("/ms365/setup").text.count(">Done<") > before.count(">Done<")
