"""The chain: in order, every step says something, and none stops the others."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from flask import current_app, has_app_context
from urllib3.connectionpool import HTTPConnectionPool

from flask_ms365 import MS365
from flask_ms365.check import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.chain import STEPS, Step
from flask_ms365.check.outcome import State
from flask_ms365.settings import USE_DEFAULT
from flask_ms365.simulator import Simulator
from flask_ms365.state import current_state
from tests.check.conftest import Desk, look, press, run_check, said, states
from tests.conftest import Host

ORDER = [
    "address",
    "settings",
    "keyring",
    "reach",
    "tenant",
    "credentials",
    "redirect_uri",
    "permissions",
    "mailbox",
    "worker",
    "overdue",
    "database",
]


def broken(_: object) -> Outcome:
    raise RuntimeError("postgresql://admin:hunter2@db")


def test_there_are_five_states() -> None:
    assert set(get_args(State)) == {"passed", "warning", "failed", "not_checked", "running"}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(passed("x"), "passed"), (warning("x"), "warning"), (failed("x"), "failed"), (not_checked("x"), "not_checked")],
)
def test_each_state_has_a_word_of_its_own(outcome: Outcome, state: str) -> None:
    assert (outcome.state, outcome.message) == (state, "x")


def test_the_order_goes_from_here_to_microsoft_and_back(desk: Desk) -> None:
    assert [result.name for result in run_check(desk.host).results] == ORDER


def test_every_step_says_something_before_anything_is_set_up(host: Host) -> None:
    results = look(host)
    assert [result.name for result in results if not result.outcome.message] == []


def test_a_step_that_needs_another_names_its_number(desk: Desk) -> None:
    desk.app.expire_secret()
    run = run_check(desk.host)
    assert said(run, "permissions").message == said(run, "mailbox").message == "Needs step 6: Credentials"


def test_without_settings_the_steps_that_need_them_say_so(host: Host) -> None:
    results = {result.name: result.outcome for result in look(host)}
    assert (results["tenant"].message, results["credentials"].message) == ("Needs step 2: Settings",) * 2


def test_what_needs_nothing_runs_though_all_before_failed(desk: Desk) -> None:
    desk.simulator.drop_connection(Simulator.SIGN_IN, times=None)
    found = states(look(desk.host))
    assert (found["reach"], found["tenant"], found["worker"], found["database"]) == (
        "failed",
        "not_checked",
        "not_checked",
        "passed",
    )


def test_a_step_of_ours_that_breaks_is_never_red_and_stops_nobody(desk: Desk) -> None:
    steps = (Step(name="ours", title="Ours", run=broken), *STEPS)
    first, *others = look(desk.host, steps)
    assert (first.outcome.state, first.outcome.message) == (
        "not_checked",
        "The check itself did not work (RuntimeError).",
    )
    assert "hunter2" not in str(first)
    assert "failed" not in states(others).values()


@pytest.fixture
def with_checks(desk: Desk) -> Desk:
    """Return the desk of a host with three checks: well, broken, and one that forgets to answer."""
    check = desk.host.ms365.check
    check("Ticket queue")(lambda: passed("12 tickets"))
    check("Search index")(lambda: broken(None))
    silent: Any = lambda: None  # noqa: E731
    check("Printer")(silent)
    return desk


def test_the_checks_of_the_host_come_last_in_its_order(with_checks: Desk) -> None:
    titles = [result.title for result in run_check(with_checks.host).results]
    assert titles[len(ORDER) :] == ["Ticket queue", "Search index", "Printer"]


def test_a_check_of_the_host_that_breaks_has_failed_and_stops_nobody(with_checks: Desk) -> None:
    *_, well, raised, silent = run_check(with_checks.host).results
    assert [each.outcome.state for each in (well, raised, silent)] == ["passed", "failed", "failed"]
    assert (raised.outcome.message, "hunter2" in str(raised)) == (
        "The check itself did not work (RuntimeError).",
        False,
    )


def test_a_check_of_the_host_has_the_app_at_hand(desk: Desk) -> None:
    @desk.host.ms365.check("Name")
    def name() -> Outcome:
        return passed(current_app.name)

    assert run_check(desk.host).results[-1].outcome.message == desk.host.app.name


def test_a_check_may_be_registered_before_the_app_is_there(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
    prepared = MS365()
    prepared.check("Early")(lambda: passed("Here"))
    monkeypatch.setattr("tests.conftest.MS365", lambda **_: prepared)
    assert run_check(desk.make_host("other")).results[-1].title == "Early"


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> list[bool]:
    """Return for each request to Microsoft whether the host had a transaction open meanwhile."""
    seen: list[bool] = []
    send = HTTPConnectionPool.urlopen

    def watched(pool: HTTPConnectionPool, *args: Any, **given: Any) -> Any:
        if has_app_context():
            seen.append(current_state().session().in_transaction())  # type: ignore[operator]
        return send(pool, *args, **given)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", watched)
    return seen


def test_no_transaction_is_open_while_microsoft_is_asked(desk: Desk, transactions: list[bool]) -> None:
    desk.connect()
    transactions.clear()
    press(desk.host)
    assert transactions == [False] * 4


def test_nobody_asks_microsoft_before_there_is_something_to_ask_for(desk: Desk) -> None:
    desk.save(tenant_id=USE_DEFAULT)
    desk.simulator.requests.clear()
    look(desk.host)
    assert [record.path for record in desk.simulator.requests] == ["/common/v2.0/.well-known/openid-configuration"]
