"""Take turns, each in a fresh process; then medians, ranges and ratios."""

from __future__ import annotations

import gc
import multiprocessing
import random
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

_processes = multiprocessing.get_context("spawn")

# what is prepared beforehand returns what is measured; that returns what it counted
Work = Callable[[], Mapping[str, float] | None]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one run took. The peak is that of its whole process."""

    seconds: float
    cpu: float
    mebibytes: float
    counts: Mapping[str, float] = field(default_factory=dict)


def measured(prepare: Callable[..., Work], *given: Any) -> Measurement:
    """Prepare and run in a process of its own; raise :exc:`RuntimeError` where that failed."""
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_child, args=(theirs, prepare, given))
    process.start()
    theirs.close()
    try:
        found: Measurement = ours.recv()
    except EOFError:
        raise RuntimeError(f"{prepare.__module__}.{prepare.__qualname__} failed") from None
    finally:
        process.join()
    return found


def _child(pipe: Connection, prepare: Callable[..., Work], given: Sequence[Any]) -> None:
    work = prepare(*given)
    gc.collect()
    gc.freeze()  # whose imports are larger is not what is measured
    seconds, cpu = time.perf_counter(), time.process_time()
    counts = work()
    seconds, cpu = time.perf_counter() - seconds, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send(Measurement(seconds=seconds, cpu=cpu, mebibytes=peak, counts=counts or {}))


def in_turns(runs: Mapping[str, Callable[[], Measurement]], rounds: int) -> dict[str, list[Measurement]]:
    """Run all of them once a round, in another order each time; return name -> what each round took."""
    found: dict[str, list[Measurement]] = {name: [] for name in runs}
    for number in range(rounds):
        order = random.sample(list(runs), len(runs))
        for name in order:
            found[name].append(runs[name]())
            print(f"  round {number + 1}: {name} {found[name][-1].seconds:.2f} s", flush=True)
    return found


def ratios(taken: Sequence[Measurement], base: Sequence[Measurement], what: str = "seconds") -> list[float]:
    """Return a ratio for each round: a busy moment slows both sides of it alike."""
    return [getattr(one, what) / getattr(other, what) for one, other in zip(taken, base, strict=True)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median with its range."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as text in columns; the first is a name."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in (head, *rows)]
    return "\n".join("  ".join(line) for line in lines)
