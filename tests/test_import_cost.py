"""What ``import flask_ms365`` leaves for later; ``bench/import_cost.py`` says what it takes."""

from __future__ import annotations

import subprocess
import sys

# each is needed by one thing that we do, and by none that every host does
LATE = {
    "apscheduler",
    "authlib",
    "celery",
    "cryptography",
    "joserfc",
    "msgspec",
    "nh3",
    "requests",
    "rich",
    "urllib3",
    "flask_ms365.graph",
    "flask_ms365.simulator",
    "flask_ms365.sync.engine",
}


def test_the_import_leaves_heavy_modules_for_later() -> None:
    script = "import sys, flask_ms365; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert LATE & set(run.stdout.split()) == set()
