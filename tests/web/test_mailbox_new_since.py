"""Whoever adds a mailbox says from when on its mail is read, before any of it is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from werkzeug.test import TestResponse

from flask_ms365.models import Mailbox
from flask_ms365.sync.since import ALL_MAIL
from tests.conftest import Clock
from tests.team import ADDRESS, NEW, Team


def add(team: Team, **since: str) -> TestResponse:
    return team.visitor.submit(NEW, {"access": "application", "address": ADDRESS, "label": "", **since})


def days_ago(days: int, clock: Clock) -> datetime:
    return clock() - timedelta(days=days)


def test_older_mail_than_was_chosen_is_never_stored(team: Team, clock: Clock) -> None:
    for age in (3, 7):
        team.support.mailbox.deliver(subject=f"{age} days ago", received_at=days_ago(age, clock))
    assert add(team, since="day", day=days_ago(5, clock).date().isoformat()).status_code == 303
    assert sorted(team.read()) == ["3 days ago", "Help"]


def test_all_mail_is_read_whatever_the_settings_say(team: Team, clock: Clock) -> None:
    with team.host.app.app_context():
        team.host.ms365.settings.save({"sync_since": "30"})
    team.support.mailbox.deliver(subject="Long ago", received_at=days_ago(3000, clock))
    add(team, since="all")
    assert sorted(team.read()) == ["Help", "Long ago"]
    assert team.all(Mailbox.sync_from) == [ALL_MAIL]


def test_the_form_begins_with_what_the_settings_say(team: Team) -> None:
    add(team)
    assert team.all(Mailbox.sync_from) == [None]


@pytest.mark.parametrize("day", ["", "soon", "2999-01-01"])
def test_a_day_that_is_none_is_refused_beside_the_field(team: Team, day: str) -> None:
    answer = add(team, since="day", day=day)
    assert answer.status_code == 200
    assert 'href="#ms365-since-day"' in answer.text
    assert 'id="ms365-day-error"' in answer.text
    assert f'value="{day}"' in answer.text
    assert team.row() is None


def test_a_mailbox_that_is_taken_up_again_keeps_its_day(team: Team) -> None:
    add(team, since="day", day="2024-03-01")
    team.visitor.submit(f"{team.page_path}/disconnect", {"mail": "keep"})
    assert team.row().state == "disconnected"
    add(team)
    assert team.row().state == "connected"
    assert team.all(Mailbox.sync_from) == [datetime(2024, 3, 1, tzinfo=timezone.utc)]
