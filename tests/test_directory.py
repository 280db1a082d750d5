"""The host's directory, asked with care: one that fails or answers nonsense closes, and is told of once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from flask_ms365.directory import MOST_FOUND, DirectoryEntry, HostDirectory
from tests.directory import People

QUESTIONS: dict[str, Callable[[HostDirectory], object]] = {
    "names_of": lambda directory: directory.names_of(["kim"]),
    "search": lambda directory: directory.search("kim"),
    "roles": lambda directory: directory.roles(),
    "roles_of": lambda directory: directory.roles_of("kim"),
}
CLOSED: dict[str, object] = {"names_of": {}, "search": [], "roles": [], "roles_of": frozenset()}


@dataclass
class Answering:
    """A directory that answers each question with the same thing, or raises it."""

    answer: Any
    asked: list[Any] = field(default_factory=list)

    def _answer(self, *question: Any) -> Any:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    names_of = search = roles = roles_of = _answer


def test_names_and_roles_are_the_host_s() -> None:
    directory = HostDirectory(directory=People())
    assert [ask(directory) for ask in QUESTIONS.values()] == [
        {"kim": "Kim Osei"},
        [DirectoryEntry("kim", "Kim Osei")],
        [DirectoryEntry("desk", "Service desk"), DirectoryEntry("sales", "Sales")],
        frozenset({"desk"}),
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_a_directory_nobody_has_a_role(question: str) -> None:
    assert QUESTIONS[question](HostDirectory(directory=None)) == CLOSED[question]


def test_without_a_directory_names_are_ids() -> None:
    assert HostDirectory(directory=None).name_of("kim") == "kim"


def test_whom_the_directory_does_not_know_is_called_by_the_id() -> None:
    assert HostDirectory(directory=People()).name_of("u-4711") == "u-4711"


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("answer", [KeyError("kim"), None, 1, True, object, [None], [object], [True]], ids=repr)
def test_a_directory_that_fails_or_answers_nonsense_closes(question: str, answer: object) -> None:
    assert QUESTIONS[question](HostDirectory(directory=Answering(answer))) == CLOSED[question]


@pytest.mark.parametrize("answer", ["desk", b"desk", ["desk", None], ["x" * 129], [""], [str(n) for n in range(501)]])
def test_roles_that_are_none_are_no_roles(answer: object) -> None:
    """The letters of a text are no roles, and one bad id spoils the answer: it may mean anything."""
    assert HostDirectory(directory=Answering(answer)).roles_of("kim") == frozenset()


def test_a_method_that_is_missing_closes() -> None:
    directory = HostDirectory(directory=object())  # type: ignore[arg-type]
    assert {name: ask(directory) for name, ask in QUESTIONS.items()} == CLOSED


def test_a_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    directory = HostDirectory(directory=Answering(RuntimeError("no connection")))
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            directory.roles_of("kim")
    assert [record.getMessage() for record in caplog.records] == ["directory.failed: roles_of()"]
    assert "RuntimeError: no connection" in caplog.text


def test_numbers_of_the_host_are_ids_too() -> None:
    """As with ``current_user_id``: what is stored and compared is their text."""
    guid = UUID("7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c")
    assert HostDirectory(directory=Answering({1, guid})).roles_of("kim") == {"1", str(guid)}
    assert HostDirectory(directory=Answering({7: "Kim"})).names_of(["7"]) == {"7": "Kim"}


def test_objects_of_the_host_will_do_for_entries() -> None:
    """An SQLAlchemy model with ``id`` and ``name``, for one."""
    row = type("Person", (), {"id": 7, "name": "Kim"})()
    assert HostDirectory(directory=Answering(iter([row]))).search("kim") == [DirectoryEntry("7", "Kim")]


def test_no_more_people_are_shown_than_can_be_looked_through() -> None:
    many = [DirectoryEntry(str(number), "Kim") for number in range(1000)]
    assert len(HostDirectory(directory=Answering(many)).search("kim")) == MOST_FOUND


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_search_is_not_asked(text: str) -> None:
    host = Answering([DirectoryEntry("kim", "Kim")])
    assert (HostDirectory(directory=host).search(text), host.asked) == ([], [])


def test_all_names_of_a_page_are_one_question() -> None:
    host = Answering({"ana": "Ana", "kim": "Kim", "eve": "Nobody asked"})
    assert HostDirectory(directory=host).names_of(["kim", "ana", "kim"]) == {"ana": "Ana", "kim": "Kim"}
    assert host.asked == [({"ana", "kim"},)]


def test_nobody_who_is_not_signed_in_has_a_role() -> None:
    host = Answering(["desk"])
    assert (HostDirectory(directory=host).roles_of(None), host.asked) == (frozenset(), [])
