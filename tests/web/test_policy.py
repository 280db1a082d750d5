"""Strict Content-Security-Policy, pages without inline code, a host's own base template, and our static files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import FileSystemLoader

from flask_ms365.crypto import generate_key
from tests.conftest import Host, HostFactory
from tests.hosts.bare import bare_host
from tests.visitor import Visitor
from tests.web.conftest import FILLED_IN, SETTINGS, AddMessage

PAGES = [SETTINGS, "/ms365/my-email", "/ms365/messages", "/ms365/messages/1", "/ms365/messages/1/body"]


def policy(visitor: Visitor, path: str = SETTINGS) -> dict[str, str]:
    directives = visitor.get(path).headers["Content-Security-Policy"].split(";")
    return {name: sources for name, _, sources in (each.strip().partition(" ") for each in directives)}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_no_inline_code(visitor: Visitor, add_message: AddMessage, path: str) -> None:
    add_message(subject="Hello", body="<p>Hello</p>", body_content_type="html")
    page = visitor.get(path).text
    assert re.findall(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|javascript:", page) == []


def test_a_refused_save_holds_no_inline_code(visitor: Visitor) -> None:
    page = visitor.submit(SETTINGS, {"email_sync-value": "y", "csrf_token": None}).text
    assert re.findall(r"<style|<script(?![^>]* src=)|\sstyle=|\son[a-z]+=", page) == []


def test_a_page_of_our_own_allows_itself_and_nothing_else(visitor: Visitor) -> None:
    found = policy(visitor)
    assert (found["default-src"], found["script-src"], found["frame-ancestors"]) == ("'none'", "'self'", "'none'")


@pytest.mark.parametrize(
    ("cloud", "login"),
    [
        ("global", "https://login.microsoftonline.com"),
        ("usgov_dod", "https://login.microsoftonline.us"),
        ("china", "https://login.partner.microsoftonline.cn"),
    ],
)
def test_forms_may_lead_to_the_login_of_the_chosen_cloud(tmp_path: Path, cloud: str, login: str) -> None:
    host = bare_host(tmp_path, MS365_CLOUD=cloud)
    assert policy(host.visitor())["form-action"] == f"'self' {login}"


def test_a_host_can_ask_what_its_own_policy_must_allow(host: Host) -> None:
    with host.app.test_request_context():
        assert host.ms365.csp_sources() == {
            "form-action": ["'self'", host.app.config["MS365_AUTHORITY_URL"]],
            "frame-src": ["'self'"],
        }


@pytest.mark.parametrize("path", [SETTINGS, "/ms365/messages/4711"])
def test_no_page_is_kept_by_a_browser(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).headers["Cache-Control"] == "no-store"


def test_a_page_sends_its_referrer_to_its_own_site_alone(visitor: Visitor) -> None:
    assert visitor.get(SETTINGS).headers["Referrer-Policy"] == "same-origin"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Return the templates folder of a host that has a layout of its own."""
    folder = tmp_path / "templates"
    (folder / "ms365").mkdir(parents=True)
    (folder / "layout.html").write_text("<title>CRM</title><h1>CRM</h1>{% block content %}{% endblock %}")
    return folder


BRIDGE = (
    '{% extends "layout.html" %}{% block content %}<div class="ms365">{% block ms365_content %}{% endblock %}</div>'
    "{% endblock %}"
)


def in_layout(tmp_path: Path, templates: Path, name: str, **config: object) -> Visitor:
    (templates / name).write_text(BRIDGE)
    host = bare_host(tmp_path / "instance", MS365_ENCRYPTION_KEYS=generate_key(), **config)
    host.app.jinja_loader = FileSystemLoader(templates)
    return host.visitor()


@pytest.mark.parametrize(
    ("name", "config"),
    [("ms365/base.html", {}), ("mail.html", {"MS365_BASE_TEMPLATE": "mail.html"})],
    ids=["overridden", "named"],
)
def test_the_pages_appear_inside_the_hosts_layout(
    tmp_path: Path, templates: Path, name: str, config: dict[str, str]
) -> None:
    page = in_layout(tmp_path, templates, name, **config).get(SETTINGS).text
    assert ("<h1>CRM</h1>" in page, "Save Settings" in page, "ms365.css" in page) == (True, True, True)


def test_a_refused_save_appears_inside_the_hosts_layout(tmp_path: Path, templates: Path) -> None:
    visitor = in_layout(tmp_path, templates, "ms365/base.html")
    page = visitor.submit(SETTINGS, {**FILLED_IN, "tenant_id-value": ".."}).text
    assert ("<h1>CRM</h1>" in page, "There is a problem" in page) == (True, True)


def test_inside_a_hosts_layout_the_policy_leaves_its_scripts_and_styles_alone(tmp_path: Path, templates: Path) -> None:
    assert set(policy(in_layout(tmp_path, templates, "ms365/base.html"))) == {
        "base-uri",
        "frame-ancestors",
        "object-src",
    }


def test_a_policy_that_the_host_sets_is_kept(host: Host) -> None:
    def set_policy(response: object) -> object:
        response.headers["Content-Security-Policy"] = "default-src 'self'"  # type: ignore[attr-defined]
        return response

    host.app.after_request(set_policy)
    assert policy(host.visitor()) == {"default-src": "'self'"}


def static(visitor: Visitor, address: str) -> tuple[int, str]:
    """Return status and Cache-Control of one of our static files."""
    with visitor.get(address) as answer:
        return answer.status_code, answer.headers.get("Cache-Control", "")


def test_everyone_may_have_the_style_sheet(make_host: HostFactory) -> None:
    visitor = make_host(options={"authorize": None}).visitor()
    assert static(visitor, "/ms365/static/ms365/ms365.css")[0] == 200


def test_a_file_named_by_its_content_may_be_kept_for_ever(visitor: Visitor) -> None:
    found = re.search(r'href="([^"]*ms365\.css\?v=[0-9a-f]{12})"', visitor.get(SETTINGS).text)
    assert found
    assert static(visitor, found[1]) == (200, "public, max-age=31536000, immutable")


def test_a_file_of_another_version_is_asked_for_again(visitor: Visitor) -> None:
    answers = [static(visitor, f"/ms365/static/ms365/ms365.css{query}") for query in ("", "?v=0", "?v=")]
    assert [control for _, control in answers if "immutable" in control] == []


def test_a_file_that_is_not_ours_is_never_read(visitor: Visitor) -> None:
    names = ["gone.css", "../../setup.cfg", "../../../../../../../../dev/zero", "x/../../setup.cfg"]
    assert [static(visitor, f"/ms365/static/ms365/{name}?v=0")[0] for name in names] == [404] * 4
