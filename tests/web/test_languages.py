"""The pages in the host's language: Flask-Babel's, where the host has it, beside the host's own texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from flask import request
from flask_babel import Babel
from jinja2 import DictLoader, Environment, meta
from markupsafe import Markup

from flask_ms365.errors import Throttled
from flask_ms365.web import language
from flask_ms365.words import Words, counted
from tests.catalogs import LANGUAGES, ROOT, compiled
from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.conftest import SETTINGS, AddMessage, words

MESSAGES = "/ms365/messages"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)

In = Callable[[str, str], str]


def _accepted() -> str | None:
    return request.accept_languages.best_match([*LANGUAGES, "en", "it", "he", "de_AT"])


@pytest.fixture
def speaking(host: Host) -> Host:
    """Return a host with Flask-Babel that speaks what the browser asks for."""
    Babel(host.app, locale_selector=_accepted, timezone_selector=lambda: request.args.get("zone"))
    return host


@pytest.fixture
def page_in(speaking: Host) -> In:
    """Return a function that opens a page in a language."""
    visitor = speaking.visitor()
    return lambda code, path: visitor.get(path, headers={"Accept-Language": code}).text


def heading(page: str) -> str:
    return words(page, r"<h1[^>]*>(.*?)</h1>")


def document(page: str) -> tuple[str, str]:
    """Return language and direction of a page."""
    ((code, direction),) = re.findall(r'<html [^>]*lang="(.*?)" dir="(.*?)"', page)
    return code, direction


def test_without_babel_the_pages_are_english(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(received_at=NOON)
    page = visitor.get(MESSAGES, headers={"Accept-Language": "de"}).text
    assert (heading(page), "3 Mar 2026, 12:00 UTC" in page, document(page)) == ("Messages", True, ("en", "ltr"))


def test_a_german_page(page_in: In, add_message: AddMessage) -> None:
    add_message(received_at=NOON)
    page = page_in("de", MESSAGES)
    assert (heading(page), "03.03.2026, 12:00:00 UTC" in page) == ("Nachrichten", True)
    assert document(page) == ("de", "ltr")


def test_an_arabic_page_runs_from_right_to_left(page_in: In) -> None:
    page = page_in("ar", MESSAGES)
    assert (heading(page), document(page)) == ("الرسائل", ("ar", "rtl"))


def test_each_visitor_of_a_process_has_a_language_of_their_own(page_in: In) -> None:
    seen = [heading(page_in(code, MESSAGES)) for code in ("de", "en", "fr", "de", "es")]
    assert seen == ["Nachrichten", "Messages", "Messages", "Nachrichten", "Mensajes"]


def test_a_land_has_the_words_of_its_language(page_in: In) -> None:
    page = page_in("de_AT", MESSAGES)
    assert (heading(page), document(page)) == ("Nachrichten", ("de-AT", "ltr"))


@pytest.mark.parametrize("code", ["it", "he"])
def test_a_page_in_a_language_without_a_catalog_says_that_it_is_english(page_in: In, code: str) -> None:
    page = page_in(code, MESSAGES)
    assert (heading(page), document(page)) == ("Messages", ("en", "ltr"))


def test_a_refusal_is_translated_too(page_in: In) -> None:
    assert heading(page_in("de", "/ms365/messages/7")) == "Nicht gefunden"


def test_times_are_told_in_the_time_zone_of_the_host(page_in: In, add_message: AddMessage) -> None:
    add_message(received_at=NOON)
    page = page_in("de", f"{MESSAGES}?zone=Asia/Tokyo")
    assert ("03.03.2026, 21:00:00" in page, "UTC" in page) == (True, False)


@pytest.mark.parametrize("year", [1, 9999])
def test_dates_at_the_end_of_time_have_no_other_time_zone(page_in: In, add_message: AddMessage, year: int) -> None:
    add_message(received_at=datetime(year, *((1, 1, 0) if year == 1 else (12, 31, 23)), tzinfo=timezone.utc))
    zone = "America/New_York" if year == 1 else "Asia/Tokyo"
    assert f"{year}" in page_in("de", f"{MESSAGES}?zone={zone}")


def test_numbers_are_written_as_people_write_them(speaking: Host) -> None:
    def told(code: str) -> str:
        with speaking.app.test_request_context(headers={"Accept-Language": code}):
            return language.number(55537)

    assert [told(code) for code in ("en", "de", "it")] == ["55,537", "55.537", "55.537"]


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 بايت"), (1, "بايت واحد"), (2, "بايتان"), (3, "3 بايتات"), (11, "11 بايتًا"), (100, "100 بايت")],
)
def test_arabic_counts_in_six_ways(speaking: Host, count: int, told: str) -> None:
    with speaking.app.test_request_context(headers={"Accept-Language": "ar"}):
        assert language.translated(counted("%(count)s byte", "%(count)s bytes", count)) == told


def test_english_counts_without_a_catalog(host: Host) -> None:
    with host.app.test_request_context():
        told = [language.translated(counted("%(count)s byte", "%(count)s bytes", count)) for count in (1, 2, 1234)]
    assert told == ["1 byte", "2 bytes", "1,234 bytes"]


def test_words_among_the_values_are_translated_too(speaking: Host) -> None:
    with speaking.app.test_request_context(headers={"Accept-Language": "de"}):
        assert language.translated(Words("%(what)s!", what=Words("Settings"))) == "Einstellungen!"


def test_what_is_no_text_of_ours_comes_back_as_it_is(speaking: Host) -> None:
    with speaking.app.test_request_context(headers={"Accept-Language": "de"}):
        assert [language.translated(text) for text in ("", "Einstellungen", "100 %")] == ["", "Einstellungen", "100 %"]


def test_html_among_the_values_stays_html_and_nothing_else_does(host: Host) -> None:
    with host.app.test_request_context():
        told = language.translated("<%(name)s> %(number)s", name="<b>", number=Markup("<bdi>5</bdi>"))
    assert told == Markup("&lt;&lt;b&gt;&gt; <bdi>5</bdi>")


def test_the_layout_of_a_host_keeps_the_texts_of_the_host(speaking: Host, page_in: In, tmp_path: Path) -> None:
    catalog = Catalog(locale="de")
    catalog.add("Settings", "Unsere Wahl")
    folder = tmp_path / "texts" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "messages.mo").write_bytes(compiled(catalog))
    speaking.app.extensions["babel"].translation_directories.append(str(tmp_path / "texts"))
    speaking.app.jinja_loader = DictLoader(
        {"ms365/base.html": '<nav>{{ _("Settings") }}</nav>{% block ms365_content %}{% endblock %}'}
    )
    page = page_in("de", SETTINGS)
    assert (words(page, "<nav>(.*?)</nav>"), heading(page)) == (
        "Unsere Wahl",
        "Microsoft-365-Einstellungen",
    )


def test_a_host_may_have_other_means_to_translate(host: Host, visitor: Visitor) -> None:
    host.app.context_processor(lambda: {"_": {"nav.home": "Startseite"}.get})
    host.app.jinja_loader = DictLoader(
        {"ms365/base.html": '<nav>{{ _("nav.home") }}</nav>{% block ms365_content %}{% endblock %}'}
    )
    page = visitor.get(SETTINGS).text
    assert (words(page, "<nav>(.*?)</nav>"), heading(page)) == ("Startseite", "Microsoft 365 settings")


def test_an_error_is_told_in_the_language_of_its_reader(speaking: Host) -> None:
    with speaking.app.test_request_context(headers={"Accept-Language": "de"}):
        told = language.translated(Throttled(status=429, code="tooMany").words)
    assert told == "Microsoft bittet um langsamere Anfragen. (HTTP 429 tooMany)"


@pytest.mark.parametrize("path", sorted((ROOT / "templates" / "ms365" / "parts").iterdir()), ids=lambda path: path.name)
def test_a_part_uses_our_words_and_not_those_of_the_host(path: Path) -> None:
    """A part that calls ``_`` begins with ``{% set _ = ms365_text %}``; in pages our blocks do it."""
    assert "_" not in meta.find_undeclared_variables(Environment().parse(path.read_text(encoding="utf-8")))
