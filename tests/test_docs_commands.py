"""Every ``flask ms365 ...`` in the documents, in units, crontabs and manifests too, is a command with these options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from flask import Flask

from flask_ms365 import MS365

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_COMMAND = re.compile(r"flask(?: --app \S+)? ms365((?: [\w./@=<>$\"'-]+)+)")


def commands(text: str) -> list[list[str]]:
    """Return the arguments of each command; of a word in a sentence behind one, nothing is known."""
    as_a_list = re.sub(r'"([\w./-]+)"(?:, |(?=\]))', r"\1 ", text)  # ["flask", "ms365", "worker"]
    code = re.findall(r"`(flask[^`]+)`", text) + [line for line in as_a_list.splitlines() if "flask" in line]
    found = [match[1] for line in code if (match := _COMMAND.search(line.replace(" ]", "")))]
    return [shlex.split(arguments) for arguments in found]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("and `flask ms365 sync` from cron", ["sync"]),
        ("ExecStart=/srv/.venv/bin/flask --app example ms365 sync --at-once 4", ["sync", "--at-once", "4"]),
        ('command: ["flask", "ms365", "worker", "--at-once", "4"]', ["worker", "--at-once", "4"]),
    ],
)
def test_commands_are_found_however_they_are_written(written: str, meant: list[str]) -> None:
    assert meant in commands(written)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_exists(path: Path, tmp_path: Path) -> None:
    app = Flask("documents", instance_path=str(tmp_path))
    MS365(app)
    runner = app.test_cli_runner()
    for arguments in commands(path.read_text(encoding="utf-8")):
        result = runner.invoke(args=["ms365", *arguments, "--help"])
        assert result.exit_code == 0, f"flask ms365 {shlex.join(arguments)}: {result.output}"
