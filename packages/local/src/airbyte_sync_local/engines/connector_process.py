"""
Real syncs, as processes: starts `connector_runner` with another Python, listens to it, ends it.

The runner is installed in the connectors environment, since PyAirbyte wants a few hundred megabytes of
dependencies and seconds to import. It leads a process group of its own, so that the connector and
the connector's workers end with it; when this process dies, the runner notices by its stdin and
ends itself. Give each connection a DuckDB file of its own: DuckDB lets one process write at a time,
and no other read meanwhile. Needs POSIX.

Example:
    process = ConnectorProcess(run)
    process.start()
    async for progress in process.updates():
        print(progress.rows)
    result = await process.wait()
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, cast

from airbyte_sync_local.platform.model import Failure

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Mapping

_RUNNER: Final = Path(__file__).with_name("connector_runner.py")
_SECONDS_TO_END: Final = 5.0
"""A cancelled runner ends within milliseconds; one that hangs is killed after this."""
_LONGEST_LINE: Final = 2**20
_LONGEST_TAIL: Final = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectorsEnvironment:
    """A folder with one venv for PyAirbyte, and one for each connector, named like it."""

    python: Path
    """The Python of the venv with PyAirbyte: ``<folder>/pyairbyte/bin/python``."""
    runner: Path = _RUNNER

    def executable(self, source: str) -> Path:
        """Return where the program of a connector is: ``<folder>/<source>/bin/<source>``."""
        return self.python.parents[2] / source / "bin" / source


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectorRun:
    """What to sync."""

    environment: ConnectorsEnvironment
    database: Path
    """The DuckDB file; this sync alone may have it open."""
    log_file: Path
    """Where the words of PyAirbyte and the connector go, of this sync alone."""
    source: str = "source-faker"
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The connector's own, secrets included; it never appears on a command line."""
    streams: tuple[str, ...] = ()
    """All streams of the connector if empty."""
    schema: str = "main"
    rows_per_second: float | None = None
    """Slows the sync down to something that people can watch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What was read from the connector so far. The database gets it all at the end."""

    rows: int = 0
    bytes: int = 0
    """Of the records as compact JSON in UTF-8, without the envelope."""


class RunOutcome(Enum):
    """How a sync ended, in Airbyte's words."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """How a sync ended, and what it left in the database."""

    outcome: RunOutcome
    rows_by_stream: Mapping[str, int] = field(default_factory=dict)
    """What ``count(*)`` says of each table; empty unless the sync succeeded."""
    bytes: int = 0
    failure: Failure | None = None
    """Why it failed, if it did: the connector's own words where it had any."""

    @property
    def rows(self) -> int:
        """The rows of all streams."""
        return sum(self.rows_by_stream.values())


class ConnectorProcess:
    """One sync. Whatever happens to it, it ends in a result, and leaves no process behind."""

    def __init__(self, run: ConnectorRun) -> None:
        self.run = run
        self.progress = Progress()
        """The newest; kept up to date from `start` on."""
        self._task: asyncio.Task[RunResult] | None = None
        self._process: Process | None = None
        self._last_event: RunResult | None = None
        self._is_cancelled = False
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Start the sync and return at once. Needs a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._live())
        self._task.add_done_callback(lambda _: self._changed.set())

    async def updates(self) -> AsyncIterator[Progress]:
        """Tell each progress to one listener, the newest where several came at once."""
        task = self._started()
        told = Progress()
        while True:
            if self.progress != told:
                told = self.progress
                yield told
            elif task.done():
                return
            else:
                await self._changed.wait()
                self._changed.clear()

    async def wait(self) -> RunResult:
        """Wait for the end. Giving up on this wait leaves the sync alone."""
        return await asyncio.shield(self._started())

    async def cancel(self) -> RunResult:
        """
        End the sync now, with every process it has started.

        Returns:
            How it ended: a sync that ended before the cancel reached it keeps its own result.
        """
        task = self._started()
        self._is_cancelled = True
        if self._process is not None:
            _terminate(self._process)
        _, still_alive = await asyncio.wait({task}, timeout=_SECONDS_TO_END)
        if still_alive and self._process is not None:
            _kill_group(self._process)
        return await self.wait()

    def _started(self) -> asyncio.Task[RunResult]:
        if self._task is None:
            raise RuntimeError("The sync was not started: call start() first.")
        return self._task

    async def _live(self) -> RunResult:
        with TemporaryDirectory(prefix="airbyte-sync-", ignore_cleanup_errors=True) as scratch:
            try:
                self._process = await _spawn(self.run, scratch)
            except OSError as error:
                return _platform_failure(
                    f"{self.run.environment.python} cannot be started: {error}. "
                    "Is the connectors environment built?"
                )
            exit_code = await self._attend(self._process)
        if self._last_event is not None:
            return self._last_event
        if self._is_cancelled:
            return RunResult(outcome=RunOutcome.CANCELLED)
        return _platform_failure(
            f"The connector runner ended with exit code {exit_code} and no result. "
            f"Its last words are in {self.run.log_file}.",
            internal_message=_tail(self.run.log_file),
        )

    async def _attend(self, process: Process) -> int:
        """Listen to the runner to its end. Returns its exit code."""
        if self._is_cancelled:
            _terminate(process)
        try:
            await _tell_config(cast("StreamWriter", process.stdin), self.run)
            async for line in _lines(cast("StreamReader", process.stdout)):
                self._read_event(line)
            return await process.wait()
        finally:  # also when the event loop closes; the runner's children may outlive a crash
            _kill_group(process)
            await process.wait()

    def _read_event(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            event = said["event"]
            if event == "progress":
                self.progress = Progress(rows=said["rows"], bytes=said["bytes"])
                self._changed.set()
            elif event in _LAST_WORDS:
                self._last_event = _LAST_WORDS[event](said)
        except (ValueError, TypeError, LookupError):
            return  # not one of ours: something in that process wrote to the wrong place


def _finished(said: Mapping[str, Any]) -> RunResult:
    return RunResult(
        outcome=RunOutcome.SUCCEEDED,
        rows_by_stream=dict(said["streams"]),
        bytes=said["bytes"],
    )


def _failed(said: Mapping[str, Any]) -> RunResult:
    reason = said["failure"]
    return RunResult(
        outcome=RunOutcome.FAILED,
        failure=Failure(
            reason=reason["externalMessage"],
            type=reason["failureType"],
            origin=reason["failureOrigin"],
            internal_message=reason["internalMessage"],
        ),
    )


def _cancelled(_said: Mapping[str, Any]) -> RunResult:
    return RunResult(outcome=RunOutcome.CANCELLED)


_LAST_WORDS: Final = {"finished": _finished, "failed": _failed, "cancelled": _cancelled}


def _platform_failure(reason: str, *, internal_message: str | None = None) -> RunResult:
    failure = Failure(reason=reason, origin="airbyte_platform", internal_message=internal_message)
    return RunResult(outcome=RunOutcome.FAILED, failure=failure)


async def _spawn(run: ConnectorRun, scratch: str) -> Process:
    run.log_file.parent.mkdir(parents=True, exist_ok=True)
    with run.log_file.open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *_command(run, scratch),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )


def _command(run: ConnectorRun, scratch: str) -> list[str]:
    environment = run.environment
    options: dict[str, object] = {
        "source": run.source,
        "source-executable": environment.executable(run.source),
        "config": "-",
        "streams": ",".join(run.streams),
        "database": run.database,
        "schema": run.schema,
        "scratch": scratch,
    }
    if run.rows_per_second is not None:
        options["rows-per-second"] = run.rows_per_second
    # -I: this very folder must not be on the runner's path, its module names are too common
    command = [str(environment.python), "-I", str(environment.runner)]
    return command + [f"--{name}={value}" for name, value in options.items()]


async def _tell_config(stdin: StreamWriter, run: ConnectorRun) -> None:
    """Write the config to the runner's stdin, which stays open: its end would mean a cancel."""
    stdin.write(json.dumps(dict(run.config)).encode() + b"\n")
    with suppress(ConnectionError):  # it has ended already, and its exit code says more
        await stdin.drain()


async def _lines(stdout: StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            line = await stdout.readline()
        except ValueError:  # longer than any line of ours
            continue
        if not line:
            return
        yield line


def _tail(log_file: Path) -> str:
    return log_file.read_text("utf-8", errors="replace")[-_LONGEST_TAIL:].strip()


def _terminate(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()


def _kill_group(process: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
