"""What befell the app, or most of its mailboxes, is one message and not one a mailbox."""

from __future__ import annotations

from datetime import timedelta

from flask_ms365 import Trouble
from flask_ms365.simulator import App
from tests.mailboxes.failing import Heard, Lost, causes, change, fail, heal, many, tick_for, told
from tests.sync.many import Many
from tests.visitor import BASE_URL

__all__ = ["many", "told"]


def test_a_secret_that_expired_is_one_message_and_not_one_a_mailbox(many: Many, told: Heard, registration: App) -> None:
    many.add(30, first=5)
    change(many, next_due_at=many.clock())
    registration.expire_secret()
    tick_for(many, 120)
    assert causes(told) == [(None, "app_refused", False)]
    assert (told[0].address, told[0].user_ids, told[0].admins) == ("", (), True)
    assert told[0].words.startswith("Microsoft refuses this app, so no mailbox gets new tokens.")
    assert told[0].url == f"{BASE_URL}/ms365/settings"


def test_that_it_is_replaced_is_one_message_too(many: Many, told: Heard, registration: App) -> None:
    change(many, next_due_at=many.clock())
    registration.expire_secret()
    tick_for(many, 10)
    with many.host.app.app_context():
        many.host.ms365.settings.save({"client_secret": registration.add_secret()})
    heal(many)
    tick_for(many, 60)
    assert causes(told) == [(None, "app_refused", False), (None, "app_refused", True)]


def test_a_date_that_is_over_is_the_same_trouble(many: Many, told: Heard, registration: App) -> None:
    yesterday = (many.clock() - timedelta(days=1)).date().isoformat()
    with many.host.app.app_context():
        many.host.ms365.settings.save({"client_secret_expires_on": yesterday})
    tick_for(many, 10)
    change(many, next_due_at=many.clock())
    registration.expire_secret()
    tick_for(many, 10)
    assert [(each.cause, each.words) for each in told] == [("app_refused", "The client secret expired 1 day ago")]


def test_while_the_app_is_refused_a_dead_sign_in_is_told_all_the_same(
    many: Many, told: Heard, registration: App
) -> None:
    change(many, next_due_at=many.clock())
    registration.expire_secret()
    change(many, 1, state="sign_in_needed")
    tick_for(many, 10)
    assert sorted(each.cause for each in told) == ["app_refused", "sign_in_needed"]


def test_a_failure_of_most_mailboxes_is_one_message(many: Many, told: Heard) -> None:
    """A handler of the host that is broken fails for every mailbox."""
    many.add(16, first=5)
    change(many, last_success_at=many.clock(), next_due_at=many.clock() + timedelta(days=1))
    fail(many)
    tick_for(many, 30)
    assert [(each.mailbox_id, each.cause, each.words) for each in told] == [
        (None, "failed", "20 mailboxes could not be read")
    ]


def test_it_keeps_no_other_news_back(many: Many, told: Heard) -> None:
    many.add(96, first=5)
    change(many, last_success_at=many.clock(), next_due_at=many.clock() + timedelta(days=1))
    fail(many)
    tick_for(many, 20)
    change(many, 99, state="sign_in_needed")
    tick_for(many, 5)
    assert causes(told) == [(None, "failed", False), (99, "sign_in_needed", False)]


def test_what_is_left_of_it_is_told_one_by_one(many: Many, told: Heard) -> None:
    many.add(46, first=5)
    change(many, last_success_at=many.clock(), next_due_at=many.clock() + timedelta(days=1))
    fail(many)
    tick_for(many, 20)
    heal(many, *range(2, 51))
    tick_for(many, 10)
    assert causes(told) == [(None, "failed", False), (None, "failed", True), (1, "failed", False)]


def test_most_mailboxes_overdue_are_one_message(many: Many, told: Heard) -> None:
    """Microsoft has been out of order for an hour."""
    many.tick()
    fail(many, result="unavailable")
    tick_for(many, 60)
    assert causes(told) == [(None, "overdue", False)]


def test_news_of_the_app_is_tried_again_too(many: Many, registration: App) -> None:
    attempts = []

    @many.host.ms365.on_trouble
    def mail_it(trouble: Trouble) -> None:
        attempts.append((trouble.cause, trouble.is_over))
        if len(attempts) in (1, 3):
            raise Lost

    change(many, next_due_at=many.clock())
    registration.expire_secret()
    tick_for(many, 20)
    with many.host.app.app_context():
        many.host.ms365.settings.save({"client_secret": registration.add_secret()})
    heal(many)
    tick_for(many, 20)
    assert attempts == [("app_refused", False)] * 2 + [("app_refused", True)] * 2
