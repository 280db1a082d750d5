"""``python -m bench.sync``: a first sync, beside a bare loop and what people write without us.

What the figures mean is in docs/performance.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench import floor, ours, rivals
from bench.databases import count_messages, fresh
from bench.fabricated import PAGE
from bench.measured import Measurement, Work, in_turns, measured, ratios, spread, table
from bench.pages import served

_MEBIBYTES = 170
_TARGETS = {"sqlite": 1.15, "postgresql": 1.25, "mariadb": 1.5}
_LATENCY_TARGETS = {50: 1.3, 150: 2.2}


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Somebody who brings a mailbox into a database. ``at_least``: how many times as long as ours it should take."""

    prepare: Callable[[str, str, int], Work]
    at_least: float | None = None
    # measured without latency beside a run that has some
    is_near: bool = False


CONTESTANTS = {
    "floor": Contestant(prepare=floor.prepare),
    "ours": Contestant(prepare=ours.prepare_first),
    "ours-near": Contestant(prepare=ours.prepare_first, is_near=True),
    "ours-again": Contestant(prepare=ours.prepare_again),
    "ours-handler": Contestant(prepare=ours.prepare_handled),
    "add-all": Contestant(prepare=rivals.prepare_add_all, at_least=3),
    "select-each": Contestant(prepare=rivals.prepare_select_each, at_least=6),
    "o365": Contestant(prepare=rivals.prepare_o365, at_least=20),
}


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    names = [name for name in options.only.split(",") if options.latency or not CONTESTANTS[name].is_near]
    messages = -(-options.messages // (PAGE * options.folders)) * PAGE * options.folders
    with served(messages=messages, folders=options.folders, latencies=sorted({0, options.latency})) as graph:
        runs = {}
        for name in names:
            address = graph[0 if CONTESTANTS[name].is_near else options.latency]
            runs[name] = partial(_run, CONTESTANTS[name], address, options.database, options.folders, messages)
        taken = in_turns(runs, options.rounds)
    print(f"{messages} messages, {options.folders} folders, {options.latency} ms, {options.database}")
    print(_report(taken, options))


def _run(contestant: Contestant, graph: str, kind: str, folders: int, messages: int) -> Measurement:
    with fresh(kind) as database:
        found = measured(contestant.prepare, graph, database, folders)
        stored = count_messages(database)
    if stored != messages:
        raise RuntimeError(f"{contestant.prepare.__qualname__} stored {stored} messages of {messages}")
    return found


def _report(taken: dict[str, list[Measurement]], options: argparse.Namespace) -> str:
    base = taken.get("floor")
    rows = []
    for name, runs in taken.items():
        rows.append(
            [
                name,
                spread([run.seconds for run in runs]),
                spread(ratios(runs, base)) if base else "",
                spread([run.cpu for run in runs]),
                spread(ratios(runs, base, "cpu")) if base else "",
                spread([run.mebibytes for run in runs], 0),
            ]
        )
    head = ("", "seconds", "x floor", "CPU s", "x floor", "peak MiB")
    return "\n".join([table(head, rows), "", *_verdicts(taken, options)])


def _verdicts(taken: dict[str, list[Measurement]], options: argparse.Namespace) -> Sequence[str]:
    """Return a line for each figure that issue 5 names, with what it should be."""
    lines = []

    def say(what: str, one: str, other: str, bar: float, sign: str = "<=", of: str = "seconds") -> None:
        if one in taken and other in taken:
            lines.append(f"{what:44} {spread(ratios(taken[one], taken[other], of)):>20}  {sign} {bar}")

    if options.latency:
        say("latency / without", "ours", "ours-near", _LATENCY_TARGETS.get(options.latency, 0))
    else:
        say("ours / floor", "ours", "floor", _TARGETS[options.database])
    if not options.latency and options.database == "sqlite":
        say("ours / floor, CPU", "ours", "floor", 1.3, of="cpu")
    for name, contestant in CONTESTANTS.items():
        if contestant.at_least:
            say(f"{name} / ours", name, "ours", contestant.at_least, ">=")
    say("read again, nothing changed / first sync", "ours-again", "ours", 0.25)
    say("one handler that adds a row / without", "ours-handler", "ours", 1.6)
    if "ours" in taken:
        peak = spread([run.mebibytes for run in taken["ours"]], 0)
        lines.append(f"{'peak MiB of ours':44} {peak:>20}  <= {_MEBIBYTES}")
    return lines


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--folders", type=int, default=1, help="even ones")
    parser.add_argument("--latency", type=int, default=0, help="milliseconds before each answer")
    parser.add_argument("--database", choices=_TARGETS, default="sqlite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="names, joined by commas")
    return parser.parse_args()


if __name__ == "__main__":
    main(_options())
