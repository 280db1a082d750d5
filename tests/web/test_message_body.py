"""The text of a message: what is left of a stranger's HTML, what it may load, and how much of it there may be."""

from __future__ import annotations

import html
import re
import time
from typing import Any
from urllib.parse import quote

import pytest

from flask_ms365.simulator import Attachment, Simulator
from flask_ms365.web.mail_html import MOST_ATTRIBUTES, MOST_TAGS
from tests.conftest import Clock, Host
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, Deliver, main
from tests.web.test_message_page import MESSAGES, page_of


def body(visitor: Visitor, add_message: AddMessage, text: str, kind: str = "html", query: str = "") -> str:
    page = visitor.get(f"{MESSAGES}/{add_message(body=text, body_content_type=kind)}/body{query}").text
    return re.sub(r"\A.*?<body[^>]*>|</body>.*\Z", "", page, flags=re.DOTALL).strip()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<iframe src=//evil></iframe>",
    "<form action=//evil><input name=password></form>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='data:text/html,x'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<p style='position:fixed'>x</p>",
    "<style>@import '//evil'</style>",
    "<link rel=stylesheet href=//evil>",
    "<base href=//evil>",
    "<meta http-equiv=refresh content='0;url=//evil'>",
    "<object data=//evil></object>",
    "<embed src=//evil>",
    "<video src=//evil></video>",
    "<table background=//evil><tr><td>x</td></tr></table>",
    "<p onclick=alert(1) id=x>x</p>",
    "<math><mtext></p><style><img src=//evil></style></mtext></math>",
    "</body></html><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<img src=//evil/pixel.gif width=1 height=1>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<x-b onclick=alert(1)>x</x-b>",
    "<x-script>alert(1)</x-script>",
]
WHAT_HARMS = (
    r"<(script|svg|iframe|form|input|style|link|base|meta|object|embed|video|math)|<img[^>]*src|evil|script:|data:"
    r"|on\w+=|style="
)


def test_hostile_html_loses_what_makes_it_hostile(visitor: Visitor, add_message: AddMessage) -> None:
    shown = {text: body(visitor, add_message, f"<p>before</p>{text}<p>after</p>") for text in HOSTILE}
    assert {text: rest for text, rest in shown.items() if re.search(WHAT_HARMS, rest) or "before" not in rest} == {}


def test_plain_html_stays_readable(visitor: Visitor, add_message: AddMessage) -> None:
    text = (
        '<p>Dear <b>Ana</b>, <font color="red">see</font> '
        '<a href="https://example.com/x?a=1">this</a> or <a href="mailto:b@c.de">me</a></p>'
        '<table border="1" width="100%"><tbody><tr><td bgcolor="#eeeeee">1</td></tr></tbody></table>'
    )
    shown = body(visitor, add_message, text)
    assert re.sub(r' (?:rel|target)="[^"]*"', "", shown) == text


def test_links_open_a_window_that_knows_nothing_of_ours(visitor: Visitor, add_message: AddMessage) -> None:
    shown = body(visitor, add_message, "<a href='https://a.example' target=_top rel=opener>x</a><a href='/out'>y</a>")
    added = ['rel="noopener noreferrer"', 'target="_blank"']
    found = [sorted(re.findall(r'\w+="[^"]*"', link)) for link in re.findall(r"<a[^>]*>", shown)]
    assert found == [['href="https://a.example"', *added], added]


@pytest.mark.parametrize(
    ("style", "left"),
    [
        ("color:red;margin:0 0 8px 0", "color:red;margin:0 0 8px 0"),
        ("FONT-FAMILY: 'Segoe UI', Arial", "font-family:'Segoe UI', Arial"),
        ("font-weight : bold !important", "font-weight:bold !important"),
        ("color: rgb(1, 2, 3); background-color:#FFF", "color:rgb(1, 2, 3);background-color:#FFF"),
        ("background:url(//evil) red;color:red", "color:red"),
        ("background:u\\72l(//evil)", ""),
        ("background:image-set('//evil' 1x)", ""),
        ("background-image:url(//evil);list-style:url(//evil)", ""),
        ("width:expression(alert(1));behavior:url(x)", ""),
        ("position:fixed;top:0;z-index:9;transform:scale(99);animation:x", ""),
        ("font-family:'a;color:red;b'", "color:red"),
        ("color:/**/red;--x:1;color:var(--x)", ""),
        ('content:"x";cursor:url(//evil),auto;filter:url(//evil)', ""),
    ],
)
def test_styles_keep_what_is_plain(visitor: Visitor, add_message: AddMessage, style: str, left: str) -> None:
    shown = body(visitor, add_message, f'<p style="{html.escape(style)}">x</p>')
    assert shown == (f'<p style="{left}">x</p>' if left else "<p>x</p>")


def test_text_that_looks_like_html_stays_text(visitor: Visitor, add_message: AddMessage) -> None:
    assert body(visitor, add_message, "1 < 2 <b>&amp;", "text") == "1 &lt; 2 &lt;b&gt;&amp;amp;"


def test_the_lines_of_a_text_stay_lines(visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message(body="one\n  two\n", body_content_type="text")
    page = visitor.get(f"{MESSAGES}/{number}/body").text
    assert ('class="ms365-mail ms365-mail-text"' in page, "one\n  two\n" in page) == (True, True)


# the frame, and what it may do

SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox"


def test_the_text_is_shown_in_a_frame_that_may_only_open_links(visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message(body="<p>Hello</p>", body_content_type="html")
    assert (
        '<iframe class="ms365-body" sandbox="allow-popups allow-popups-to-escape-sandbox" '
        f'referrerpolicy="no-referrer" title="Text of the message" src="{MESSAGES}/{number}/body">'
        in visitor.get(f"{MESSAGES}/{number}").text
    )


@pytest.mark.parametrize(("query", "images"), [("", "'self' data:"), ("?images=1", "'self' data: https:")])
def test_the_text_comes_under_a_policy_of_its_own(
    visitor: Visitor, add_message: AddMessage, query: str, images: str
) -> None:
    number = add_message(body="<p>Hello</p>", body_content_type="html")
    headers = visitor.get(f"{MESSAGES}/{number}/body{query}").headers
    expected = {
        "Content-Security-Policy": f"{SANDBOX}; default-src 'none'; img-src {images}; style-src 'self'; "
        "style-src-attr 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Content-Type": "text/html; charset=utf-8",
    }
    assert {name: headers[name] for name in expected} == expected


@pytest.mark.parametrize("text", [None, ""])
def test_a_message_without_text_has_no_frame(visitor: Visitor, add_message: AddMessage, text: str | None) -> None:
    page = page_of(visitor, add_message, body=text, body_content_type=text and "html")
    assert ("<iframe" in page, "This message has no text." in page) == (False, True)


# images from elsewhere

TRACKED = (
    '<p>Hi</p><img src="https://t.example/1.png" alt="A hat"><img src="http://t.example/2"><img src="//t.example/3">'
)


def test_images_from_elsewhere_are_left_out_and_counted(visitor: Visitor, add_message: AddMessage) -> None:
    assert body(visitor, add_message, TRACKED) == '<p>Hi</p><img alt="A hat"><img><img>'
    page = page_of(visitor, add_message, body=TRACKED, body_content_type="html")
    assert "3 images from other servers are not shown" in main(page)


def test_images_are_shown_where_the_reader_asks_for_them(visitor: Visitor, add_message: AddMessage) -> None:
    shown = body(visitor, add_message, TRACKED, query="?images=1")
    assert re.findall(r'src="(.*?)"', shown) == [f"https://t.example/{rest}" for rest in ("1.png", "2", "3")]
    number = add_message(body=TRACKED, body_content_type="html")
    without = visitor.get(f"{MESSAGES}/{number}").text
    assert f'href="{MESSAGES}/{number}?images=1">Show images</a>' in without
    with_images = visitor.get(f"{MESSAGES}/{number}?images=1").text
    assert f'src="{MESSAGES}/{number}/body?images=1"' in with_images
    assert "Hide images" in with_images


def test_a_message_without_such_images_asks_nothing(visitor: Visitor, add_message: AddMessage) -> None:
    text = '<img src="cid:logo"><img src="data:image/png;base64,AAAA"><img alt="x">'
    assert "Show images" not in page_of(visitor, add_message, body=text, body_content_type="html")


# images that came with the message

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def logo(content: bytes = PNG, **fields: Any) -> Attachment:
    given = {"name": "logo.png", "content_type": "image/png", "is_inline": True, "content_id": "logo@1", **fields}
    return Attachment(content=content, **given)


def image_of(visitor: Visitor, number: int) -> str:
    """Return the address of the image in a message's text."""
    found = re.search(r'<img src="([^"]*)"', visitor.get(f"{MESSAGES}/{number}/body").text)
    return html.unescape(found[1]) if found else ""


@pytest.fixture
def shown(connected: Host, deliver: Deliver) -> tuple[Visitor, str]:
    """Return Ana's browser, and the address of the image in a message that came to her."""
    number = deliver(html='<img src="cid:logo%401">', attachments=[logo()])
    return connected.visitor(), image_of(connected.visitor(), number)


def test_an_image_of_the_message_has_an_address_of_its_own(shown: tuple[Visitor, str]) -> None:
    visitor, address = shown
    answer = visitor.get(address)
    expected = {
        "Content-Type": "image/png",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": "attachment; filename=image",
        "Cache-Control": "no-store",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.data == PNG


def test_the_frame_has_no_cookies_and_asks_with_a_key(connected: Host, shown: tuple[Visitor, str]) -> None:
    connected.permissions.clear()
    connected.user_id = None
    visitor, address = shown
    without_key = address.partition("?")[0]
    answers = [visitor.get(each).status_code for each in (address, without_key, f"{without_key}?key=x", f"{address}x")]
    assert answers == [200, 403, 403, 403]


def test_a_key_is_for_one_message(connected: Host, shown: tuple[Visitor, str], deliver: Deliver) -> None:
    other = deliver(attachments=[logo()])
    connected.permissions.clear()
    visitor, address = shown
    assert visitor.get(re.sub(r"messages/\d+", f"messages/{other}", address)).status_code == 403


def test_a_key_is_for_minutes(connected: Host, shown: tuple[Visitor, str], clock: Clock) -> None:
    connected.permissions.clear()
    visitor, address = shown
    clock.advance(minutes=9)
    assert visitor.get(address).status_code == 200
    clock.advance(minutes=2)
    assert visitor.get(address).status_code == 403


def test_without_a_secret_there_are_no_keys(connected: Host, deliver: Deliver) -> None:
    connected.app.secret_key = None
    number = deliver(html='<img src="cid:logo@1">', attachments=[logo()])
    address = image_of(connected.visitor(), number)
    connected.permissions.clear()
    assert ("key=" in address, connected.visitor().get(f"{address}?key=").status_code) == (False, 403)


def test_who_may_read_the_message_needs_no_key(connected: Host, shown: tuple[Visitor, str]) -> None:
    visitor, address = shown
    without_key = address.partition("?")[0]
    assert visitor.get(without_key).status_code == 200
    connected.user_id = "ben"
    assert visitor.get(without_key).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script>",
        b"%PDF-1.7",
        b"BM" + b"\0" * 100,
        b"",
    ],
)
def test_what_is_no_image_is_not_shown_whatever_it_is_called(connected: Host, deliver: Deliver, content: bytes) -> None:
    number = deliver(html='<img src="cid:logo@1">', attachments=[logo(content)])
    visitor = connected.visitor()
    assert visitor.get(image_of(visitor, number)).status_code == 404


@pytest.mark.parametrize(
    ("start", "content_type"),
    [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"), (b"RIFF\n\0\0\nWEBP", "image/webp")],
)
def test_what_an_image_is_its_bytes_tell(connected: Host, deliver: Deliver, start: bytes, content_type: str) -> None:
    text = logo(start + b"\0" * 100, content_type="text/html", name="page.html")
    number = deliver(html='<img src="cid:logo@1">', attachments=[text])
    visitor = connected.visitor()
    assert visitor.get(image_of(visitor, number)).content_type == content_type


def test_an_image_larger_than_letters_have_is_not_shown(
    connected: Host, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_ms365.web.attachments.LARGEST_IMAGE", 1000)
    number = deliver(html='<img src="cid:logo@1">', attachments=[logo(PNG + b"\0" * 1000)])
    visitor = connected.visitor()
    assert visitor.get(image_of(visitor, number)).status_code == 404


def test_an_image_that_is_not_there_is_404(connected: Host, deliver: Deliver) -> None:
    number = deliver(html='<img src="cid:nowhere">', attachments=[logo()])
    visitor = connected.visitor()
    assert visitor.get(image_of(visitor, number)).status_code == 404


@pytest.mark.parametrize("content_id", ["../../../logout", "..", ".", "", "a/../b", "/x", "a//b"])
def test_a_content_id_leads_nowhere_else(visitor: Visitor, add_message: AddMessage, content_id: str) -> None:
    assert body(visitor, add_message, f'<img src="cid:{content_id}">') == "<img>"


@pytest.mark.parametrize("content_id", ["a b", "a?b#c", "a%b", "\\..\\x", "日本@1", "a/b", '"><script>'])
def test_an_odd_content_id_finds_its_image(connected: Host, deliver: Deliver, content_id: str) -> None:
    number = deliver(html=f'<img src="cid:{quote(content_id)}">', attachments=[logo(content_id=content_id)])
    visitor = connected.visitor()
    assert visitor.get(image_of(visitor, number)).status_code == 200


# as much as can be

_ATTRIBUTES = " ".join(f"a{n}" for n in range(50_000))
_TOO_MUCH = {
    "nested blocks": "<div>" * 100_000,
    "nested tables": "<table><tr><td>" * 100_000,
    "open elements": "<span>" * 50_000 + "</x>" * 50_000,
    "lists": "<ul><li>" * 50_000,
    "attributes": f"<p {_ATTRIBUTES}>",
    "attributes of an end": f"<script><a</script {_ATTRIBUTES}>",
    "attributes behind angle brackets": "<p " + " ".join(f"a{n}='<b>'" for n in range(50_000)) + ">",
    "attributes behind a comment": f"""<!-- <p title=" --><p {_ATTRIBUTES} title=">">""",
    "tags within tags": "<p title='" * 15_000 + " " * 1_000_000,
    "names within names": "<p" * 15_000 + " " * 1_000_000,
}
_A_LOT = {
    "as many tags as are shown": "<div>" * (MOST_TAGS - 1),
    "formatting left open": "<p>" + "".join(f"<font color={n}>" for n in range(5000)) + "</p>" + "<p>x</p>" * 5000,
    "angle brackets": "<" * 1_000_000,
    "an attribute": f'<p style="{"a:b;" * 300_000}" title="{"x" * 1_000_000}">',
    "as many attributes as are shown": ("<p " + " ".join(f"a{n}" for n in range(MOST_ATTRIBUTES)) + ">") * 3000,
    "plain text": "x" * 5_000_000,
}
_SECONDS = 30  # of work, for both, on a slow machine; without limits these take minutes and gigabytes


@pytest.mark.parametrize("name", [*_TOO_MUCH, *_A_LOT])
def test_no_letter_takes_for_ever(visitor: Visitor, add_message: AddMessage, name: str) -> None:
    number = add_message(body={**_TOO_MUCH, **_A_LOT}[name] + "<p>The end", body_content_type="html")
    began = time.process_time()
    pages = [visitor.get(f"{MESSAGES}/{number}{part}") for part in ("", "/body")]
    assert (time.process_time() - began < _SECONDS, [page.status_code for page in pages]) == (True, [200, 200])
    assert ("The end" in pages[1].text, "This is its text." in pages[0].text) == (True, name in _TOO_MUCH)


def test_formatting_left_open_does_not_multiply(visitor: Visitor, add_message: AddMessage) -> None:
    text = _A_LOT["formatting left open"]
    assert len(body(visitor, add_message, text)) < 2 * len(text)


# texts that are not stored


@pytest.fixture
def unstored(connected: Host, deliver: Deliver) -> int:
    """Return a message whose text is at Microsoft only."""
    with connected.app.app_context():
        connected.ms365.settings.save({"store_bodies": ""})
    return deliver(html="<p>Hello <script>alert(1)</script></p><img src='https://t.example/1.png'>")


def test_a_text_that_is_not_stored_is_fetched_for_the_frame(
    connected: Host, unstored: int, simulator: Simulator
) -> None:
    visitor = connected.visitor()
    simulator.requests.clear()
    page = visitor.get(f"{MESSAGES}/{unstored}").text
    assert ("<iframe" in page, "Show images" in page, len(simulator.requests)) == (True, True, 0)
    shown = visitor.get(f"{MESSAGES}/{unstored}/body")
    assert ("<p>Hello </p><img>" in shown.text, shown.status_code) == (True, 200)
    assert shown.headers["Content-Security-Policy"].startswith(SANDBOX)


def test_a_text_that_cannot_be_fetched_says_why_in_the_frame(
    connected: Host, unstored: int, simulator: Simulator
) -> None:
    simulator.fail_next(r"/messages/", 429, headers={"Retry-After": "300"}, times=9)
    shown = connected.visitor().get(f"{MESSAGES}/{unstored}/body")
    assert "Microsoft asked us to slow down.\nTry again in 5 minutes." in shown.text
    assert shown.headers["Content-Security-Policy"].startswith(SANDBOX)
