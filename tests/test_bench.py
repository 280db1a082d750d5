"""The benchmarks run to their end and store what they should; their figures are never asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def bench(name: str, *options: str) -> str:
    command = [sys.executable, "-m", f"bench.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_first_sync_is_measured_beside_others() -> None:
    names = "floor,ours,ours-again,ours-handler,add-all,select-each"
    printed = bench("sync", "--messages", "400", "--folders", "2", "--rounds", "1", "--only", names)
    assert "400 messages, 2 folders, 0 ms, sqlite" in printed
    assert "ours / floor" in printed


def test_python_o365_reads_the_same_pages() -> None:
    pytest.importorskip("O365", reason="pip install -e '.[bench]'")
    assert "o365 / ours" in bench("sync", "--messages", "400", "--rounds", "1", "--only", "ours,o365")


def test_latency_is_measured_against_none() -> None:
    options = ("--messages", "400", "--latency", "50", "--rounds", "1", "--only", "ours,ours-near")
    assert "latency / without" in bench("sync", *options)


def test_idle_mailboxes_are_each_looked_at_once() -> None:
    printed = bench("incremental", "--mailboxes", "20", "--rounds", "1", "--changed", "5")
    assert [line.split()[-1] for line in printed.splitlines() if line.startswith("bare")] == ["1.00"]
    assert "ours: statements for 100 mailboxes" in printed


def test_a_growing_mailbox_is_measured() -> None:
    printed = bench("linear", "--sizes", "200,400")
    assert [line.split()[0] for line in printed.splitlines()[-2:]] == ["200", "400"]


def test_what_millions_of_mailboxes_take_is_reckoned_from_what_a_few_took() -> None:
    options = ("--databases", "sqlite", "--mailboxes", "200", "--looks", "20", "--rounds", "1")
    printed = bench("capacity", *options)
    assert "mailbox with nothing new" in printed
    assert [line.split()[0] for line in printed.splitlines()[-3:]] == ["1,000", "100,000", "10,000,000"]


def test_every_page_is_measured_beside_a_bare_query() -> None:
    printed = bench("reading", "--mailboxes", "4", "--messages", "60", "--rounds", "2")
    assert "240 messages in 4 mailboxes, sqlite" in printed
    assert "search() of all, every letter has it" in printed
