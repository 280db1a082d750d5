"""Numbers for Prometheus, read by its own parser: right over several processes, cheap, and nobody's address."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, insert, select, update

from flask_ms365 import simulator as microsoft
from flask_ms365.models import Mailbox, Message, Tenant, write_transaction
from flask_ms365.simulator import App, Simulator
from flask_ms365.sync.lease import take_away
from tests.conftest import Clock, Host, HostFactory
from tests.sync.many import Many

METRICS = "/ms365/metrics"
NAMES = """mailboxes mailbox_lag_seconds oldest_success_timestamp leases_active lease_takeovers fenced_writes sync_runs
messages graph_requests throttled token_refresh reconnect_needed tick_last_timestamp secret_expires_timestamp
keys_in_use mailboxes_overdue sync_on tokens_held tenants_held"""

Numbers = dict[str, dict[str, float]]


def scrape(host: Host) -> Numbers:
    """Return name -> value of its one label, empty where it has none -> number."""
    answer = host.visitor().get(METRICS)
    assert answer.status_code == 200
    families = {family.name: family.samples for family in text_string_to_metric_families(answer.text)}
    return {
        name.removeprefix("ms365_"): {"".join(sample.labels.values()): sample.value for sample in samples}
        for name, samples in families.items()
    }


def one(host: Host, name: str) -> float:
    return scrape(host)[name][""]


@pytest.fixture
def many(configured: Host, simulator: Simulator, clock: Clock) -> Many:
    return Many(host=configured, simulator=simulator, clock=clock)


def change(many: Many, mailbox_id: int, **values: Any) -> None:
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(update(Mailbox).where(Mailbox.id == mailbox_id).values(**values))


# what is told


def test_every_name_is_there_from_the_start(host: Host) -> None:
    assert set(scrape(host)) == set(NAMES.split())


def test_mailboxes_are_counted_by_state(many: Many) -> None:
    many.add(4)
    many.tick()
    change(many, 1, state="sign_in_needed")
    change(many, 2, fail_count=1, last_result="failed")

    numbers = scrape(many.host)
    assert {state: count for state, count in numbers["mailboxes"].items() if count} == {
        "sign_in_needed": 1, "failed": 1, "up_to_date": 2
    }  # fmt: skip
    assert numbers["reconnect_needed"][""] == 1


def test_looks_without_news_are_counted(many: Many) -> None:
    many.add(3)
    many.tick()

    numbers = scrape(many.host)
    assert numbers["sync_runs"]["done"] == numbers["graph_requests"]["2xx"] == 3
    assert numbers["token_refresh"]["renewed"] == 1
    assert set(numbers["messages"].values()) == {0}


def test_messages_are_counted_by_what_happened_to_them(many: Many, clock: Clock) -> None:
    box, *_ = many.add(2)
    messages = [box.deliver(subject=f"{number}", text="x") for number in range(3)]
    many.tick()
    box.delete(messages[0])
    clock.advance(minutes=6)
    many.tick()

    assert scrape(many.host)["messages"] == {"created": 3, "updated": 0, "moved": 0, "removed": 1}


def test_what_microsoft_refuses_is_counted(many: Many) -> None:
    throttled, failing, *_ = many.add(3)
    throttled.throttle(times=None, retry_after=600)
    failing.drop_connection(times=1)
    many.tick()

    numbers = scrape(many.host)
    assert numbers["throttled"][""] == numbers["graph_requests"]["4xx"] == 2  # by the look, and by the run
    assert numbers["graph_requests"]["none"] == 1
    assert numbers["sync_runs"] | {"done": 0} == dict.fromkeys(numbers["sync_runs"], 0) | {"throttled": 1}


def test_several_processes_add_up(many: Many, make_host: HostFactory, clock: Clock) -> None:
    many.add(2)
    keys = many.host.app.config["MS365_ENCRYPTION_KEYS"]
    other = make_host(MS365_ENCRYPTION_KEYS=keys)
    many.tick()
    clock.advance(minutes=6)
    with other.app.app_context():
        other.ms365.tick()

    assert scrape(many.host) == scrape(other)
    assert scrape(other)["sync_runs"]["done"] == 4


def test_a_mailbox_that_a_killed_process_held_is_a_takeover(many: Many, clock: Clock) -> None:
    many.add(3)
    change(many, 1, lease_owner="killed", lease_expires_at=clock() - timedelta(seconds=1))
    many.tick()

    assert one(many.host, "lease_takeovers") == 1


def held_while_taken_away(host: Host, box: microsoft.Mailbox, act: Callable[[], object]) -> None:
    """Let ``act`` wait for an answer about the first mailbox until another worker has that."""

    def work() -> None:
        with host.app.app_context():
            act()

    session = host.app.extensions["sqlalchemy"].session
    with ThreadPoolExecutor(1) as pool:
        with box.hold() as traffic:
            late = pool.submit(work)
            assert traffic.wait_for(1)
            with host.app.app_context(), write_transaction(session):
                take_away(session, 1)
        late.result(timeout=30)


def test_a_look_that_comes_too_late_is_counted(many: Many) -> None:
    box, *_ = many.add(2)
    held_while_taken_away(many.host, box, many.tick)

    assert one(many.host, "fenced_writes") == 1


def test_a_run_that_comes_too_late_is_counted_and_its_mail_is_not(connected: Host, mailbox: microsoft.Mailbox) -> None:
    mailbox.deliver(subject="New", text="x")
    held_while_taken_away(connected, mailbox, lambda: connected.ms365.sync_mailbox(1))

    numbers = scrape(connected)
    assert (numbers["fenced_writes"][""], numbers["sync_runs"]["taken"], numbers["messages"]["created"]) == (1, 1, 0)


def test_of_a_run_that_dies_what_was_stored_is_counted_and_no_more(connected: Host, mailbox: microsoft.Mailbox) -> None:
    mailbox.max_page_size = 2
    mailbox.deliver_many(6, body_size=10)
    seen: list[object] = []

    @connected.ms365.on_message
    def die(message: object, change: object) -> None:
        seen.append(message)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with connected.app.app_context():
        with pytest.raises(KeyboardInterrupt):
            connected.ms365.sync_mailbox(1)
        stored = connected.app.extensions["sqlalchemy"].session.scalar(select(func.count()).select_from(Message))
    assert scrape(connected)["messages"]["created"] == stored == 2


def test_leases_lag_and_the_oldest_success(many: Many, clock: Clock) -> None:
    now = clock()
    many.add(3)
    change(many, 1, lease_owner="a worker", lease_expires_at=now + timedelta(minutes=1))
    change(many, 2, last_success_at=now - timedelta(minutes=9), next_due_at=now - timedelta(minutes=4))
    change(many, 3, last_success_at=now - timedelta(minutes=7), next_due_at=now + timedelta(minutes=4))

    numbers = scrape(many.host)
    assert numbers["leases_active"][""] == 1
    assert 240 <= numbers["mailbox_lag_seconds"][""] < 260
    assert numbers["oldest_success_timestamp"][""] == pytest.approx((now - timedelta(minutes=9)).timestamp())


def test_each_engine_tells_when_it_ticked(many: Many, clock: Clock) -> None:
    many.tick()
    before = clock()
    many.host.app.extensions["ms365.state"].runner.engine = lambda: "worker"
    many.tick()

    ticks = scrape(many.host)["tick_last_timestamp"]
    assert set(ticks) == {"external", "worker"}
    assert ticks["external"] <= before.timestamp() <= ticks["worker"]


def test_the_end_of_the_secret_and_the_keys_in_use(many: Many, clock: Clock) -> None:
    last_day = (clock() + timedelta(days=12)).date()
    with many.host.app.app_context():
        many.host.ms365.settings.save({"client_secret_expires_on": last_day.isoformat()}, actor="ana")

    numbers = scrape(many.host)
    assert 12 * 86400 <= numbers["secret_expires_timestamp"][""] - clock().timestamp() <= 13 * 86400
    assert list(numbers["keys_in_use"].values()) == [1]


def test_a_key_that_is_missing_is_told(many: Many, make_host: HostFactory) -> None:
    assert list(scrape(make_host())["keys_in_use"].values()) == [0]


def test_an_app_that_microsoft_refuses_is_told(many: Many, registration: App) -> None:
    many.add(1)
    registration.expire_secret()
    many.tick()

    numbers = scrape(many.host)
    assert (numbers["tokens_held"][""], numbers["token_refresh"]["app_refused"]) == (1, 1)


def test_an_organisation_that_is_to_wait_is_counted(many: Many, clock: Clock) -> None:
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.add(Tenant(id="contoso", held_until=clock() + timedelta(hours=1)))
    assert one(many.host, "tenants_held") == 1


@pytest.mark.parametrize(("value", "told"), [("1", 1), ("0", 0)])
def test_the_switch_is_told(many: Many, value: str, told: int) -> None:
    with many.host.app.app_context():
        many.host.ms365.settings.save({"email_sync": value})
    assert one(many.host, "sync_on") == told


# who may, and what it costs


def test_strangers_learn_nothing(host: Host) -> None:
    host.permissions = {"own_mailbox"}
    assert host.visitor().get(METRICS).status_code == 403


@pytest.mark.parametrize(("sent", "code"), [("Bearer watcher", 200), ("Bearer wrong", 403), ("", 403)])
def test_prometheus_comes_in_by_its_token(make_host: HostFactory, sent: str, code: int) -> None:
    host = make_host(MS365_MONITORING_TOKEN="watcher")
    host.permissions = set()
    assert host.visitor().get(METRICS, headers={"Authorization": sent}).status_code == code


def test_no_address_is_told(many: Many) -> None:
    many.add(2)
    many.tick()
    assert "@" not in many.host.visitor().get(METRICS).text


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("*/*", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics")],
)
def test_the_format_is_the_one_that_is_asked_for(host: Host, accept: str, kind: str) -> None:
    answer = host.visitor().get(METRICS, headers={"Accept": accept})
    assert answer.content_type.startswith(kind)


def test_any_number_of_mailboxes_takes_as_many_statements(many: Many) -> None:
    def statements() -> int:
        with many.statements() as seen:
            scrape(many.host)
        return len(seen)

    statements()  # the first request of a process has more to do
    many.add(3)
    few = statements()
    now = many.clock()
    rows = [{"kind": "user", "address": f"{n}@x.example", "created_at": now, "next_due_at": now} for n in range(300)]
    with many.host.app.app_context(), write_transaction(many.session):
        many.session.execute(insert(Mailbox), rows)
    assert (statements(), few <= 7) == (few, True)
