"""``python -m bench.capacity``: what a tick, a mailbox, a change and a message cost, and what millions of them take."""

from __future__ import annotations

import argparse
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, create_engine, event, func, make_url, text, update
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from bench.crowd import add_crowd
from bench.databases import NOW, finish, fresh
from bench.measured import Work, measured, spread, table
from bench.ours import connect, host, sync
from bench.pages import DELTA_END, ONE_CHANGE, served
from flask_ms365.crypto import generate_key
from flask_ms365.models import Folder, Mailbox

TICKS, MESSAGES, FOLDERS = 20, 4000, 5
IN_FLIGHT = 16  # requests of one process that looks
GRAPH = 2000  # requests a second of one app, over all mailboxes
SIZES = (1_000, 100_000, 10_000_000)
PAGES = ("metrics", "health/ready", "mailboxes")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one of something takes: milliseconds of CPU, and of waiting for the database; statements; requests."""

    cpu: float
    database: float
    statements: float
    requests: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(**{name: value + getattr(other, name) for name, value in vars(self).items()})

    def __mul__(self, factor: float) -> Cost:
        return Cost(**{name: value * factor for name, value in vars(self).items()})

    def __sub__(self, other: Cost) -> Cost:
        """Return what it takes more; less than nothing is chance."""
        return Cost(**{name: max(value - getattr(other, name), 0) for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class Use:
    """How mailboxes are used, and how far away Microsoft is."""

    interval: float  # minutes
    folders: int  # that are read
    messages: float  # a day
    latency: float  # milliseconds


@contextmanager
def metered() -> Iterator[Counter[str]]:
    """Count CPU, statements, and the time until the database has answered or committed."""
    found: Counter[str] = Counter()
    commit: Any = DefaultDialect.do_commit

    def waited(since: float) -> None:
        found["database"] += 1000 * (time.perf_counter() - since)  # type: ignore[assignment]

    def begin(connection: Connection, *_: Any) -> None:
        connection.info["began"] = time.perf_counter()

    def end(connection: Connection, *_: Any) -> None:
        waited(connection.info["began"])
        found["statements"] += 1

    def timed_commit(dialect: DefaultDialect, connection: Any) -> None:
        began = time.perf_counter()
        commit(dialect, connection)
        waited(began)

    event.listen(Engine, "before_cursor_execute", begin)
    event.listen(Engine, "after_cursor_execute", end)
    DefaultDialect.do_commit = timed_commit  # type: ignore[method-assign]
    cpu = time.process_time()
    yield found
    found["cpu"] = 1000 * (time.process_time() - cpu)  # type: ignore[assignment]


def prepare_ticks(graph: str, database: str, key: str, mailboxes: int) -> Work:
    """Measure ticks with nobody due, and the pages that tell of all mailboxes."""
    app, ms365 = host(graph, database, key=key)
    with app.app_context():
        connect(app, ms365, graph, [1])
    _change(database, lambda connection: add_crowd(connection, mailboxes))
    _change(database, lambda connection: connection.execute(update(Mailbox).values(next_due_at=NOW + timedelta(1))))
    _change(database, lambda connection: connection.execute(text("ANALYZE")))

    def work() -> Mapping[str, float]:
        with app.app_context():
            ms365.tick()  # the first one of a process reads and writes what later ones need not
            with metered() as found:
                ticks = [_added(found, ms365.tick) for _ in range(TICKS)]
            server = _counted_by_server(app.extensions["sqlalchemy"].engine, ms365.tick)
        visitor = app.test_client()
        pages = {page: _milliseconds(partial(visitor.get, f"/ms365/{page}")) for page in PAGES}
        return {**found, **pages, "database": TICKS * median(ticks), "server": server}

    return work


def prepare_looks(graph: str, database: str, key: str, link: str, mailboxes: int) -> Work:
    """Measure looks at mailboxes that were read to their end; ``link`` says what comes next in each folder."""
    app, ms365 = host(graph, database, key=key)
    with app.app_context():
        connect(app, ms365, graph, range(1, mailboxes + 1))
        while ms365.tick().has_more:
            pass
    ends = func.replace(Folder.delta_link, DELTA_END, link)
    _change(database, lambda connection: connection.execute(update(Folder).values(delta_link=ends)))
    _change(database, lambda connection: connection.execute(update(Mailbox).values(next_due_at=NOW)))

    def work() -> Mapping[str, float]:
        before = _asked(graph)
        with app.app_context(), metered() as found:
            while ms365.tick().has_more:
                pass
        return {**found, "requests": _asked(graph) - before - 1}

    return work


def prepare_first(graph: str, database: str, key: str) -> Work:
    """Measure a first reading."""
    app, ms365 = host(graph, database, key=key)
    with app.app_context():
        connect(app, ms365, graph)
    empty = _size(database)

    def work() -> Mapping[str, float]:
        before = _asked(graph)
        with app.app_context(), metered() as found:
            sync(ms365)
        finish(database)
        return {**found, "requests": _asked(graph) - before - 1, "stored": _size(database) - empty}

    return work


def _change(database: str, change: Callable[[Connection], object]) -> None:
    engine = create_engine(database)
    with engine.begin() as connection:
        change(connection)
    engine.dispose()


def _size(database: str) -> int:
    """Return how many bytes the database takes."""
    if database.startswith("sqlite"):
        finish(database)
        return Path(make_url(database).database or "").stat().st_size
    found: list[int] = []
    size = text("SELECT pg_database_size(current_database())")
    _change(database, lambda connection: found.append(connection.scalar(size) or 0))
    return found[0]


def _counted_by_server(engine: Engine, call: Callable[[], object]) -> float:
    """Return the milliseconds that PostgreSQL itself counts for the statements of a call, without commits; 0 of others.

    A busy machine shows less in it than in what we wait.
    """
    ran: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: ran.append(given[2:4]))
    call()
    if engine.dialect.name != "postgresql":
        return 0
    plans, statements = [], list(ran)
    with engine.connect() as connection:  # what it does is rolled back
        for statement, given in statements:
            told = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given).scalar_one()
            plans += told
    return float(sum(plan["Planning Time"] + plan["Execution Time"] for plan in plans))


def _added(found: Mapping[str, float], call: Callable[[], object]) -> float:
    """Return how long the database took in a call."""
    before = found["database"]
    call()
    return found["database"] - before


def _milliseconds(get: Callable[[], Any]) -> float:
    """Return what a page takes once it has been seen."""
    taken = []
    for _ in range(6):
        began = time.perf_counter()
        assert get().status_code in (200, 503)
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken[1:])


def _asked(graph: str) -> int:
    with urllib.request.urlopen(f"{graph}/requests") as answer:
        return int(answer.read())


class Measured:
    """All of it on one database, once a round."""

    def __init__(self, kind: str, *, mailboxes: int, looks: int) -> None:
        self._kind = kind
        self._mailboxes = mailboxes
        self._looks = looks
        self.counts: dict[str, list[Mapping[str, float]]] = {}

    def round(self) -> None:
        """Measure all once more."""
        with served(messages=0, folders=1) as graph:
            self._run("tick", prepare_ticks, graph[0], self._mailboxes)
            self._run("idle", prepare_looks, graph[0], DELTA_END, self._looks)
            self._run("changed", prepare_looks, graph[0], ONE_CHANGE.format(0), self._looks)
        with served(messages=0, folders=FOLDERS) as graph:
            self._run("folders", prepare_looks, graph[0], DELTA_END, self._looks)
        with served(messages=MESSAGES, folders=1) as graph:
            self._run("first", prepare_first, graph[0])

    def _run(self, name: str, prepare: Callable[..., Work], graph: str, *given: Any) -> None:
        with fresh(self._kind) as database:
            counts = measured(prepare, graph, database, generate_key(), *given).counts
        self.counts.setdefault(name, []).append(counts)
        print(f"  {self._kind}: {name}", flush=True)

    def of(self, name: str, what: str) -> list[float]:
        """Return what each round found."""
        return [counts[what] for counts in self.counts[name]]

    def cost(self, name: str, among: int) -> Cost:
        """Return the least of what one of so many took in any round: whatever else the machine did only adds to it."""
        parts = ("cpu", "database", "statements") if name == "tick" else tuple(Cost.__dataclass_fields__)
        return Cost(**{what: min(self.of(name, what)) / among for what in parts})

    @property
    def costs(self) -> dict[str, Cost]:
        """What each is the cost of -> the cost."""
        idle = self.cost("idle", self._looks)
        return {
            "tick with nobody due": self.cost("tick", TICKS),
            "mailbox with nothing new": idle,
            "each further folder": (self.cost("folders", self._looks) - idle) * (1 / (FOLDERS - 1)),
            "mailbox with a new message, more": self.cost("changed", self._looks) - idle,
            "message of a first reading": self.cost("first", MESSAGES),
        }

    def report(self) -> str:
        """Return the constants as text."""
        head = (self._kind, "CPU ms", "database ms", "statements", "requests")
        rows = [[name, *(f"{part:.3f}" for part in vars(cost).values())] for name, cost in self.costs.items()]
        pages = ", ".join(f"{page} {spread(self.of('tick', page), 0)} ms" for page in PAGES)
        tick = spread([value / TICKS for value in self.of("tick", "database")], 1)
        server = spread(self.of("tick", "server"), 1)
        idle = spread([value / self._looks for value in self.of("idle", "cpu")])
        stored = median(self.of("first", "stored")) / MESSAGES / 1024
        return "\n".join(
            [
                table(head, rows),
                f"a tick among {self._mailboxes:,} mailboxes: {tick} ms of the database, {server} by its own count",
                f"pages: {pages}",
                f"CPU ms of a mailbox with nothing new: {idle}; a message takes {stored:.1f} KB of the database",
            ]
        )


def model(costs: Mapping[str, Cost], use: Use) -> str:
    """Return what so many mailboxes take, as text."""
    tick, idle, folder, changed, _ = costs.values()
    # the list of folders is asked as often as each of them
    look = idle + folder * use.folders
    rows = []
    for mailboxes in SIZES:
        looks, messages = mailboxes / use.interval / 60, mailboxes * use.messages / 86_400
        second = look * looks + changed * min(messages, looks) + tick * (1 / 30)
        workers = max(second.cpu / 1000, second.requests * use.latency / 1000 / IN_FLIGHT)
        shortest = mailboxes * look.requests / GRAPH / 60
        rows.append(
            [
                f"{mailboxes:,}",
                f"{second.requests:,.0f}",
                f"{second.cpu / 1000:,.2f}",
                f"{ceil(workers):,}",
                f"{second.statements:,.0f}",
                f"{second.database / 1000:,.2f}",
                f"{100 * second.requests / GRAPH:,.1f} %",
                f"{shortest:,.1f}",
            ]
        )
    head = ("mailboxes", "requests/s", "cores", "workers", "statements/s", "database", "of Graph", "shortest, min")
    return table(head, rows)


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    use = Use(interval=options.interval, folders=options.folders, messages=options.messages, latency=options.latency)
    for kind in options.databases:
        found = Measured(kind, mailboxes=options.mailboxes, looks=options.looks)
        for _ in range(options.rounds):
            found.round()
        print(found.report())
        print(f"every {use.interval:g} minutes, {use.folders} folders, {use.messages:g} messages a day:")
        print(model(found.costs, use))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--mailboxes", type=int, default=100_000, help="that are not due, beside a tick")
    parser.add_argument("--looks", type=int, default=500, help="mailboxes that are due")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--interval", type=float, default=10, help="minutes")
    parser.add_argument("--folders", type=int, default=4, help="that are read of each mailbox")
    parser.add_argument("--messages", type=float, default=40, help="a day and mailbox")
    parser.add_argument("--latency", type=float, default=150, help="milliseconds a request")
    main(parser.parse_args())
