"""The catalogs of the pages' words. ``python -m tests.catalogs`` brings them up to date with code and templates."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "flask_ms365" / "translations"
LANGUAGES = ("ar", "de", "es", "fr")

_SOURCES = (("flask_ms365", "**.py", "python"), ("templates/ms365", "**.html", "jinja2"))
_KEYWORDS = {"_": None, "Words": None, "counted": (1, 2)}


def extracted() -> Catalog:
    """Return every text that is marked, without translations."""
    catalog = Catalog(project="Flask-MS365", charset="utf-8")
    for folder, pattern, method in _SOURCES:
        found = extract_from_dir(ROOT / folder, [(pattern, method)], {pattern: {"silent": "false"}}, keywords=_KEYWORDS)
        for name, _, text, _, context in found:
            catalog.add(text, locations=[(f"{folder}/{name}", 0)], context=context)
    return catalog


def po_file(language: str) -> Path:
    """Return where a language's texts are; ``.mo`` beside it is what is read."""
    return FOLDER / language / "LC_MESSAGES" / "ms365.po"


def read(language: str) -> Catalog:
    """Return a language's texts; none for one that begins."""
    if not po_file(language).exists():
        po_file(language).parent.mkdir(parents=True)
        return Catalog(locale=language, domain="ms365", project="Flask-MS365", charset="utf-8", fuzzy=False)
    with po_file(language).open("rb") as file:
        return read_po(file, locale=language, domain="ms365")


def compiled(catalog: Catalog) -> bytes:
    """Return the ``.mo`` file of a catalog."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def refresh(language: str) -> None:
    """Add what is new, drop what is gone, and compile. What is guessed for a changed text is marked fuzzy."""
    catalog = read(language)
    catalog.update(extracted(), update_creation_date=False)
    with po_file(language).open("wb") as file:
        write_po(file, catalog, width=120, ignore_obsolete=True, include_lineno=False)
    po_file(language).with_suffix(".mo").write_bytes(compiled(catalog))


if __name__ == "__main__":
    for each in LANGUAGES:
        refresh(each)
