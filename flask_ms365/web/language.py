"""The language of a page: that of Flask-Babel where the host has it, else English.

Our catalogs are a domain of their own, ``ms365``, so the host's texts and ours never meet. Dates and numbers follow the
host's locale and time zone in every language; our words only in those that have a catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from functools import cache
from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path
from typing import Any

from flask import current_app
from markupsafe import Markup, escape

from flask_ms365.words import Words

FOLDER = Path(__file__).parents[1] / "translations"

_ENGLISH = NullTranslations()
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def translated(text: str, /, **values: object) -> str:
    """Return ``text`` in the visitor's language; what is no text of ours comes back as it is.

    :class:`Words` bring pattern and values, and may be values themselves. Values that are HTML make the result HTML.
    """
    if not isinstance(text, Words):
        # the catalog's own head stands under the empty text
        return _filled(_catalog().gettext(text) if text else text, values)
    if text.pattern_for_one is None:
        return _filled(_catalog().gettext(text.pattern), {**text.values, **values})
    count: Any = text.values["count"]
    pattern = _catalog().ngettext(text.pattern_for_one, text.pattern, count)
    return _filled(pattern, {**text.values, "count": number(count), **values})


def number(value: float) -> str:
    """Return a number as people write it."""
    babel = _babel()
    return str(babel.format_decimal(value)) if babel else f"{value:,}"


def time_of(value: datetime) -> str:
    """Return a time as people write it, to the minute and in UTC unless the host says otherwise."""
    babel = _babel()
    if babel is None:
        utc = value.astimezone(timezone.utc)
        return f"{date_of(utc)}, {utc:%H:%M} UTC"
    try:
        text = str(babel.format_datetime(value))
    except OverflowError:  # mail may be dated so early or late that other time zones cannot have it
        return f"{babel.format_datetime(value, rebase=False)} UTC"
    return f"{text} UTC" if str(babel.get_timezone()) == "UTC" else text


def date_of(value: date) -> str:
    """Return a day, or the day of a time, as people write it."""
    babel = _babel()
    if babel:
        return str(babel.format_date(value))
    day = value.astimezone(timezone.utc) if isinstance(value, datetime) else value
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def document_language() -> dict[str, str]:
    """Return ``ms365_lang`` and ``ms365_dir``; nothing for English, which a document is in without them."""
    babel = _babel()
    if babel is None or not isinstance(_catalog(), GNUTranslations):
        return {}
    locale = babel.get_locale()
    return {"ms365_lang": str(locale).replace("_", "-"), "ms365_dir": locale.text_direction}


def _filled(pattern: str, values: Mapping[str, object]) -> str:
    if not values:
        return pattern
    told = {name: translated(value) if isinstance(value, Words) else value for name, value in values.items()}
    if any(hasattr(value, "__html__") for value in told.values()):
        return Markup(escape(pattern)) % told
    return pattern % told


def _babel() -> Any:
    """Return Flask-Babel where the host uses it, else None."""
    if "babel" not in current_app.extensions:
        return None
    import flask_babel

    return flask_babel


def _catalog() -> NullTranslations:
    """Return our words in the visitor's language, or none: then they stay English."""
    babel = _babel()
    return _catalog_of(babel.get_locale()) if babel else _ENGLISH


@cache
def _catalog_of(locale: Any) -> NullTranslations:
    return translation("ms365", FOLDER, [str(locale)], fallback=True)
