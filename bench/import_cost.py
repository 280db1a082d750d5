"""``python -m bench.import_cost [RUNS]``: what ``import flask_ms365`` costs over what a host imports in any case.

Each run is a fresh interpreter that imports the bare extensions first and ours after them, so that a busy machine slows
both alike and the ratio stays steady where seconds do not. CPU seconds are user and system time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

_RUN = """
import json, time
def now(): return time.process_time(), time.perf_counter()
start = now()
import flask_sqlalchemy, flask_wtf
bare = now()
import flask_ms365
print(json.dumps([start, bare, now()]))
"""


def run() -> dict[str, tuple[float, float]]:
    """Return clock -> seconds of the bare import, and of that and ours together."""
    # every installation runs from byte code; a shell that forbids writing it would have us measure the compiler
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", _RUN], check=True, capture_output=True, text=True, env=environment)
    start, bare, ours = json.loads(done.stdout)
    return {clock: (bare[n] - start[n], ours[n] - start[n]) for n, clock in enumerate(("CPU", "wall"))}


def main(count: int) -> None:
    """Measure and print."""
    run()  # writes the byte code
    runs = [run() for _ in range(count)]
    for clock in ("CPU", "wall"):
        pairs = [each[clock] for each in runs]
        ratios = [ours / bare for bare, ours in pairs]
        bare, ours = (1000 * median(side) for side in zip(*pairs, strict=True))
        print(f"{clock:4} bare {bare:.0f} ms, with flask_ms365 {ours:.0f} ms: ", end="")
        print(f"ratio {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) over {count} runs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
