"""Real processes for tests: workers, schedulers and web servers that are started, watched and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
_POLL = 0.05  # seconds: nobody tells us what happens in another process
PATIENCE = 120.0  # seconds: on a busy machine a program takes its time to start


class Processes:
    """Processes of one test, each with the children that it forks in a group of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, cwd: Path = ROOT) -> None:
        self._folder = folder
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._cwd = cwd
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program of this environment; its output is shown when what is waited for does not happen."""
        log = self._folder / f"{len(self._started)}-{command[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_program(command[0]), *command[1:]],
                cwd=self._cwd,
                env={**self._environment, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append((process, log))
        return process

    def run(self, *command: str) -> str:
        """Run a program of this environment to its end; return what it printed."""
        done = subprocess.run(
            [_program(command[0]), *command[1:]],
            cwd=self._cwd,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def until(self, condition: Callable[[], object], *, seconds: float = PATIENCE) -> float:
        """Wait until something holds that other processes bring about; return how long it took."""
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < seconds, self.output()
            threading.Event().wait(_POLL)
        return time.monotonic() - began

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a process and its children."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ask all to end, and wait for them."""
        for process, _ in self._started:
            process.terminate()
        for process, _ in self._started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            self.kill(process)

    def output(self) -> str:
        """Return what they have printed, and logged."""
        told = [(log.name, process.poll(), log.read_text(errors="replace")[-4000:]) for process, log in self._started]
        return "\n".join(f"--- {name}, {code}:\n{text}" for name, code, text in told)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@contextmanager
def processes(folder: Path, environment: Mapping[str, str], *, cwd: Path = ROOT) -> Iterator[Processes]:
    """Yield :class:`Processes` that end with the block."""
    started = Processes(folder, environment, cwd=cwd)
    try:
        yield started
    finally:
        started.stop()
