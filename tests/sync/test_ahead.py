"""Pages are fetched ahead of the one who stores them: several readings at once, each in its order, few in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import pytest

from flask_ms365.errors import Unavailable
from flask_ms365.graph import DeltaPage, GraphClient
from flask_ms365.graph.quota import AT_ONCE
from flask_ms365.models import Folder
from flask_ms365.models.mail import PAGE_SIZE
from flask_ms365.sync.ahead import FetchAhead
from flask_ms365.sync.reading import Fetched, Reading

_PATIENCE = 10  # seconds that a test waits for other threads before it fails


class Pages(Reading):
    """A reading that knows its pages."""

    def __init__(self, pages: int | Sequence[Fetched | Exception] = 3) -> None:
        super().__init__(cast(GraphClient, None), Folder(id=1, round=1, page_size=PAGE_SIZE))
        self.fetched = 0
        self._changed = threading.Condition()
        self._pages = _numbered(pages) if isinstance(pages, int) else pages

    def fetch(self) -> Iterator[Fetched]:
        for page in self._pages:
            with self._changed:
                self.fetched += 1
                self._changed.notify_all()
            if isinstance(page, Exception):
                raise page
            yield page

    def reaches(self, number: int, *, within: float = _PATIENCE) -> bool:
        """Tell whether so many pages were asked for within some seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.fetched >= number, within)


def _page(number: int, *, is_last: bool = False) -> Fetched:
    link = f"{number}"
    return Fetched(page=DeltaPage(value=[], next_link=None if is_last else link, delta_link=link if is_last else None))


def _numbered(pages: int) -> list[Fetched]:
    return [_page(number, is_last=number == pages) for number in range(1, pages + 1)]


def ahead_of(
    *readings: Reading,
    context: Callable[[], AbstractContextManager[object]] = nullcontext,
    is_near: Callable[[], bool] = lambda: False,
) -> FetchAhead:
    return FetchAhead(readings, context=context, is_near=is_near)


def number_of(outcome: Fetched | BaseException) -> str | None:
    """Return a page's number; of an error, its kind."""
    if isinstance(outcome, BaseException):
        return type(outcome).__name__
    return outcome.page.next_link or outcome.page.delta_link


def numbers_of(reading: Reading, outcomes: Sequence[tuple[Reading, Fetched | BaseException]]) -> list[str | None]:
    return [number_of(outcome) for its, outcome in outcomes if its is reading]


def fetching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ms365-fetch"]


def test_nothing_to_read_is_at_its_end_at_once() -> None:
    assert list(ahead_of()) == []


def test_the_pages_of_a_reading_come_in_their_order() -> None:
    readings = [Pages(5) for _ in range(3)]
    outcomes = list(ahead_of(*readings))

    for reading in readings:
        assert numbers_of(reading, outcomes) == ["1", "2", "3", "4", "5"]


def test_as_many_are_read_at_once_as_microsoft_allows() -> None:
    together = threading.Barrier(AT_ONCE)

    class Meeting(Pages):
        def fetch(self) -> Iterator[Fetched]:
            together.wait(_PATIENCE)  # broken, and so an error, unless all of them come
            yield from super().fetch()

    readings = [Meeting(1) for _ in range(2 * AT_ONCE)]
    outcomes = list(ahead_of(*readings))

    assert [number_of(outcome) for _, outcome in outcomes] == ["1"] * 2 * AT_ONCE


def test_no_more_are_read_at_once_than_microsoft_allows() -> None:
    readings = [Pages() for _ in range(AT_ONCE + 1)]
    ahead = ahead_of(*readings)
    next(iter(ahead))

    assert all(reading.reaches(1) for reading in readings[:AT_ONCE])
    assert readings[-1].fetched == 0
    ahead.close()


def test_the_next_page_is_fetched_while_one_is_stored() -> None:
    reading = Pages()
    ahead = ahead_of(reading)
    next(iter(ahead))

    assert reading.reaches(2)
    ahead.close()


def test_at_most_two_pages_of_a_reading_are_in_memory() -> None:
    reading = Pages(6)
    for stored, (_, page) in enumerate(ahead_of(reading), start=1):
        assert number_of(page) == str(stored)
        assert not reading.reaches(stored + 2, within=0.02)


def test_where_answers_come_at_once_no_thread_is_started_and_nothing_is_fetched_before_it_is_wanted() -> None:
    readings = [Pages(3), Pages(3)]
    outcomes = []
    for stored, outcome in enumerate(ahead_of(*readings, is_near=lambda: True), start=1):
        outcomes.append(outcome)
        assert (sum(reading.fetched for reading in readings), fetching()) == (stored, [])

    assert [numbers_of(reading, outcomes) for reading in readings] == [["1", "2", "3"]] * 2


def test_where_answers_begin_to_come_at_once_every_page_still_comes_once() -> None:
    answers = iter([False, False, True, False, True, True, False])
    readings = [Pages(3), Pages(3)]
    outcomes = list(ahead_of(*readings, is_near=lambda: next(answers, True)))

    assert [numbers_of(reading, outcomes) for reading in readings] == [["1", "2", "3"]] * 2


@pytest.mark.parametrize("is_near", [False, True])
def test_an_error_ends_its_reading_and_no_other(is_near: bool) -> None:
    broken, well = Pages([_page(1), Unavailable()]), Pages()
    outcomes = list(ahead_of(broken, well, is_near=lambda: is_near))

    assert numbers_of(broken, outcomes) == ["1", "Unavailable"]
    assert numbers_of(well, outcomes) == ["1", "2", "3"]


def test_a_mistake_of_ours_is_told_as_well_and_no_thread_dies_in_silence() -> None:
    broken = Pages([ZeroDivisionError()])

    assert numbers_of(broken, list(ahead_of(broken))) == ["ZeroDivisionError"]


def test_a_reading_that_is_added_in_the_middle_is_read_too() -> None:
    first, added = Pages([Unavailable()]), Pages()
    ahead, outcomes = ahead_of(first), []
    for outcome in ahead:
        outcomes.append(outcome)
        if isinstance(outcome[1], Unavailable):
            ahead.add(added)

    assert numbers_of(added, outcomes) == ["1", "2", "3"]


@pytest.mark.parametrize("stored", [1, 2])
def test_to_close_ends_the_threads(stored: int) -> None:
    before = fetching()
    ahead = ahead_of(*(Pages(50) for _ in range(AT_ONCE + 2)))
    outcomes = iter(ahead)
    for _ in range(stored):
        next(outcomes)
    ahead.close()

    assert [thread for thread in fetching() if thread not in before] == []


def test_at_the_end_no_thread_is_left() -> None:
    before = fetching()
    list(ahead := ahead_of(Pages(), Pages()))
    ahead.close()

    assert [thread for thread in fetching() if thread not in before] == []


def test_each_thread_has_a_context_of_its_own() -> None:
    inside = threading.local()

    @contextmanager
    def context() -> Iterator[None]:
        inside.is_so = True
        yield
        inside.is_so = False

    class Looking(Pages):
        def fetch(self) -> Iterator[Fetched]:
            assert inside.is_so
            yield from super().fetch()

    reading = Looking(2)
    assert numbers_of(reading, list(ahead_of(reading, context=context))) == ["1", "2"]
