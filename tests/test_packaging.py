"""The package works in every way it can reach a machine, and setup.cfg says the truth about it."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from flask_ms365 import __version__
from tests.catalogs import LANGUAGES

ROOT = Path(__file__).parents[1]
SHIPPED = ("flask_ms365", "templates", "static", "demo", "docs", "tests")
FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")

BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2])"

# What a host does, in an interpreter whose only site folder is the one to be tested. It prints what it saw.
RENDER = """
import json, re, site, sys
site.addsitedir(sys.argv[2])
sys.path += sys.argv[3:]
from flask import Flask
import flask_ms365
app = Flask("host", instance_path=sys.argv[1])
app.config.update(SECRET_KEY="not secret", MS365_JOB_HOOK="external")
flask_ms365.MS365(app, authorize=lambda permission: True, current_user_id=lambda: "ana")
client = app.test_client()
page = client.get("/ms365/settings")
linked = re.findall(r'(?:href|src)="(/ms365/static/[^"]+)"', page.text)
print(json.dumps({
    "file": flask_ms365.__file__,
    "status": page.status_code,
    "heading": "Microsoft 365 settings" in page.text,
    "linked": len(linked),
    "answers": sorted({client.get(path).status_code for path in linked}),
    "templates": sorted(name for name in app.jinja_env.list_templates() if app.jinja_env.get_template(name)),
}))
"""


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def run(*arguments: str | Path, cwd: Path) -> str:
    """Run this Python away from the checkout; return what it printed."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FLASK", "MS365"))}
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=given, capture_output=True, text=True, timeout=90
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "DeprecationWarning" not in result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout, so that building leaves nothing behind in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in SHIPPED:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    return copy


def build(kind: str, source: Path, target: Path) -> Path:
    """Build by the same hooks as pip and build, without a network; return the file."""
    target.mkdir()
    run("-c", BUILD, kind, target, cwd=source)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", checkout, tmp_path_factory.mktemp("wheel") / "dist")


@pytest.fixture(scope="module")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist") / "dist")


def installed(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a folder of its own: it holds only modules and files beside them."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def assert_renders(site: Path, tmp_path: Path, *, origin: Path) -> None:
    """Render the settings page with the package installed in ``site``, and see it come from ``origin``."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    seen = json.loads(run("-S", "-c", RENDER, tmp_path / "instance", site, *dependencies, cwd=elsewhere))
    assert Path(seen["file"]).is_relative_to(origin)
    assert (seen["status"], seen["heading"], seen["linked"], seen["answers"]) == (200, True, 2, [200])
    assert seen["templates"] == names_in(ROOT / "templates")


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_from_a_wheel(wheel: Path, tmp_path: Path) -> None:
    site = installed(wheel, tmp_path / "site")
    assert_renders(site, tmp_path, origin=site)


@pytest.mark.slow
def test_from_a_source_distribution(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        # Python 3.12 warns without a filter, and early releases of 3.10 and 3.11 have none
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    site = installed(build("wheel", source, tmp_path / "dist"), tmp_path / "site")
    assert_renders(site, tmp_path, origin=site)


@pytest.mark.slow
def test_from_an_editable_install(checkout: Path, tmp_path: Path) -> None:
    site = installed(build("editable", checkout, tmp_path / "dist"), tmp_path / "site")
    assert_renders(site, tmp_path, origin=checkout)


@pytest.mark.slow
def test_from_a_bare_checkout(checkout: Path, tmp_path: Path) -> None:
    assert_renders(checkout, tmp_path, origin=checkout)


@pytest.mark.slow
def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(f"flask_ms365-{__version__}.dist-info/entry_points.txt").decode()
    assert {name.partition("/")[0] for name in names} == {"flask_ms365", f"flask_ms365-{__version__}.dist-info"}
    assert "flask_ms365/py.typed" in names
    assert {f"flask_ms365/translations/{code}/LC_MESSAGES/ms365.mo" for code in LANGUAGES} <= set(names)
    assert "ms365 = flask_ms365.simulator.pytest_plugin" in entry_points


@pytest.mark.slow
def test_a_source_distribution_holds_what_its_tests_need(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "tests/sync/conftest.py", "demo/app.py", "docs/host.md", "CHANGELOG.md"} <= names
    assert {f"flask_ms365/translations/{code}/LC_MESSAGES/ms365.po" for code in LANGUAGES} <= names
    assert not [name for name in names if "__pycache__" in name]


def test_every_package_is_listed() -> None:
    """``find:`` cannot see the two mapped folders, and a package that is not listed is silently left out."""
    listed = set(setup_cfg()["options"]["packages"].split())
    inside = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "flask_ms365").rglob("__init__.py")}
    assert listed == inside | {"flask_ms365.templates", "flask_ms365.static"}


def test_the_lowest_versions_are_those_that_are_tested() -> None:
    """CI installs ``.ci/lowest.txt``; every bound of setup.cfg stands there."""
    extras = setup_cfg()["options.extras_require"]
    text = "\n".join([setup_cfg()["options"]["install_requires"], extras["celery"], extras["demo"]])
    bounds = dict(re.findall(r"^([\w-]+)>=([\d.]+)", text, re.MULTILINE))
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / ".ci" / "lowest.txt").read_text(), re.MULTILINE))
    assert bounds
    assert {name: numbers(bounds[name]) for name in bounds} == {name: numbers(pins[name]) for name in bounds}


def numbers(version: str) -> tuple[int, ...]:
    """Return a version for comparison: 3.1 is 3.1.0."""
    parts = [int(part) for part in version.split(".")]
    return tuple(parts + [0] * (3 - len(parts)))
