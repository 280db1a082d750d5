"""What counts as a word, in mail and in what people search for: the same for both, whatever the database.

Case, accents and the width of letters do not count. Scripts that are written without spaces give a word a character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html import unescape
from typing import NamedTuple

LONGEST = 64  # characters of a word: MariaDB's end at 84, and encoded data is no word
_MOST_ASKED = 20
_MOST_TYPED = 1000  # characters
MOST_HTML = 200_000  # characters of a body that are read at all
_MOST_TEXT = 20_000

# Thai, Lao, Burmese and Khmer; kana; Chinese characters, also those of the later planes
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_WHOLE = re.compile(f"[{_UNSPACED}]")
_ACCENTS = re.compile("[\u0300-\u036f]+")
# each takes time in proportion to the text, whatever stands in it: a parser of HTML does not, for ten thousand boxes in
# each other. What is missed of odd mark-up is one word more
_UNSEEN = re.compile(r"<(script|style|title)\b.*?(?:</\1|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_BLOCK = re.compile(r"</?(?:p|div|br|hr|td|th|tr|li|h[1-6]|dt|dd|pre|option|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[a-z/!?][^<>]*>", re.IGNORECASE)
_ASKED = re.compile(r'"([^"]*)(?:"|$)|([^\s"]+)')
# as str.split() has it, but for all that is neither letter nor digit
_ASCII = {code: " " for code in range(128) if not chr(code).isalnum()}


class Term(NamedTuple):
    """Words that follow one another; of the last one the beginning will do where ``is_prefix``."""

    words: tuple[str, ...]
    is_prefix: bool


def words_of(text: str) -> list[str]:
    """Return the words of a text in order, folded."""
    if text.isascii():
        return [word[:LONGEST] for word in text.lower().translate(_ASCII).split()]
    plain = unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text))).casefold()
    return [word[:LONGEST] for word in _WORD.findall(plain[: 2 * _MOST_TEXT])]  # a sign may become eighteen letters


def terms_of(typed: str) -> list[Term]:
    """Return what people search for: all of it must occur, and any text is a question.

    What they put in quotes, or wrote as one (an address, say), must occur as it is; the last may be unfinished.
    """
    chunks = [(quoted or plain, not plain) for quoted, plain in _ASKED.findall(typed[:_MOST_TYPED])]
    terms = [Term(tuple(words), is_prefix=False) for chunk, _ in chunks if (words := words_of(chunk)[:_MOST_ASKED])]
    terms = terms[:_MOST_ASKED]
    if terms and not chunks[-1][1] and not _WHOLE.match(terms[-1].words[-1]):
        terms[-1] = terms[-1]._replace(is_prefix=True)
    return terms


def words_of_message(
    subject: str | None, people: Iterable[str | None], body: str | None, *, is_html: bool
) -> list[str]:
    """Return the words of a message: of its subject, its people, and the beginning of its body."""
    head = " ".join(part for part in (subject, *people) if part)
    return words_of(f"{head[:_MOST_TEXT]} {_plain(body or '', is_html=is_html)[:_MOST_TEXT]}")


def _plain(body: str, *, is_html: bool) -> str:
    """Return what a reader sees of a body."""
    if not is_html:
        return body
    # words of two paragraphs, or cells, are not one; parts of a word may look different
    return unescape(_TAG.sub("", _BLOCK.sub(" ", _UNSEEN.sub(" ", body[:MOST_HTML]))))
