"""Sentences for people: English in the code, pattern and values apart, so that pages can say them in other languages.

``Words("Sign in again.")`` marks a sentence for the catalogs in ``flask_ms365/translations``. In every other respect it
is an ordinary text: logs and the command line show it in English.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# what a terminal would obey, and what would turn the text around it: no name needs any of these
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Words(str):
    """An English sentence that remembers its pattern and the values in it."""

    pattern: str
    values: Mapping[str, object]
    # with a count among the values: the pattern for one, beside that for many
    pattern_for_one: str | None

    def __new__(cls, pattern: str, /, *, _for_one: str | None = None, **values: object) -> Words:
        chosen = _for_one if _for_one is not None and values["count"] == 1 else pattern
        words = super().__new__(cls, chosen % values if values else chosen)
        words.pattern, words.pattern_for_one, words.values = pattern, _for_one, values
        return words

    def filled(self, **values: object) -> Words:
        """Return this sentence with values; a table of sentences holds them without."""
        return Words(self.pattern, _for_one=None, **values)


def counted(one: str, many: str, count: int, **values: object) -> Words:
    """Return the sentence for ``count`` things; both patterns may name ``%(count)s``."""
    return Words(many, _for_one=one, count=count, **values)


def as_json(text: str) -> Any:
    """Return ``text`` as JSON that :func:`from_json` reads: stored sentences are told in each reader's language."""
    if not isinstance(text, Words):
        return str(text)
    values = {name: as_json(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return [text.pattern, text.pattern_for_one, values]


def from_json(stored: Any) -> str:
    """Return what :func:`as_json` was given."""
    if isinstance(stored, str):
        return stored
    pattern, for_one, values = stored
    read = {name: from_json(value) if isinstance(value, list) else value for name, value in values.items()}
    return Words(pattern, _for_one=for_one, **read)


def visible(text: str | None) -> str:
    """Return ``text`` with its control characters spelled out: people should see that they are there."""
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", text or "")
