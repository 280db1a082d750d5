"""The rules of the house that a reader cannot see in one file: who imports whom, how long a file may be, and so on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "flask_ms365"
MODULES = sorted(PACKAGE.rglob("*.py"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
LINES = 400

OURS = "flask_ms365"
# room -> what it may never import; ``~name`` is an exception to what stands before it
FORBIDDEN = {
    "config": f"{OURS} ~{OURS}.errors",
    "words": OURS,
    "errors": f"{OURS} ~{OURS}.words",
    "signals": OURS,
    "assets": OURS,
    "permissions": OURS,
    "crypto": f"{OURS}.web {OURS}.jobs {OURS}.sync {OURS}.graph",
    "models": f"flask {OURS}.graph {OURS}.identity requests urllib3 authlib",
    "keys": f"{OURS}.web {OURS}.jobs {OURS}.sync {OURS}.graph {OURS}.identity {OURS}.mailboxes flask.request",
    "settings": f"{OURS}.web {OURS}.graph {OURS}.sync flask.request",
    "identity": f"{OURS}.web {OURS}.graph {OURS}.sync flask.request",
    "graph": f"flask sqlalchemy {OURS}.models",
    "processes": f"{OURS}.web {OURS}.jobs {OURS}.graph {OURS}.mailboxes flask.request",
    "sync": f"flask.request {OURS}.web {OURS}.jobs",
    "sync.plan": f"flask sqlalchemy urllib3 {OURS}.models",
    "mailboxes": f"{OURS}.web {OURS}.jobs flask.request",
    "check": f"{OURS}.web flask.request",
    "content": f"{OURS}.web {OURS}.jobs {OURS}.mailboxes flask.request",
    "export": f"{OURS}.web {OURS}.jobs {OURS}.mailboxes flask.request",
    "jobs": f"{OURS}.web {OURS}.graph",
    "web": f"{OURS}.graph {OURS}.sync.engine sqlalchemy requests urllib3 authlib",
    "simulator": f"{OURS} ~{OURS}.simulator",
}
# module -> the only modules of ours that may import it
RESERVED = {"extension": {""}, "wiring": {"extension"}, "simulator": {"simulator"}}


def name_of(path: Path) -> str:
    """Return a module's name inside the package; the package itself is the empty name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def exists(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Return line and full name of everything a file imports."""
    return list(imported_by(path.read_text(encoding="utf-8"), path.parent.relative_to(ROOT).parts))


def imported_by(source: str, package: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Yield what a module of ``package`` imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def is_forbidden(name: str, rule: str) -> bool:
    """Tell whether ``rule`` names a module that ``name`` is, or lies in."""
    named = rule.split()
    if any(is_within(name, each[1:]) for each in named if each.startswith("~")):
        return False
    return any(is_within(name, each) for each in named)


def of_room(room: str) -> list[Path]:
    return [path for path in MODULES if is_within(name_of(path), room)]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_forbidden_arrow(room: str) -> None:
    rule = FORBIDDEN[room]
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in of_room(room)
        for line, name in imports(path)
        if is_forbidden(name, rule)
    ]
    assert found == []


@pytest.mark.parametrize("module", RESERVED)
def test_reserved_modules_are_imported_by_few(module: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        if name_of(path).partition(".")[0] not in RESERVED[module] | {module}
        for line, name in imports(path)
        if is_within(name, f"{OURS}.{module}")
    ]
    assert found == []


def test_modules_import_each_other_and_not_what_the_package_exports() -> None:
    """``from flask_ms365 import MS365`` inside the package would import the extension by another door."""
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in MODULES
        for line, name in imports(path)
        if name.startswith(f"{OURS}.") and name.count(".") == 1 and not exists(name)
    ]
    assert found == []


def test_every_room_has_its_rule() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms - set(FORBIDDEN) == set()


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import flask_ms365.graph as g", "flask_ms365.graph"),
        ("from flask_ms365 import graph", "flask_ms365.graph"),
        ("from ..graph import client", "flask_ms365.graph.client"),
        ("from .. import graph", "flask_ms365.graph"),
        ("def late():\n    from flask_ms365.graph.client import GraphClient", "flask_ms365.graph.client.GraphClient"),
    ],
)
def test_every_kind_of_import_is_seen(source: str, imported: str) -> None:
    assert [name for _, name in imported_by(source, ("flask_ms365", "web"))] == [imported]
    assert is_forbidden(imported, FORBIDDEN["web"])


def files_by_people() -> list[Path]:
    folders = ("flask_ms365", "demo", "bench", "tests", "templates", "static")
    kinds = {".py", ".html", ".css", ".js"}
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.suffix in kinds]
    return [path for path in found if "node_modules" not in path.parts]


def test_no_file_is_long() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files_by_people()}
    assert [f"{path.relative_to(ROOT)}: {lines}" for path, lines in lengths.items() if lines > LINES] == []


@pytest.mark.parametrize(
    ("rule", "pattern"),
    [
        ("no inline script", r"<script\b(?![^>]*\bsrc=)"),
        ("no inline style sheet", r"<style\b"),
        ("no style attribute", r"\sstyle\s*="),
        ("no event handler", r"\son[a-z]+\s*="),
        ("no javascript: address", r"javascript:"),
        ("autoescaping stays on", r"\|\s*safe\b|autoescape\s+false"),
    ],
)
def test_templates_work_under_a_strict_policy(rule: str, pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line, re.IGNORECASE)
    ]
    assert TEMPLATES, "there are no templates to look at"
    assert found == [], rule


def sentences(path: Path) -> Iterator[tuple[int, list[ast.expr]]]:
    """Yield the line and the patterns of each sentence for people."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"Words", "counted"}:
            yield node.lineno, node.args[: 1 if node.func.id == "Words" else 2]


def test_sentences_stand_where_the_catalogs_can_find_them() -> None:
    """The extraction reads literals only: what is put together elsewhere is never translated."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        if path.name != "words.py"
        for line, patterns in sentences(path)
        if not all(isinstance(pattern, ast.Constant) and isinstance(pattern.value, str) for pattern in patterns)
    ]
    assert found == []
