"""``python -m bench.incremental``: a look at a thousand mailboxes in which little or nothing has changed."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sqlalchemy import event
from sqlalchemy.engine import Engine

from bench import idle
from bench.databases import finish
from bench.measured import Measurement, Work, in_turns, measured, ratios, spread, table
from bench.ours import connect, host
from bench.pages import DELTA_END, ONE_CHANGE, served
from flask_ms365.crypto import generate_key

PREPARE: dict[str, Callable[[str, str, str], Work]] = {"bare": idle.prepare_bare, "requests": idle.prepare_requests}


def _until_none_is_due(graph: str, database: str, key: str) -> Work:
    app, ms365 = host(graph, database, key=key)
    with app.app_context():
        ms365.tick()  # a worker has done so before: its first tick sets up what all later ones have
    statements: Counter[str] = Counter()

    def work() -> Counter[str]:
        event.listen(Engine, "before_cursor_execute", lambda *given: statements.update(_shapes(given[2])))
        with app.app_context():
            while idle.due(database):
                ms365.tick()
        return statements

    return work


PREPARE["ours"] = _until_none_is_due


def _shapes(statement: str) -> list[str]:
    """Return what a statement does to which table; one that begins a transaction does nothing."""
    words = statement.split()
    tables = [word.strip("(),") for word in words if word.startswith("ms365_") and "." not in word]
    return [] if words[0] == "BEGIN" else [f"{words[0]} {tables[0] if tables else ''}"]


def _due(prepare: Callable[[str, str, str], Work], graph: str, database: str, key: str) -> Work:
    work = prepare(graph, database, key)
    with sqlite3.connect(idle.path_of(database)) as connection:
        connection.execute("UPDATE ms365_mailbox SET next_due_at = '2026-01-01 00:00:00.000000'")
    connection.close()
    return work


def _seed(graph: str, database: str, key: str, mailboxes: int, changed: int) -> Work:
    """Connect the mailboxes and sync each once, as they would be; then some have a change."""
    app, ms365 = host(graph, database, key=key)

    def work() -> None:
        with app.app_context():
            connect(app, ms365, graph, range(1, mailboxes + 1))
            while idle.due(database):
                ms365.tick()
        with sqlite3.connect(idle.path_of(database)) as connection:
            connection.execute("UPDATE ms365_mailbox SET next_due_at = '2099-01-01 00:00:00.000000'")
            connection.execute(
                "UPDATE ms365_folder SET delta_link = replace(delta_link, ?, ?) WHERE mailbox_id % 100 < ?",
                (DELTA_END, ONE_CHANGE.format(0), changed),
            )
        connection.close()
        finish(database)  # the copies are made of the file alone

    return work


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    with TemporaryDirectory(prefix="ms365-bench-") as folder, served(messages=0, folders=1) as graph:
        key, seed = generate_key(), Path(folder, "seed.sqlite3")
        measured(_seed, graph[0], f"sqlite:///{seed}", key, options.mailboxes, options.changed)
        runs = {name: partial(_run, prepare, graph[0], seed, key) for name, prepare in PREPARE.items()}
        taken = in_turns(runs, options.rounds)
    print(f"{options.mailboxes} mailboxes of one folder, {options.changed} % of them with a new message")
    print(_report(taken, options.mailboxes))


def _run(prepare: Callable[[str, str, str], Work], graph: str, seed: Path, key: str) -> Measurement:
    copy = seed.with_name("mail.sqlite3")
    shutil.copy(seed, copy)
    before = _requests(graph)
    found = measured(_due, prepare, graph, f"sqlite:///{copy}", key)
    counts = {**found.counts, "requests": _requests(graph) - before - 1}
    for path in seed.parent.glob("mail.sqlite3*"):
        path.unlink()
    return Measurement(seconds=found.seconds, cpu=found.cpu, mebibytes=found.mebibytes, counts=counts)


def _requests(graph: str) -> int:
    with urllib.request.urlopen(f"{graph}/requests") as answer:
        return int(answer.read())


def _report(taken: dict[str, list[Measurement]], mailboxes: int) -> str:
    rows = []
    for name, runs in taken.items():
        cpu = [1000 * run.cpu / mailboxes for run in runs]
        requests = median(run.counts["requests"] for run in runs) / mailboxes
        against = spread(ratios(runs, taken["ours"]))
        rows.append([name, spread([run.seconds for run in runs]), against, spread(cpu), f"{requests:.2f}"])
    last = taken["ours"][-1].counts
    statements = {shape: count for shape, count in last.items() if shape != "requests"}
    each = 100 * sum(statements.values()) / mailboxes
    listed = [f"  {100 * count / mailboxes:8.2f}  {shape}" for shape, count in Counter(statements).most_common(12)]
    return "\n".join(
        [
            table(("", "seconds", "x ours", "CPU ms each", "requests each"), rows),
            "ours: requests each 1, CPU ms each <= 0.7; requests >= 3.5 x ours",
            f"ours: statements for 100 mailboxes {each:.2f}, <= 2 where none changed:",
            *listed,
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=1000)
    parser.add_argument("--changed", type=int, default=0, help="per cent")
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args())
