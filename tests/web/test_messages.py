"""Reading mail: what is listed, page by page, and how the text of a stranger is kept in its frame."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import event

from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.conftest import AddMessage

MESSAGES = "/ms365/messages"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)


def subjects(page: str) -> list[str]:
    return [html.unescape(subject) for subject in re.findall(r"ms365-subject[^>]*><bdi>(.*?)</bdi>", page)]


def link(page: str, rel: str) -> str:
    """Return where a link of the pager leads; empty where there is none."""
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return html.unescape(found[1]) if found else ""


def test_the_newest_message_comes_first(visitor: Visitor, add_message: AddMessage) -> None:
    for hours, subject in ((2, "Second"), (3, "First"), (1, "Third")):
        add_message(subject=subject, received_at=NOON + timedelta(hours=hours))
    assert subjects(visitor.get(MESSAGES).text) == ["First", "Second", "Third"]


def test_every_message_is_on_exactly_one_page(visitor: Visitor, add_message: AddMessage) -> None:
    # three at the same instant, and some without a date, over the edge of a page
    for number in range(102):
        received = NOON - timedelta(minutes=number // 3) if number < 90 else None
        add_message(subject=str(number), received_at=received)
    seen, address = [], MESSAGES
    while address:
        page = visitor.get(address).text
        seen.append(subjects(page))
        address = link(page, "next")
    assert ([len(each) for each in seen], len(set(chain(*seen)))) == ([50, 50, 2], 102)


def test_the_way_back_keeps_the_folder(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(received_at=NOON - timedelta(days=1))
    newest = add_message(received_at=NOON)
    page = visitor.get(f"{MESSAGES}?folder=1&before={newest}").text
    assert link(page, "prev") == f"{MESSAGES}?folder=1"


def test_junk_in_the_query_is_not_looked_at(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(subject="Still here")
    junk = ["x", "-1", "0", "9" * 30, "9" * 5000, "1.5", "\0", "'"]
    queries = [{name: text} for name in ("before", "folder", "mailbox") for text in junk]
    assert [subjects(visitor.get(MESSAGES, query_string=query).text) for query in queries] == [["Still here"]] * 24


def test_a_message_that_does_not_exist_is_404(visitor: Visitor) -> None:
    numbers = ["0", "4711", "9" * 18, "9" * 30]
    assert [visitor.get(f"{MESSAGES}/{number}").status_code for number in numbers] == [404] * 4


@pytest.mark.parametrize("page", [MESSAGES, f"{MESSAGES}/1"])
def test_a_message_with_nothing_in_it_is_shown(visitor: Visitor, add_message: AddMessage, page: str) -> None:
    add_message()
    answer = visitor.get(page)
    assert (answer.status_code, "(no subject)" in answer.text, "No date" in answer.text) == (200, True, True)


@pytest.mark.parametrize("page", [MESSAGES, f"{MESSAGES}/1"])
def test_what_a_stranger_wrote_is_never_markup(visitor: Visitor, add_message: AddMessage, page: str) -> None:
    add_message(**dict.fromkeys(("subject", "from_name", "preview", "web_link"), '"><script>alert(1)</script>'))
    assert "<script>alert" not in visitor.get(page).text


def test_a_link_that_is_not_to_a_web_page_is_left_out(visitor: Visitor, add_message: AddMessage) -> None:
    links = ["javascript:alert(1)", "http://outlook.example", "https", "https:[", "//evil", "data:x"]
    pages = [visitor.get(f"{MESSAGES}/{add_message(web_link=link)}").text for link in links]
    assert [link for link, page in zip(links, pages, strict=True) if "Open in Outlook" in page] == []


def test_recipients_are_listed_by_kind(visitor: Visitor, add_message: AddMessage) -> None:
    people: list[dict[str, Any]] = [
        {"kind": "to", "name": "Ben", "address": "ben@contoso.com"},
        {"kind": "cc", "name": None, "address": "cleo@contoso.com"},
        {"kind": "cc", "name": "Dan", "address": None},
    ]
    page = visitor.get(f"{MESSAGES}/{add_message(recipients=people)}").text
    assert re.findall(r"<dt[^>]*>(To|Cc)</dt>\s*<dd[^>]*><bdi>(.*?)</bdi>", page) == [
        ("To", "Ben &lt;ben@contoso.com&gt;"),
        ("Cc", "cleo@contoso.com, Dan"),
    ]


def test_the_text_is_shown_in_a_frame_that_may_do_nothing(visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message(body="<p>Hello</p>", body_content_type="html")
    assert (
        f'<iframe class="ms365-body" sandbox referrerpolicy="no-referrer" title="Text of the message" '
        f'src="{MESSAGES}/{number}/body">' in visitor.get(f"{MESSAGES}/{number}").text
    )


def body(visitor: Visitor, add_message: AddMessage, text: str, kind: str = "html") -> str:
    page = visitor.get(f"{MESSAGES}/{add_message(body=text, body_content_type=kind)}/body").text
    return re.sub(r"\A.*?<body[^>]*>|</body>.*\Z", "", page, flags=re.DOTALL)


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
]
WHAT_HARMS = (
    r"<(script|img|svg|iframe|form|input|style|link|base|meta|object|embed|video|math)|evil|script:|data:|on\w+=|style="
)


def test_hostile_html_loses_what_makes_it_hostile(visitor: Visitor, add_message: AddMessage) -> None:
    shown = {text: body(visitor, add_message, f"<p>before</p>{text}<p>after</p>") for text in HOSTILE}
    assert {text: rest for text, rest in shown.items() if re.search(WHAT_HARMS, rest) or "before" not in rest} == {}


def test_plain_html_stays_readable(visitor: Visitor, add_message: AddMessage) -> None:
    text = '<p>Dear <b>Ana</b>, see <a href="https://example.com/x?a=1">this</a> or <a href="mailto:b@c.de">me</a></p>'
    shown = body(visitor, add_message, text)
    assert re.sub(r' rel="[^"]*"', "", shown).strip() == text


def test_text_that_looks_like_html_stays_text(visitor: Visitor, add_message: AddMessage) -> None:
    assert body(visitor, add_message, "1 < 2 <b>&amp;", "text") == "1 &lt; 2 &lt;b&gt;&amp;amp;"


BODY_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'self' 'unsafe-inline'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Type": "text/html; charset=utf-8",
}


def test_the_text_comes_under_a_policy_of_its_own(visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message(body="<p>Hello</p>", body_content_type="html")
    headers = visitor.get(f"{MESSAGES}/{number}/body").headers
    assert {name: headers[name] for name in BODY_HEADERS} == BODY_HEADERS


@pytest.mark.parametrize("text", [None, ""])
def test_a_message_without_text_has_no_frame(visitor: Visitor, add_message: AddMessage, text: str | None) -> None:
    page = f"{MESSAGES}/{add_message(body=text, body_content_type='html')}"
    assert ("<iframe" in visitor.get(page).text, visitor.get(f"{page}/body").status_code) == (False, 404)


def test_a_list_of_messages_does_not_read_their_text(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    add_message(body="x" * 1000, body_content_type="text")
    statements: list[str] = []
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine
    event.listen(engine, "before_cursor_execute", lambda c, cursor, sql, *rest: statements.append(sql))
    visitor.get(MESSAGES)
    assert [sql for sql in statements if "ms365_message.body " in sql or "ms365_message.body\n" in sql] == []
