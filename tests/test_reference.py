"""docs/reference.md says what is done better than in the reference; each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
WEAKNESSES = {*range(21, 32), *range(40, 45)}


def test_each_named_test_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert named
    missing = [f"{path}::{name}" for path, name in named if not _is_there(path, name)]
    assert missing == []


def test_each_weakness_has_a_test() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\| (`tests/.*) \|$", PAGE, re.M)
    assert {int(number) for number, _ in rows} == WEAKNESSES


def test_each_behaviour_has_a_test() -> None:
    table = PAGE.partition("## Weaknesses")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ") and not row.startswith("| there")]
    assert [row for row in rows if "`tests/" not in row] == []


def _is_there(path: str, name: str) -> bool:
    file = ROOT / path
    return file.is_file() and f"def {name}(" in file.read_text(encoding="utf-8")
