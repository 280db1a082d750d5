"""When the end of a secret is told, and in which words."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from flask_ms365.settings.expiry import expiry

TODAY = date(2026, 3, 3)


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


@pytest.mark.parametrize(
    ("days_left", "threshold"),
    [
        (400, None),
        (31, None),
        (30, 30),
        (15, 30),
        (14, 14),
        (8, 14),
        (7, 7),
        (2, 7),
        (1, 1),
        (0, 0),
        (-1, 0),
        (-400, 0),
    ],
)
def test_each_threshold_holds_until_the_next(days_left: int, threshold: int | None) -> None:
    assert expiry(in_days(days_left), TODAY).threshold == threshold


@pytest.mark.parametrize(
    ("days_left", "words"),
    [
        (12, "The client secret expires in 12 days"),
        (1, "The client secret expires tomorrow"),
        (0, "The client secret expires today"),
        (-1, "The client secret expired 1 day ago"),
        (-3, "The client secret expired 3 days ago"),
    ],
)
def test_people_read_how_long_it_has(days_left: int, words: str) -> None:
    assert str(expiry(in_days(days_left), TODAY).words) == words


@pytest.mark.parametrize(
    ("days_left", "words"),
    [
        (12, "The client certificate expires in 12 days"),
        (1, "The client certificate expires tomorrow"),
        (0, "The client certificate expires today"),
        (-1, "The client certificate expired 1 day ago"),
        (-3, "The client certificate expired 3 days ago"),
    ],
)
def test_of_a_certificate_they_read_the_same(days_left: int, words: str) -> None:
    assert str(expiry(in_days(days_left), TODAY, kind="certificate").words) == words


def test_each_kind_of_credential_is_a_subject_of_its_own() -> None:
    assert len({expiry(in_days(7), TODAY, kind=kind).subject for kind in ("secret", "certificate", "federated")}) == 3


def test_a_secret_works_on_its_last_day() -> None:
    assert [expiry(in_days(days), TODAY).has_ended for days in (1, 0, -1)] == [False, False, True]


def test_each_threshold_of_each_date_is_a_subject_of_its_own() -> None:
    subjects = {expiry(in_days(days), in_days(ago)).subject for days in (40, 41) for ago in (0, 12, 27, 34, 39, 41)}
    assert len(subjects) == 11
    assert expiry(date(2026, 12, 5), date(2026, 11, 23)).subject == "secret-expiry:2026-12-05:14"
