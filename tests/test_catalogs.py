"""Every sentence for people is in every language, with its values, and what is read is what was written."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

pytest.importorskip("babel", reason="the catalogs are made with Babel (pip install -e '.[test]')")

from babel.messages.mofile import read_mo

from tests import catalogs

_VALUE = re.compile(r"%\((\w+)\)s")


def forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, (tuple, list)) else (text,)


@cache
def wanted() -> dict[Any, set[str]]:
    """Return the texts of code and templates, with the values in each."""
    return {message.id: set(_VALUE.findall(forms(message.id)[-1])) for message in catalogs.extracted() if message.id}


@cache
def translated(language: str) -> dict[Any, Any]:
    return {message.id: message for message in catalogs.read(language) if message.id}


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_nothing_is_missing_and_nothing_is_left_over(language: str) -> None:
    assert set(translated(language)) ^ set(wanted()) == set()


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_nothing_is_empty_or_a_guess(language: str) -> None:
    found = [key for key, message in translated(language).items() if message.fuzzy or not all(forms(message.string))]
    assert found == []


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_every_value_has_its_place(language: str) -> None:
    """A language may have words for one and two of a thing, and then need not say the number."""
    wrong = [
        form
        for key, message in translated(language).items()
        for form in forms(message.string)
        if _values(form) not in (wanted()[key], wanted()[key] - ({"count"} if isinstance(key, tuple) else set()))
    ]
    assert wrong == []


def _values(form: str) -> set[str]:
    return set(_VALUE.findall(form))


@pytest.mark.parametrize("language", catalogs.LANGUAGES)
def test_what_is_read_was_compiled_from_what_was_written(language: str) -> None:
    with catalogs.po_file(language).with_suffix(".mo").open("rb") as file:
        compiled = {forms(message.id): forms(message.string) for message in read_mo(file) if message.id}
    assert compiled == {forms(key): forms(message.string) for key, message in translated(language).items()}
