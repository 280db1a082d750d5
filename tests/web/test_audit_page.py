"""The audit log as people read it: words, filters, pages, and a CSV without formulas."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

import flask_ms365
from flask_ms365.audit import PAGE
from flask_ms365.models import AuditEvent
from flask_ms365.settings import USE_DEFAULT, UseDefault
from tests.conftest import Host, HostFactory
from tests.visitor import Visitor
from tests.web.conftest import SECRET, words

AUDIT, CSV = "/ms365/audit", "/ms365/audit.csv"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)

Add = Callable[..., None]


@pytest.fixture
def add(host: Host) -> Add:
    """Return a function that writes entries as some code of the app might."""

    def add(count: int = 1, **fields: Any) -> None:
        with host.app.app_context():
            session = host.app.extensions["sqlalchemy"].session
            given = {"at": NOON, "actor": "ana", "door": "page", "action": "mailbox.connected", "detail": {}, **fields}
            number = {"target": "it@contoso.com"} | given
            session.add_all([AuditEvent(**number) for _ in range(count)])
            session.commit()

    return add


def save(host: Host, **changes: str | UseDefault) -> None:
    with host.app.app_context():
        host.ms365.settings.save(changes, actor="ana")


def told(visitor: Visitor, query: str = "") -> list[str]:
    """Return what the page says happened, newest first."""
    page = visitor.get(f"{AUDIT}{query}").text
    rows = re.findall(r"<tr .*?</tr>", page.partition('role="rowgroup">')[2].partition("<tbody")[2], re.DOTALL)
    return [words(row.rpartition("<bdi")[2], r">(.*?)</bdi>") for row in rows]


def lines(visitor: Visitor, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(visitor.get(f"{CSV}{query}").get_data().decode(), newline="")))


# words


def test_a_change_reads_from_old_to_new(host: Host, visitor: Visitor) -> None:
    save(host, tenant_id="contoso.com")
    save(host, tenant_id="fabrikam.com")
    assert told(visitor) == [
        "Directory (Tenant) ID: contoso.com → fabrikam.com",
        "Directory (Tenant) ID: not set → contoso.com",
    ]


def test_a_default_is_named(make_host: HostFactory) -> None:
    host = make_host(MS365_TENANT_ID="contoso.onmicrosoft.com")
    save(host, tenant_id="contoso.com")
    save(host, tenant_id=USE_DEFAULT)
    newest = told(host.visitor())[0]
    assert newest == "Directory (Tenant) ID: contoso.com → default (contoso.onmicrosoft.com)"


def test_a_secret_is_told_by_its_start_alone(host: Host, visitor: Visitor) -> None:
    for secret in (SECRET, "Xy9" + SECRET[3:], "short", USE_DEFAULT):
        save(host, client_secret=secret)
    assert told(visitor) == [
        "Client Secret removed",
        "Client Secret replaced",
        "Client Secret replaced, starts with Xy9",
        "Client Secret stored, starts with can",
    ]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("sync_interval", "15", "Sync interval: default (5 min) → 15 min"),
        ("cloud", "usgov", "Microsoft cloud: default (Global (also GCC)) → US Government (GCC High)"),
        ("client_secret_expires_on", "2026-12-05", "Client Secret expires on: not set → 2026-12-05"),
        ("client_secret_expires_on", "", "Client Secret expires on: not set → empty"),
    ],
)
def test_values_read_as_on_the_settings_page(host: Host, visitor: Visitor, key: str, value: str, expected: str) -> None:
    save(host, **{key: value})
    assert told(visitor) == [expected]


def test_a_switch_is_on_or_off(host: Host, visitor: Visitor, add: Add) -> None:
    add(action="setting.saved", target="email_sync", detail={"old": None, "new": "1", "default": "0"})
    assert told(visitor) == ["Enable Emails Sync: default (Off) → On"]


def recorded_actions() -> set[str]:
    """Return the actions that the package writes, as its code names them."""
    code = "".join(path.read_text(encoding="utf-8") for path in Path(flask_ms365.__file__).parent.rglob("*.py"))
    return set(re.findall(r'audit\.record\([^"]*"([a-z_]+\.[a-z_]+)"', code))


def test_every_action_has_its_sentence(visitor: Visitor, add: Add) -> None:
    actions = recorded_actions()
    assert "setting.saved" in actions
    for action in actions:
        add(action=action, target="tenant_id", detail={"old": None, "new": "contoso.com"})
    assert [text for text in told(visitor) if any(action in text for action in actions)] == []


def test_an_unknown_action_shows_its_name(visitor: Visitor, add: Add) -> None:
    add(action="pigeon.sent", target="Berlin")
    assert told(visitor) == ["pigeon.sent: Berlin"]


def test_a_setting_of_another_version_shows_its_key(visitor: Visitor, add: Add) -> None:
    add(action="setting.saved", target="colour", detail={"old": "red", "new": "blue"})
    assert told(visitor) == ["colour: red → blue"]


@pytest.mark.parametrize(
    ("door", "ip", "shown"),
    [("page", "10.0.0.5", "Page 10.0.0.5"), ("cli", None, "Command line"), ("code", None, "Code of the app")],
)
def test_an_entry_says_by_which_door(visitor: Visitor, add: Add, door: str, ip: str | None, shown: str) -> None:
    add(door=door, ip=ip)
    assert words(visitor.get(AUDIT).text, r'<div class="ms365-muted ms365-whole">(.*?)</div>') == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\u202eadmin", "\\u202eadmin"),
        ("ana\r\nkim: saved", "ana\\u000d\\u000akim: saved"),
        ("=cmd|' /C calc'!A1", "=cmd|&#39; /C calc&#39;!A1"),
    ],
)
def test_a_hostile_name_is_text(visitor: Visitor, add: Add, name: str, shown: str) -> None:
    add(actor=name, target=name)
    page = visitor.get(AUDIT).text
    assert (page.count(shown), name in page.replace(shown, "")) == (2, False)


def test_nobody_is_nobody(visitor: Visitor, add: Add) -> None:
    add(actor=None)
    assert "Nobody signed in" in visitor.get(AUDIT).text


# filters


@pytest.fixture
def history(add: Add) -> None:
    """Write three entries, a day apart."""
    for day, actor, action in [(0, "ana", "mailbox.connected"), (1, "Kim", "base_url.confirmed"), (2, "kim%", "x.y")]:
        add(at=NOON + timedelta(days=day), actor=actor, action=action, target=str(day))


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("", "210"),
        ("?from=2026-03-04", "21"),
        ("?to=2026-03-04", "10"),
        ("?from=2026-03-04&to=2026-03-04", "1"),
        ("?from=2026-03-05&to=2026-03-03", ""),
        ("?who=KIM", "21"),
        ("?who=%25", "2"),
        ("?who=_", ""),
        ("?what=settings", "1"),
        ("?what=mailboxes&who=ana", "0"),
        ("?from=&to=&who=&what=", "210"),
        ("?from=yesterday&to=9999-12-31&what=pigeons&before=x&after=-1", "210"),
        ("?who=%00", "210"),
    ],
)
def test_filters_leave_what_fits(visitor: Visitor, query: str, days: str) -> None:
    assert "".join(re.findall(r"\d", " ".join(told(visitor, query)))) == days
    assert "".join(line["target"] for line in lines(visitor, query)) == days


@pytest.mark.usefixtures("history")
def test_the_filters_stay_in_the_form_and_in_the_link_to_the_csv(visitor: Visitor) -> None:
    page = visitor.get(f"{AUDIT}?from=2026-03-04&who=kim&what=settings").text
    assert re.findall(r'name="(\w+)" value="([^"]+)"', page) == [("from", "2026-03-04"), ("who", "kim")]
    assert '<option value="settings" selected>' in page
    assert f'href="{CSV}?from=2026-03-04&amp;who=kim&amp;what=settings"' in page


def test_without_entries_the_page_says_so(visitor: Visitor) -> None:
    assert "Nothing has been changed yet." in visitor.get(AUDIT).text
    assert "No entry matches." in visitor.get(f"{AUDIT}?who=kim").text


# pages


def link(page: str, rel: str) -> str:
    match = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return match[1].replace("&amp;", "&").removeprefix(AUDIT) if match else ""


def test_pages_lead_to_the_oldest_and_back(host: Host, visitor: Visitor, add: Add) -> None:
    for number in range(2 * PAGE + 1):
        add(target=f"{number}")
    there, query = [told(visitor)], link(visitor.get(AUDIT).text, "next")
    while query:
        there.append(told(visitor, query))
        page, query = visitor.get(f"{AUDIT}{query}").text, link(visitor.get(f"{AUDIT}{query}").text, "next")
    assert [len(page) for page in there] == [PAGE, PAGE, 1]
    back, query = [there[-1]], link(page, "prev")
    while query:
        back.insert(0, told(visitor, query))
        query = link(visitor.get(f"{AUDIT}{query}").text, "prev")
    assert back == there


@pytest.mark.usefixtures("history")
def test_a_link_to_what_was_newest_shows_the_newest(visitor: Visitor) -> None:
    assert len(told(visitor, "?after=3")) == 3


def statements(host: Host, path: str) -> int:
    visitor, seen = host.visitor(), []
    visitor.get(path)
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def listen(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)

    event.listen(engine, "before_cursor_execute", listen)
    visitor.get(path)
    event.remove(engine, "before_cursor_execute", listen)
    return len(seen)


def test_many_entries_cost_no_more_statements(host: Host, add: Add) -> None:
    add(2)
    few = statements(host, AUDIT), statements(host, CSV)
    add(300)
    assert (statements(host, AUDIT), statements(host, CSV)) == few
    assert few[0] <= 4


# CSV


def test_the_csv_is_a_download_of_text(visitor: Visitor, add: Add) -> None:
    add(target="Grüße, “x”\nnext", actor='quo"ted')
    answer = visitor.get(CSV)
    assert (answer.headers["Content-Disposition"], answer.headers["X-Content-Type-Options"], answer.mimetype) == (
        "attachment; filename=microsoft-365-audit.csv",
        "nosniff",
        "text/csv",
    )
    assert answer.get_data().decode() == (
        "time,actor,door,ip,action,target,event\r\n"
        '2026-03-03T12:00:00+00:00,"quo""ted",page,,mailbox.connected,"Grüße, “x”\nnext",'
        '"Grüße, “x”\\u000anext connected"\r\n'
    )


@pytest.mark.parametrize(
    "name",
    ["=cmd|' /C calc'!A1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "  =1", '"=1', "'=1", "' \"=1", "＝1"],
)
def test_no_cell_is_a_formula(visitor: Visitor, add: Add, name: str) -> None:
    add(actor=name, target=name)
    (line,) = lines(visitor)
    assert (line["actor"], line["target"]) == (f"'{name}", f"'{name}")
    assert line["event"][0] not in "=+-@\t\r\n"


def test_the_csv_holds_all_pages(visitor: Visitor, add: Add) -> None:
    add(1001)
    assert len(lines(visitor)) == 1001


# who may


@pytest.mark.parametrize("path", [AUDIT, CSV])
def test_only_admins_read_it(host: Host, path: str) -> None:
    host.permissions = {"own_mailbox", "read_mail"}
    assert host.visitor().get(path).status_code == 403
