"""Processes that end together, whatever becomes of the program that started them.

Each process is started in a session of its own, so that Ctrl-C in a terminal reaches the program and not
them, and so that everything they start can be found again. Normally the program stops them at the end of
a ``with`` block. Should it die before (``kill -9``, a lost terminal), a guard process notices that the
pipe to it has closed, and stops them in its place. POSIX and the standard library only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import TracebackType

PATIENCE_SECONDS = 5.0
"""How long processes may take to end by themselves before they are killed."""
_LINES_OF_LOG = 30


class ProcessFailed(Exception):
    """A process ended that should be running, or failed; the text has the end of its log."""


class Processes:
    """
    Starts processes and stops them all at the end of a ``with`` block.

    Args:
        logs: The folder for one log file each; it is made.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._orphaned: list[subprocess.Popen[bytes]] = []
        """Those that were killed alone: what they had started may still run."""
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Processes:
        """Start the guard."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._guard = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop everything, then let the guard go."""
        stop_sessions(
            [process.pid for process in (*self._running.values(), *self._orphaned)],
            own=self._running.values(),
        )
        for name in list(self._running):
            self._forget(name)
        for process in self._orphaned:
            self._tell_guard(-process.pid)
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self._logs / f"{name}.log"

    @property
    def names(self) -> list[str]:
        """Return the names of those that were started and not ended on purpose."""
        return list(self._running)

    @property
    def dead(self) -> list[str]:
        """The names of those that have ended although they were not ended on purpose."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def pid(self, name: str) -> int:
        """Return the id of a process."""
        return self._running[name].pid

    def start(
        self,
        name: str,
        command: Sequence[object],
        *,
        env: Mapping[str, str],
        user: int | None = None,
        folder: Path | None = None,
    ) -> None:
        """
        Start a process; its output is added to its log file.

        Args:
            name: What to call it, and its log file.
            command: The program and its arguments.
            env: Its whole environment.
            user: The id of the user to run it as, if not the one who runs this.
            folder: Where to run it, if not here.
        """
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                env=env,
                cwd=folder,
                user=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        self._tell_guard(process.pid)

    def run(
        self,
        name: str,
        command: Sequence[object],
        *,
        env: Mapping[str, str],
        user: int | None = None,
        folder: Path | None = None,
    ) -> None:
        """
        Run a process to its end; the arguments are those of :meth:`start`.

        Raises:
            ProcessFailed: Its exit code is not zero.
        """
        self.start(name, command, env=env, user=user, folder=folder)
        if self._running[name].wait() != 0:
            self.check()
        self._forget(name)

    def stop(self, name: str) -> None:
        """Ask a process to end, and see to it that all it has started ends too."""
        process = self._running[name]
        stop_sessions([process.pid], own=[process])
        self._forget(name)

    def kill(self, name: str, *, alone: bool = False) -> None:
        """
        End a process without a word, with all that it has started.

        Args:
            name: Which one.
            alone: Leave what it has started.
        """
        process = self._running.pop(name)
        if alone:
            process.kill()
        else:
            signal_session(process.pid, signal.SIGKILL)
        process.wait()
        self._orphaned.append(process)

    def check(self) -> None:
        """
        Check that all are alive that were not ended on purpose.

        Raises:
            ProcessFailed: One has ended.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessFailed(
                    f"{name} ended with code {process.returncode}. The end of {self.log(name)}:\n"
                    + tail(self.log(name))
                )

    def _forget(self, name: str) -> None:
        """Let go of a process that has ended, whose id will soon be another's."""
        self._tell_guard(-self._running.pop(name).pid)

    def _tell_guard(self, number: int) -> None:
        """Tell the id of a process that was started or, below zero, that has ended."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.write(b"%d\n" % number)
            self._guard.stdin.flush()


def tail(log: Path) -> str:
    """Return the last lines of a log file, indented."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_OF_LOG:]
    return "\n".join(f"    {line}" for line in lines)


def stop_sessions(leaders: Iterable[int], *, own: Collection[subprocess.Popen[bytes]] = ()) -> None:
    """
    End sessions: ask their leaders, wait, and kill what is left of them.

    Args:
        leaders: The processes that began the sessions.
        own: Those of them that are children of this process, and want to be reaped.
    """
    sessions = frozenset(leaders)
    for leader in sessions.intersection(_members(sessions)):
        _send(leader, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while members := _members(sessions):
        if time.monotonic() > deadline:
            for member in members:
                _send(member, signal.SIGKILL)
        time.sleep(0.05)
    for child in own:
        child.wait()


def signal_session(leader: int, number: signal.Signals) -> None:
    """Send a signal to every process of a session."""
    for member in _members(frozenset([leader])):
        _send(member, number)


def parent_of(pid: int) -> int | None:
    """Return the id of the process that started one; None when it has ended. Linux only."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(b") ")[2].split()[1])


def _members(sessions: frozenset[int]) -> list[int]:
    """List the living processes of sessions."""
    return [pid for pid in _living() if _session(pid) in sessions]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):  # it has ended, or is not one of ours
        return None


def _living() -> list[int]:
    """List the ids of all processes but those that have ended and wait to be reaped."""
    if Path("/proc/self/stat").exists():
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _lives(folder)]
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,stat="], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [int(pid) for pid, state, *_ in rows if not state.startswith("Z")]


def _lives(folder: Path) -> bool:
    try:
        stat = (folder / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(b") ")[2][:1] != b"Z"


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _stand_guard() -> None:
    """Keep count of what runs and, when the pipe closes, stop what is left."""
    running: set[int] = set()
    for number in map(int, sys.stdin):
        if number > 0:
            running.add(number)
        else:
            running.discard(-number)
    stop_sessions(running)


if __name__ == "__main__":
    _stand_guard()
