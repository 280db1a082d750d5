"""Failure reaches people: one message a cause, and one more when it is over, whatever number of processes tick."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flask_ms365 import Trouble, signals
from flask_ms365.models import Folder, Mailbox, Told
from flask_ms365.web.addresses import page_address
from tests.conftest import Clock, HostFactory
from tests.mailboxes.failing import Heard, Lost, causes, change, fail, heal, many, tick_for, told
from tests.sync.many import Many
from tests.visitor import BASE_URL

__all__ = ["many", "told"]


# one message a cause, and one when it is over


def test_a_mailbox_that_needs_a_sign_in_is_told_once(many: Many, told: Heard) -> None:
    change(many, 2, state="sign_in_needed")
    tick_for(many, 60)
    assert causes(told) == [(2, "sign_in_needed", False)]


def test_that_it_is_over_is_told_once(many: Many, told: Heard) -> None:
    change(many, 2, state="sign_in_needed")
    tick_for(many, 10)
    heal(many, 2)
    tick_for(many, 60)
    assert causes(told)[1:] == [(2, "sign_in_needed", True)]


def test_it_may_come_again(many: Many, told: Heard) -> None:
    for _ in range(2):
        change(many, 2, state="sign_in_needed")
        tick_for(many, 10)
        heal(many, 2)
        tick_for(many, 10)
    assert causes(told) == [(2, "sign_in_needed", False), (2, "sign_in_needed", True)] * 2


def test_another_cause_is_another_message(many: Many, told: Heard) -> None:
    fail(many, 2)
    tick_for(many, 20)
    change(many, 2, state="sign_in_needed")
    tick_for(many, 20)
    heal(many, 2)
    tick_for(many, 20)
    assert causes(told) == [(2, "failed", False), (2, "sign_in_needed", False), (2, "sign_in_needed", True)]


def test_a_folder_in_doubt_is_told(many: Many, told: Heard) -> None:
    change(many, 3, model=Folder, doubt="asked")
    tick_for(many, 10)
    change(many, 3, model=Folder, doubt=None)
    tick_for(many, 10)
    assert causes(told) == [(3, "doubt", False), (3, "doubt", True)]


def test_an_overdue_mailbox_is_told(many: Many, told: Heard) -> None:
    many.tick()
    change(many, 1, fail_count=3, last_result="throttled")
    for _ in range(9):
        heal(many, 2, 3, 4)
        tick_for(many, 5)
    assert causes(told) == [(1, "overdue", False)]
    heal(many, 1)
    tick_for(many, 5)
    assert causes(told)[1:] == [(1, "overdue", True)]


def test_mail_that_cannot_be_deleted_is_told(many: Many, told: Heard) -> None:
    change(many, 4, state="deleting", fail_count=1, next_due_at=many.clock() + timedelta(days=1))
    tick_for(many, 5)
    assert causes(told) == [(4, "delete_failed", False)]


def test_a_mailbox_that_is_paused_needs_nobody(many: Many, told: Heard) -> None:
    fail(many, 1)
    tick_for(many, 20)
    change(many, 1, state="paused")
    tick_for(many, 5)
    assert causes(told) == [(1, "failed", False), (1, "failed", True)]


# what passes by itself


def test_a_mailbox_that_was_asked_to_wait_is_no_trouble(many: Many, told: Heard) -> None:
    fail(many, 1, result="throttled")
    tick_for(many, 25)
    assert told == []


def test_a_flapping_mailbox_tells_nothing(many: Many, told: Heard) -> None:
    for _ in range(12):
        fail(many, 1)
        tick_for(many, 10)
        heal(many, 1)
        tick_for(many, 5)
    assert told == []


def test_it_is_not_over_while_it_waits(many: Many, told: Heard) -> None:
    fail(many, 1)
    tick_for(many, 20)
    change(many, 1, last_result="throttled")
    tick_for(many, 5)
    assert causes(told) == [(1, "failed", False)]


def test_while_the_sync_is_off_nothing_is_told(many: Many, told: Heard) -> None:
    with many.host.app.app_context():
        many.host.ms365.settings.save({"email_sync": "0"})
    change(many, 1, state="sign_in_needed")
    tick_for(many, 10)
    assert told == []


# whom it concerns


def test_a_healthy_mailbox_does_not_end_the_alarm_of_a_broken_one(many: Many, told: Heard) -> None:
    """Both are Ana's: what is told, and what is over, is a mailbox's own."""
    change(many, 1, 2, owner_id="ana")
    change(many, 1, state="sign_in_needed")
    tick_for(many, 5)
    heal(many, 2)
    tick_for(many, 30)
    assert causes(told) == [(1, "sign_in_needed", False)]


def test_a_notice_never_goes_to_the_broken_mailbox_alone(many: Many, told: Heard) -> None:
    change(many, 1, kind="user", owner_id="kim", state="sign_in_needed")
    change(many, 2, state="sign_in_needed")
    tick_for(many, 5)
    assert [(each.address, each.user_ids, each.admins) for each in told] == [
        ("box0@contoso.example", ("kim",), True),
        ("box1@contoso.example", (), True),
    ]


def test_it_says_what_to_do_and_where(many: Many, told: Heard) -> None:
    change(many, 1, kind="user", owner_id="kim", state="sign_in_needed")
    fail(many, 2)
    tick_for(many, 20)
    assert [(each.words, each.next_step, each.url) for each in told] == [
        (
            "box0@contoso.example is not read any more: Microsoft wants somebody to sign in for it again.",
            "Sign in again on the page of the mailbox.",
            f"{BASE_URL}/ms365/my-email",
        ),
        (
            "box1@contoso.example could not be read: ValueError while storing mail",
            "Run the connection check: it says what to do.",
            f"{BASE_URL}/ms365/mailboxes/2",
        ),
    ]


def test_it_knows_where_the_pages_are_mounted(make_host: HostFactory) -> None:
    host = make_host(MS365_URL_PREFIX="/admin/mail")
    for base, address in (
        (None, "/admin/mail/my-email"),
        ("https://x.example/sub", "https://x.example/sub/admin/mail/my-email"),
    ):
        assert page_address(host.app, base, "my_email") == address


def test_without_a_public_address_it_names_the_path(make_host: HostFactory, clock: Clock) -> None:
    host, heard = make_host(MS365_PUBLIC_BASE_URL=None), list[Trouble]()
    host.ms365.on_trouble(heard.append)
    with host.app.app_context():
        host.ms365.settings.save({"client_id": "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "tenant_id": "contoso.com"})
        host.ms365.settings.save({"client_secret": "a secret that is long", "email_sync": "1"})
        session = host.app.extensions["sqlalchemy"].session
        due = {"created_at": clock(), "next_due_at": clock()}
        session.add(Mailbox(kind="user", owner_id="kim", address="kim@contoso.com", state="sign_in_needed", **due))
        session.commit()
        host.ms365.tick()
    assert [each.url for each in heard] == ["/ms365/my-email"]


# exactly once, and handlers that fail


def test_of_several_processes_one_tells(many: Many, told: Heard, make_host: HostFactory) -> None:
    key = many.host.app.config["MS365_ENCRYPTION_KEYS"]
    others = [make_host(MS365_ENCRYPTION_KEYS=key) for _ in range(2)]
    for other in others:
        other.ms365.on_trouble(told.append)
    change(many, 1, state="sign_in_needed")
    for host in [*others, many.host] * 2:
        with host.app.app_context():
            host.ms365.tick()
    assert causes(told) == [(1, "sign_in_needed", False)]


def test_a_handler_that_fails_is_called_again_and_stops_no_other(
    many: Many, told: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = []

    @many.host.ms365.on_trouble
    def mail_it(trouble: Trouble) -> None:
        attempts.append(trouble.mailbox_id)
        if len(attempts) < 3:
            raise Lost

    change(many, 1, state="sign_in_needed")
    tick_for(many, 30)
    assert (causes(told), attempts) == ([(1, "sign_in_needed", False)], [1, 1, 1])
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == ["notice.failed"] * 2


def test_a_failing_handler_hears_of_the_other_mailboxes(many: Many, told: Heard) -> None:
    heard = []

    @many.host.ms365.on_trouble
    def mail_it(trouble: Trouble) -> None:
        heard.append(trouble.mailbox_id)
        if trouble.mailbox_id == 1:
            raise Lost

    change(many, 1, 2, state="sign_in_needed")
    many.tick()
    assert heard == [1, 2]


def test_a_handler_may_write_to_the_database(many: Many) -> None:
    @many.host.ms365.on_trouble
    def note(trouble: Trouble) -> None:
        many.session.add(Told(subject="the host's own", user_id=str(trouble.mailbox_id), at=many.clock()))

    change(many, 1, state="sign_in_needed")
    many.tick()
    with many.host.app.app_context():
        assert many.session.get(Told, ("the host's own", "1")) is not None


def test_no_transaction_is_open_while_the_host_is_called(many: Many) -> None:
    seen = []
    many.host.ms365.on_trouble(lambda trouble: seen.append(many.session().in_transaction()))
    change(many, 1, state="sign_in_needed")
    many.tick()
    assert seen == [False]


def test_the_signals_come_beside(many: Many) -> None:
    heard: list[tuple[str, int, str]] = []

    def failing(_: object, mailbox_id: int, cause: str) -> None:
        heard.append(("failing", mailbox_id, cause))

    def healed(_: object, mailbox_id: int, cause: str) -> None:
        heard.append(("healed", mailbox_id, cause))

    with signals.mailbox_failing.connected_to(failing), signals.mailbox_healed.connected_to(healed):
        change(many, 1, state="sign_in_needed")
        tick_for(many, 10)
        heal(many, 1)
        tick_for(many, 10)
    assert heard == [("failing", 1, "sign_in_needed"), ("healed", 1, "sign_in_needed")]


# what it costs


def test_a_tick_without_news_costs_three_statements(many: Many, told: Heard) -> None:
    change(many, 1, state="sign_in_needed")
    many.tick()
    with many.statements() as heard:
        many.tick()
    with many.statements() as before:
        many.host.ms365._trouble_handlers.clear()
        many.tick()
    assert (len(told), len(heard) - len(before)) == (1, 3)


def test_many_are_told_a_few_at_a_tick(many: Many, told: Heard) -> None:
    many.add(96, first=5)
    change(many, state="sign_in_needed")
    counts = []
    for _ in range(3):
        many.tick()
        counts.append(len(told))
    assert counts == [50, 100, 100]
