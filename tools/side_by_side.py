"""Commands that run side by side, each line of their output under the name of its command.

Standard library only: ``noxfile.py`` imports it.
"""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE_SECONDS = 60.0
"""How long a command may take to end after Ctrl-C: it may have a whole Airflow to stop."""


def run(commands: Mapping[str, Sequence[object]], *, at_once: int) -> list[str]:
    """
    Run commands, some at once, in the order given; a failure does not stop the others.

    Args:
        commands: The commands by name.
        at_once: How many run at the same time.

    Returns:
        The names of those that failed.
    """
    side_by_side = _SideBySide(width=max(map(len, commands)))
    with ThreadPoolExecutor(at_once) as pool:
        results = {
            name: pool.submit(side_by_side.run, name, [str(part) for part in command])
            for name, command in commands.items()
        }
        try:
            return [name for name, result in results.items() if result.result() != 0]
        except KeyboardInterrupt:
            side_by_side.stop()
            raise


class _SideBySide:
    def __init__(self, width: int) -> None:
        self._width = width
        self._screen = Lock()
        self._stopped = Event()
        self._running: list[subprocess.Popen[str]] = []

    def run(self, name: str, command: list[str]) -> int:
        if self._stopped.is_set():
            return 1
        begun = time.monotonic()
        self._say(name, " ".join(command))
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            self._running.append(process)
            if process.stdout is not None:
                for line in process.stdout:
                    self._say(name, line.rstrip("\n"))
        seconds = time.monotonic() - begun
        self._say(name, f"exit code {process.returncode} after {seconds:.0f} s")
        return process.returncode

    def stop(self) -> None:
        """Wait for those that run: Ctrl-C in a terminal has reached them, too."""
        self._stopped.set()
        end = time.monotonic() + PATIENCE_SECONDS
        for process in self._running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _say(self, name: str, line: str) -> None:
        with self._screen:
            print(f"{name:{self._width}} | {line}", flush=True)
