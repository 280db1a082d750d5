"""Names and types that strangers chose."""

from __future__ import annotations

import unicodedata

import pytest

from flask_ms365.content.names import item_type, safe_name, safe_type
from tests.content.conftest import File, Kept


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("a.html", "a.html"),
        ("日本語 2026.pdf", "日本語 2026.pdf"),
        ("../../x", "x"),
        ("..\\..\\x.txt", "x.txt"),
        ("/etc/passwd", "etc_passwd"),
        ("Q1/Q2.xlsx", "Q1_Q2.xlsx"),
        ("C:\\x.txt", "C__x.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("aux .txt", "_aux.txt"),
        ("COM1.tar.gz", "_COM1.tar.gz"),
        ("LPT¹", "_LPT¹"),
        ("CONTRACT.pdf", "CONTRACT.pdf"),
        ("photo\u202egnp.exe", "photognp.exe"),
        ("pay\u200bpal\ufeff.txt", "paypal.txt"),
        ("a\r\nSet-Cookie: b", "aSet-Cookie_ b"),
        ("a\x00b\x7f.txt", "ab.txt"),
        ("half\ud800.txt", "half.txt"),
        ("a.txt. . ", "a.txt"),
        (".htaccess", "htaccess"),
        ('<b>"?*|.txt', "_b_____.txt"),
        ("...", "attachment"),
        ("///", "attachment"),
        ("", "attachment"),
        (None, "attachment"),
    ],
)
def test_a_name_is_made_harmless_and_stays_readable(given: str | None, safe: str) -> None:
    assert safe_name(given) == safe


@pytest.mark.parametrize("given", ["x" * 5000 + ".pdf", "é" * 5000 + ".pdf", "👩" * 5000 + ".pdf"])
def test_a_long_name_is_cut_and_keeps_its_end(given: str) -> None:
    assert len(safe_name(given).encode()) <= 200
    assert safe_name(given).endswith(".pdf")


def test_a_long_end_is_cut_too() -> None:
    assert len(safe_name("a." + "x" * 5000).encode()) <= 200


def test_no_character_of_a_name_is_invisible() -> None:
    every = "".join(map(chr, range(0x110000)))
    for start in range(0, len(every), 100):
        shown = safe_name(every[start : start + 100])
        assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not set(shown) & set('/\\<>:"|?*')


@pytest.mark.parametrize(
    ("given", "shown"), [("Hello", "Hello.eml"), ("Hello.EML", "Hello.EML"), ("x" * 500, "x" * 196 + ".eml")]
)
def test_a_name_gets_the_end_that_it_needs(given: str, shown: str) -> None:
    assert safe_name(given, suffix=".eml") == shown


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("application/pdf", "application/pdf"),
        ("Text/HTML; charset=utf-8", "text/html"),
        ("image/svg+xml", "image/svg+xml"),
        ("text/html\r\nSet-Cookie: a=b", "application/octet-stream"),
        ("pdf", "application/octet-stream"),
        ("tëxt/html", "application/octet-stream"),
        ("", "application/octet-stream"),
        (None, "application/octet-stream"),
    ],
)
def test_a_type_is_a_plain_media_type(given: str | None, safe: str) -> None:
    assert safe_type(given) == safe


@pytest.mark.parametrize(("first", "kind"), [(b"", "message/rfc822"), (b"\r\n BEGIN:VCARD\r\n", "text/vcard")])
def test_an_item_is_known_by_its_first_bytes(first: bytes, kind: str) -> None:
    assert item_type(first) == kind


def test_a_hostile_name_comes_out_harmless(kept: Kept) -> None:
    """fault 52: what is attached is called ``../../x``, ``CON`` or ``a.html``."""
    content = kept.contents.attachment(kept.file(File(name="../../etc/\u202ecod.exe\r\n", content_type="a b")))
    content.close()
    assert (content.name, content.content_type) == ("etc_cod.exe", "application/octet-stream")
