"""``python -m bench.linear``: mailboxes of growing size into SQLite, and a pass with one new message after each."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import update

from bench.databases import finish, fresh
from bench.idle import path_of
from bench.measured import Work, measured, table
from bench.ours import connect, host, sync
from bench.pages import DELTA_END, ONE_CHANGE, served
from flask_ms365.models import Folder, write_transaction

_PASSES = 9
SIZES = "1000,10000,100000,1000000"


def _prepare(graph: str, database: str) -> Work:
    app, ms365 = host(graph, database)
    with app.app_context():
        connect(app, ms365, graph)

    def work() -> dict[str, float]:
        with app.app_context():
            started = time.perf_counter()
            sync(ms365)
            full = time.perf_counter() - started
            finish(database)
            passes = [_one_change(app, ms365, number) for number in range(_PASSES)]
        return {"full": full, "pass": median(passes), "bytes": Path(path_of(database)).stat().st_size}

    return work


def _one_change(app: Any, ms365: Any, number: int) -> float:
    """Return the seconds that a pass takes which finds one new message."""
    session = app.extensions["ms365.state"].session
    with write_transaction(session):
        link = session.query(Folder.delta_link).scalar().replace(DELTA_END, ONE_CHANGE.format(number))
        session.execute(update(Folder).values(delta_link=link))
    started = time.perf_counter()
    sync(ms365)
    return time.perf_counter() - started


def main(sizes: list[int]) -> None:
    """Measure and print."""
    rows = []
    for size in sizes:
        with fresh("sqlite") as database, served(messages=size, folders=1) as graph:
            found = measured(_prepare, graph[0], database)
        full, one = found.counts["full"], found.counts["pass"]
        file, cpu = found.counts["bytes"] / 2**20, found.cpu / size * 1e6
        rows.append([str(size), f"{full:.2f}", f"{full / size * 1e6:.0f}", f"{cpu:.0f}"])
        rows[-1] += [f"{found.mebibytes:.0f}", f"{file:.0f}", f"{one * 1000:.1f}"]
        print(f"  {size}: {full:.2f} s", flush=True)
    head = ("messages", "seconds", "us each", "CPU us each", "peak MiB", "file MiB", "ms of a pass with one change")
    print(table(head, rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default=SIZES, help="joined by commas")
    main([int(size) for size in parser.parse_args().sizes.split(",")])
