"""What the documents say is true: examples run, keys and settings exist, links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flask_ms365.config import DEFAULTS
from flask_ms365.crypto import generate_key
from flask_ms365.settings import CATALOG

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

# What a newcomer does after copying the README's example: open the page, and receive a letter.
VISIT = """
from app import app, greet
assert app.test_client().get("/ms365/settings").status_code == 200
assert callable(greet)
"""


# the CRM of its document, once a contact has written
VISIT_CONTACT = """
from datetime import datetime, timezone
from app import Contact, app, db
from flask_ms365.models import Folder, Mailbox, Message
with app.app_context():
    db.create_all()
    now = datetime.now(timezone.utc)
    mailbox = Mailbox(kind="user", owner_id="me", address="me@contoso.com", created_at=now, next_due_at=now)
    db.session.add_all([mailbox, Contact(name="Bob", email="bob@example.com")])
    db.session.flush()
    folder = Folder(mailbox_id=mailbox.id, graph_id="inbox", name="Inbox")
    db.session.add(folder)
    db.session.flush()
    place = {"mailbox_id": mailbox.id, "folder_id": folder.id, "graph_id": "1", "recipients": [], "categories": []}
    db.session.add(Message(subject="The offer", from_address="bob@example.com", received_at=now, **place))
    db.session.commit()
page = app.test_client().get("/contacts/1").text
assert "The offer" in page and "me@contoso.com" in page, page
"""


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def rows(path: Path) -> list[list[str]]:
    """Return the cells of every table row, without the headings."""
    lines = [line.strip("| \n") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [re.split(r"\s*\|\s*", line) for line in lines]


def test_the_readme_example_runs(tmp_path: Path) -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    (tmp_path / "app.py").write_text(example, encoding="utf-8")
    given = {"FLASK_SECRET_KEY": "not secret", "FLASK_MS365_ENCRYPTION_KEYS": generate_key()}
    for arguments in (["-c", VISIT], ["-m", "flask", "ms365", "keys", "generate"]):
        result = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env={**os.environ, **given}, capture_output=True, timeout=60
        )
        assert result.returncode == 0, result.stderr.decode()


def test_the_contact_page_in_20_lines_runs(tmp_path: Path) -> None:
    example, *_ = blocks(ROOT / "docs" / "crm.md", "python")
    (template,) = blocks(ROOT / "docs" / "crm.md", "jinja")
    assert len([line for line in example.splitlines() if line]) <= 20
    (tmp_path / "templates").mkdir()
    (tmp_path / "app.py").write_text(example, encoding="utf-8")
    (tmp_path / "templates" / "contact.html").write_text(template, encoding="utf-8")
    given = {**os.environ, "FLASK_SECRET_KEY": "not secret", "FLASK_MS365_ENCRYPTION_KEYS": generate_key()}
    visit = [sys.executable, "-c", VISIT_CONTACT]
    result = subprocess.run(visit, cwd=tmp_path, env=given, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr.decode()


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_example_is_python(path: Path) -> None:
    assert [type(ast.parse(block)) for block in blocks(path, "python")] == [ast.Module] * len(blocks(path, "python"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", path.read_text(encoding="utf-8"))
    inside = [link.partition("#")[0] for pair in links for link in pair if link and not link.startswith("http")]
    assert [link for link in inside if link and not (path.parent / link).exists()] == []


def test_every_key_is_documented_with_its_default() -> None:
    documented = {row[0].strip("`"): row[1].strip("`") for row in rows(ROOT / "docs" / "configuration.md")}
    for key, default in DEFAULTS.items():
        said = documented[key]
        assert said == str(default) or (default is None and said in {"none", "by cloud"}), key
    settings = {spec.key for spec in CATALOG}
    assert {name for name in documented if name.startswith("MS365_")} == set(DEFAULTS)
    assert {name for name in documented if name in settings} == settings


def test_every_setting_is_documented_with_its_key_and_default() -> None:
    documented = {row[0].strip("`"): row for row in rows(ROOT / "docs" / "configuration.md")}
    for spec in CATALOG:
        row = documented[spec.key]
        built_in = {"0": "off", "1": "on"}[spec.default or "0"] if spec.kind == "toggle" else spec.default or "none"
        assert f"`{spec.config_key}`" in row[1], spec.key
        assert row[2].strip("`") == built_in, spec.key
        if spec.kind == "choice":
            assert re.findall(r"`(\w+)`", row[3]) == [value for value, _ in spec.choices]


def test_the_readme_names_every_setting() -> None:
    said = {row[0]: row[1].split(",")[0].strip("`") for row in rows(ROOT / "README.md") if len(row) > 1}
    labels = {spec.label: spec.config_key for spec in CATALOG}
    assert {label: said.get(label) for label in labels} == labels


def test_the_checked_versions_are_those_of_setup_cfg() -> None:
    text = (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("install_requires =")[2].partition("[")[0]
    required = dict(re.findall(r"^\s+([\w-]+)>=([\d.]+)", text, re.MULTILINE))
    documented: dict[str, str] = {}
    for row in rows(ROOT / "docs" / "dependencies.md"):
        documented |= dict(zip(row[0].split(", "), row[1].split(", "), strict=False))
    assert {name: documented.get(name) for name in required} == required
